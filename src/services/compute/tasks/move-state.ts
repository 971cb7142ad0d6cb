/** What the steps of a move read and write between them. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import type { Hold, Resources } from '../../placement/client.ts';
import type { MoveInput, ServerTaskInput } from '../deps.ts';
import { zonesOfHosts } from '../model/availability-zones.ts';
import { newFlavor, oldFlavor } from '../model/server-migrations.ts';
import { findMigration, updateMigration } from '../store/server-migrations.ts';
import { findBoot, findServer, type ServerChange, updateServer } from '../store/servers.ts';
import type { ComputeTables, MigrationRow, ServerBootRow, ServerRow } from '../store/tables.ts';
import { type Place, resourcesOf } from './place-server.ts';
import type { TaskDeps } from './task-deps.ts';

export interface Move {
  row: ServerRow;
  boot: ServerBootRow;
  migration: MigrationRow;
}

/** Somebody wants it away. */
export const GOING: readonly string[] = ['deleting', 'soft-deleting'];
export const isGoing = ({ task_state }: Pick<ServerRow, 'task_state'>): boolean => task_state !== null && GOING.includes(task_state);

const reader = (deps: TaskDeps): Kysely<ComputeTables> => deps.db.read as Kysely<ComputeTables>;

/** @throws Fault 409 when the server was deleted meanwhile: the move is then undone. */
export async function loadMove(deps: TaskDeps, input: ServerTaskInput & MoveInput): Promise<Move> {
  const move = await findMove(deps, input);
  if (move === undefined || move.row.deleted === 1 || isGoing(move.row)) throw conflict('compute.server-deleted', 'The server was deleted while it was being moved.');
  return move;
}

/** For what has to be undone: also of a server that is being deleted. */
export async function findMove(deps: TaskDeps, { server_id, migration: uuid }: ServerTaskInput & MoveInput): Promise<Move | undefined> {
  const [row, boot, migration] = await Promise.all([findServer(reader(deps), server_id), findBoot(reader(deps), server_id), findMigration(reader(deps), uuid)]);
  return row === undefined || boot === undefined || migration === undefined ? undefined : { row, boot, migration };
}

export async function advanceMove(deps: TaskDeps, input: ServerTaskInput & MoveInput, migration: Partial<MigrationRow>, server: ServerChange = {}): Promise<void> {
  const updated_at = isoMicros(deps.clock.now());
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await updateMigration(tx, input.migration, { ...migration, updated_at });
    if (Object.keys(server).length > 0) await updateServer(tx, input.server_id, { ...server, updated_at }, { not_task_state: GOING });
  });
}

/** The nodes of a move as networking knows them. */
export const sourceOf = (deps: TaskDeps, { migration }: Move): Promise<Place> => placeOf(deps, migration.source_node_id!, migration.source_compute!);
export const destinationOf = (deps: TaskDeps, { migration }: Move): Promise<Place> => placeOf(deps, migration.dest_node_id!, migration.dest_compute!);

async function placeOf(deps: TaskDeps, node_id: string, host: string): Promise<Place> {
  return { node_id, host, zone: (await zonesOfHosts(deps)).get(host) ?? deps.config.default_availability_zone };
}

const server = ({ row }: Move): Hold['consumer'] => ({ id: row.id, project_id: row.project_id, user_id: row.user_id, type: 'INSTANCE' });
const keeper = ({ row, migration }: Move): Hold['consumer'] => ({ id: migration.uuid, project_id: row.project_id, user_id: row.user_id, type: 'MIGRATION' });

/**
 * While a server is under way it holds the new size where it goes, and its migration what it came from. On one node the
 * migration keeps only what the new size leaves of the old one: a way back is sure, and a node need not have room for both.
 */
export function heldWhileMoving(move: Move, node_id: string, wanted: Resources): Hold[] {
  const source = move.migration.source_node_id!;
  const old = resourcesOf(oldFlavor(move.migration));
  const kept = node_id === source ? beyond(old, wanted) : old;
  return [
    { consumer: server(move), provider_id: node_id, resources: wanted },
    { consumer: keeper(move), provider_id: source, resources: kept },
  ];
}

/** As it was before, and nothing else. */
export function heldBefore(move: Move): Hold[] {
  const provider_id = move.migration.source_node_id!;
  return [
    { consumer: server(move), provider_id, resources: resourcesOf(oldFlavor(move.migration)) },
    { consumer: keeper(move), provider_id, resources: {} },
  ];
}

/** As while it moved. */
export const heldAfter = (move: Move): Hold[] => heldWhileMoving(move, move.migration.dest_node_id!, resourcesOf(newFlavor(move.migration)));

function beyond(a: Resources, b: Resources): Resources {
  return Object.fromEntries(Object.entries(a).map(([name, amount]) => [name, Math.max(0, amount - (b[name] ?? 0))]));
}
