import type { Kysely } from 'kysely';
import type { Auth } from '../../../kernel/context.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { as, asTransaction } from '../../../kernel/db/database.ts';
import { badRequest, forbidden } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ComputeDeps } from '../deps.ts';
import { lockProject } from '../store/quota-sets.ts';
import { countGroups, deleteGroup, findGroup, insertGroup, membersOf } from '../store/server-groups.ts';
import type { ComputeTables, ServerGroupRow } from '../store/tables.ts';
import { quotasOf } from './quota-sets.ts';

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

/** Inside the transaction that makes the servers. @throws Fault 403 */
export async function checkGroupQuota(tx: Kysely<ComputeTables>, deps: ComputeDeps, project_id: string, group_id: string | null, more: number): Promise<void> {
  if (group_id === null) return;
  const { server_group_members } = await quotasOf(tx, deps, project_id);
  if (server_group_members >= 0 && (await membersOf(tx, [group_id])).length + more > server_group_members) {
    throw forbidden('compute.server-group-member-quota', 'Quota exceeded, too many servers in group', { type: 'ServerGroupLimitExceeded' });
  }
}

/** @throws Fault 403 over the quota. */
export async function createGroup(deps: ComputeDeps, auth: Auth, name: string, policy: string, rules: Record<string, number>): Promise<ServerGroupRow> {
  const project_id = auth.project_id ?? '';
  const row: ServerGroupRow = {
    id: uuid(),
    name: name.trim(),
    project_id,
    user_id: auth.user_id,
    policy,
    rules_json: JSON.stringify(rules),
    created_at: isoMicros(deps.clock.now()),
  };
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await lockProject(tx, project_id);
    const { server_groups } = await quotasOf(tx, deps, project_id);
    if (server_groups >= 0 && (await countGroups(tx, project_id)) >= server_groups) {
      throw forbidden('compute.server-group-quota', 'Quota exceeded, too many server groups.', { type: 'ServerGroupLimitExceeded' });
    }
    await insertGroup(tx, row);
  });
  return row;
}

/** Its servers stay, without a group. */
export async function removeGroup(deps: ComputeDeps, id: string): Promise<void> {
  await deps.db.transaction((tx) => deleteGroup(asTransaction<ComputeTables>(tx), id));
}
