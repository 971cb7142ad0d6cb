/** The record of a move or a change of size, and what it says of the server. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Context } from '../../../kernel/context.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import { insertMigration, migrationsOfServer } from '../store/server-migrations.ts';
import type { ComputeTables, MigrationRow, ServerRow } from '../store/tables.ts';
import type { FlavorSnapshot } from './flavors.ts';

/** Work on the server is under way, or its user has not said yet whether to keep the result: two nodes may have a guest of it. */
export const OPEN: readonly string[] = ['accepted', 'pre-migrating', 'migrating', 'post-migrating', 'finished', 'confirming', 'reverting'];
/** The server was made anew elsewhere; the node that it left may still have its guest. */
export const LEFT_BEHIND = 'done';

/** What a revert goes back to. */
export interface ServerBefore {
  vm_state: string;
  disk_config: 'AUTO' | 'MANUAL';
}

export const beforeOf = (migration: Pick<MigrationRow, 'before_json'>): ServerBefore => JSON.parse(migration.before_json) as ServerBefore;
export const oldFlavor = (migration: Pick<MigrationRow, 'old_flavor_json'>): FlavorSnapshot => JSON.parse(migration.old_flavor_json) as FlavorSnapshot;
export const newFlavor = (migration: Pick<MigrationRow, 'new_flavor_json'>): FlavorSnapshot => JSON.parse(migration.new_flavor_json) as FlavorSnapshot;
/** Whether the server stays on its node. */
export const isInPlace = ({ source_node_id, dest_node_id }: MigrationRow): boolean => dest_node_id !== null && dest_node_id === source_node_id;

/** The columns of a server that its flavor fills. */
export function flavorFields(flavor: FlavorSnapshot): Pick<ServerRow, 'flavor_json' | 'flavor_id' | 'vcpus' | 'ram_mb'> {
  return { flavor_json: JSON.stringify(flavor), flavor_id: flavor.id, vcpus: flavor.vcpus, ram_mb: flavor.ram_mb };
}

/** What counts against quotas while a server may still become either. */
export function larger(a: FlavorSnapshot, b: FlavorSnapshot): Pick<ServerRow, 'vcpus' | 'ram_mb'> {
  return { vcpus: Math.max(a.vcpus, b.vcpus), ram_mb: Math.max(a.ram_mb, b.ram_mb) };
}

export interface NewMove {
  type: MigrationRow['migration_type'];
  status: string;
  flavor: FlavorSnapshot;
  uuid: string;
}

export async function recordMove(tx: Kysely<ComputeTables>, ctx: Pick<Context, 'clock' | 'auth'>, row: ServerRow, move: NewMove): Promise<MigrationRow> {
  const at = isoMicros(ctx.clock.now());
  const before: ServerBefore = { vm_state: row.vm_state, disk_config: row.disk_config };
  return await insertMigration(tx, {
    uuid: move.uuid,
    server_id: row.id,
    migration_type: move.type,
    status: move.status,
    source_node_id: row.node_id,
    source_compute: row.host,
    dest_node_id: null,
    dest_compute: null,
    dest_host: null,
    old_flavor_json: row.flavor_json,
    new_flavor_json: JSON.stringify(move.flavor),
    before_json: JSON.stringify(before),
    user_id: ctx.auth?.user_id ?? null,
    project_id: ctx.auth?.project_id ?? null,
    created_at: at,
    updated_at: at,
  });
}

export const newMoveId = (): string => uuid();

export const notResized = (): Fault => badRequest('compute.not-resized', 'Instance has not been resized.');

/** The move that waits for its user's word. @throws Fault 400 */
export async function finishedMove(db: Kysely<ComputeTables>, server_id: string): Promise<MigrationRow> {
  const [migration] = await migrationsOfServer(db, server_id, ['finished']);
  if (migration === undefined) throw notResized();
  return migration;
}
