import type { Auth } from '../../../kernel/context.ts';
import { as } from '../../../kernel/db/database.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findGroup } from '../store/server-groups.ts';
import type { ComputeTables } from '../store/tables.ts';

/** The group that a scheduler hint names. @throws Fault 400 */
export async function groupForServer(deps: ComputeDeps, auth: Auth, hint: unknown): Promise<string | null> {
  if (hint === undefined) return null;
  const id = Array.isArray(hint) ? (hint[0] as unknown) : hint;
  const group = typeof id === 'string' ? await findGroup(as<ComputeTables>(deps.db).read, id) : undefined;
  if (group === undefined || group.project_id !== auth.project_id) {
    throw badRequest('compute.server-group-not-found', `Instance group ${String(id)} could not be found.`, { type: 'InstanceGroupNotFound' });
  }
  return group.id;
}
