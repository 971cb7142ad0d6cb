/** A server that has booted, and its way through the tasks that move it. */
import { uuid } from '../../../src/kernel/ids.ts';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { flavorForServer } from '../../../src/services/compute/model/flavors.ts';
import { larger, recordMove } from '../../../src/services/compute/model/server-migrations.ts';
import { flavorOf } from '../../../src/services/compute/model/server-row.ts';
import { findMigration, updateMigration } from '../../../src/services/compute/store/server-migrations.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables, MigrationRow } from '../../../src/services/compute/store/tables.ts';
import { startAction } from '../../../src/services/compute/model/server-actions.ts';
import { callers } from '../../support/compute-world.ts';
import { booted, ctx, runTask, serverWorld, type ServerWorld } from './world.ts';

export type MoveKind = 'resize' | 'migration' | 'evacuation';

export interface MoveWorld extends ServerWorld {
  migration: string;
  input: { server_id: string; action_id: string; migration: string; host: null; forced: boolean; stopped: boolean };
  resource: string;
  move(): Promise<MigrationRow>;
  /** Nodes with a guest of it, by index. */
  guests(): Promise<number[]>;
  /** What each holds of placement, by `server` or `move` and node. */
  holds(): Promise<Record<string, object>>;
}

/** As the API leaves it, its task not started. */
export async function moveWorld(type: MoveKind, over: { nodes?: number; metadata?: Record<string, string>; flavor?: string } = {}): Promise<MoveWorld> {
  const world = await serverWorld(over);
  const action_id = await booted(world, type === 'resize' ? 'resize' : 'migrate');
  const { server_id } = world;
  const row = await world.row();
  const old = flavorOf(row);
  const flavor = type === 'resize' ? await flavorForServer({ db: world.db } as never, callers['member']!, over.flavor ?? '2', false) : old;
  const migration = uuid();
  await world.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await recordMove(tx, ctx, row, { uuid: migration, type, status: 'pre-migrating', flavor });
    await updateServer(tx, server_id, { task_state: type === 'evacuation' ? 'rebuilding' : 'resize_prep', ...larger(old, flavor) });
  });
  const move = async (): Promise<MigrationRow> => (await findMigration(world.read, migration))!;
  return {
    ...world,
    migration,
    input: { server_id, action_id, migration, host: null, forced: false, stopped: false },
    resource: `server:${server_id}`,
    move,
    async guests() {
      const found = await Promise.all(world.nodes.drivers.map((driver) => driver.inspect(server_id)));
      return found.flatMap((one, index) => (one === undefined ? [] : [index]));
    },
    async holds() {
      const out: Record<string, object> = {};
      for (const { id, provider_id } of await world.placement.consumers()) {
        const who = id === server_id ? 'server' : id === migration ? 'move' : id;
        out[`${who}@${world.nodes.ids.indexOf(provider_id)}`] = (await world.placement.usage(provider_id)).used;
      }
      return out;
    },
  };
}

/** The same, moved already, and its confirmation or its way back asked for. */
export async function movedWorld(type: 'resize' | 'migration', then: 'confirming' | 'reverting', over: Parameters<typeof moveWorld>[1] = {}): Promise<MoveWorld> {
  const world = await moveWorld(type, over);
  await runTask(world, 'compute.resize-server', world.resource, world.input);
  const action_id = await world.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await updateMigration(tx, world.migration, { status: then });
    await updateServer(tx, world.server_id, { task_state: then === 'reverting' ? 'resize_reverting' : null });
    return await startAction(tx, ctx, world.server_id, then);
  });
  return { ...world, input: { ...world.input, action_id } };
}
