/** Containers do not move while they run; whoever asks is told so after all that would be wrong anyway. */
import { as } from '../../../kernel/db/database.ts';
import { badRequest, type Fault, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findNodeByHost } from '../store/nodes.ts';
import { findMigrationByNumber } from '../store/server-migrations.ts';
import type { ComputeTables, MigrationRow, ServerRow } from '../store/tables.ts';
import { checkAction } from './server-state.ts';
import type { Actor } from './server-tasks.ts';

/** @throws Fault 400, 409 */
export async function refuseLiveMigration(deps: ComputeDeps, actor: Actor, row: ServerRow, host: string | null): Promise<never> {
  checkAction('os-migrateLive', row, actor.is_admin);
  if (host !== null && host !== '') {
    if ((await findNodeByHost(as<ComputeTables>(deps.db).read, host)) === undefined) throw badRequest('compute.host-not-found', `Compute host ${host} could not be found.`);
    if (host === row.host) throw badRequest('compute.same-host', `Unable to migrate instance (${row.id}) to current host (${host}).`);
  }
  throw badRequest('compute.live-migration', 'Migration pre-check error: servers are containers here, which cannot be moved while they run; use migrate.');
}

/** @throws Fault 404 */
export async function migrationOf(deps: Pick<ComputeDeps, 'db'>, server_id: string, number: string, missing: (number: string) => Fault): Promise<MigrationRow> {
  const row = /^\d{1,9}$/.test(number) ? await findMigrationByNumber(as<ComputeTables>(deps.db).read, server_id, Number(number)) : undefined;
  if (row === undefined) throw missing(number);
  return row;
}

export const migrationNotFound = (server_id: string) => (number: string): Fault => notFound('compute.migration-not-found', `Migration ${number} not found for instance ${server_id}`);

/** No migration here is a live one. @throws Fault 400 */
export function refuseForLive(migration: MigrationRow, method: string): never {
  const { id, server_id, status } = migration;
  throw badRequest('compute.migration-state', `Migration ${id} state of instance ${server_id} is ${status}. Cannot ${method} while the migration is in this state.`);
}
