/** A server row in a compute world, for tests of its tasks. */
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import type { TaskDefinition } from '../../../src/kernel/task/define.ts';
import type { ComputeConfig } from '../../../src/services/compute/config.ts';
import type { WantedVolume } from '../../../src/services/compute/model/block-device-mapping.ts';
import { createServers } from '../../../src/services/compute/model/create-servers.ts';
import type { ComputeTasks } from '../../../src/services/compute/deps.ts';
import { startAction } from '../../../src/services/compute/model/server-actions.ts';
import { findServer } from '../../../src/services/compute/store/servers.ts';
import { eventsOf, listActions } from '../../../src/services/compute/store/server-actions.ts';
import type { ComputeTables, ServerRow } from '../../../src/services/compute/store/tables.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { addFlavors, callers, type ComputeWorld, computeWorld } from '../../support/compute-world.ts';
import { testTasks } from '../harness.ts';

export interface ServerWorld extends ComputeWorld {
  server_id: string;
  action_id: string;
  read: Kysely<ComputeTables>;
  definitionOf(kind: string): TaskDefinition<any, any>;
  row(): Promise<ServerRow>;
  /** What the outside holds of the server: guests, ports, claims. */
  outside(): Promise<unknown>;
  /** Status and attachments of all volumes, and what the guest has of them. */
  volumesNow(): { volumes: [string, number][]; attached: string[] };
  /** Events of all actions: name and result. */
  events(): Promise<{ event: string; result: string | null }[]>;
}

export const ctx = { request_id: 'req-00000000-0000-4000-8000-000000000000', global_request_id: undefined, log: silentLog, clock: systemClock, auth: callers['member'] };

const blank: WantedVolume = { source_type: 'blank', source_id: null, device: '/dev/vdb', mount_path: '/data', boot_index: null, tag: null, volume_type: null, size: 1, delete_on_termination: true };

/** A server as `POST /servers` leaves it, its boot not started. */
export async function serverWorld(over: { metadata?: Record<string, string>; nodes?: number; config?: Partial<ComputeConfig>; with_volumes?: boolean } = {}): Promise<ServerWorld> {
  const world = await computeWorld({ nodes: over.nodes ?? 2, config: over.config ?? {} });
  await addFlavors(world.db);
  const image = world.images.add();
  let action_id = '';
  const tasks: ComputeTasks = { start: async (_tx, _kind, input) => (action_id = input.action_id), remove: async () => {}, ended: async () => {} };
  const caller = { ctx, auth: callers['member']!, is_admin: false, zero_disk: false };
  const [row] = await createServers({ ...world.deps, tasks }, caller, {
    name: 'one', description: null, hostname: undefined, image_id: image.id, flavor_id: '1', networks: 'auto', security_groups: [], key_name: null,
    metadata: over.metadata ?? {}, tags: [], user_data: null, admin_password: null, files: [], config_drive: false, min_count: 1, max_count: 1, access_ip_v4: null, access_ip_v6: null,
    disk_config: undefined, zone: undefined, host: undefined, hypervisor_hostname: undefined, forced: false, hints: {}, volumes: over.with_volumes === true ? [blank, { ...blank, source_type: 'volume', source_id: world.volumes.add().id, device: '/dev/vdc', delete_on_termination: false }] : [], multiattach: true,
  });
  const server_id = row!.id;
  const read = world.db.read as Kysely<ComputeTables>;
  return {
    ...world,
    server_id,
    action_id,
    read,
    definitionOf: (kind) => world.compute.service.tasks.find((task) => task.kind === kind)!,
    row: async () => (await findServer(read, server_id))!,
    outside: async () => ({
      guests: (await Promise.all(world.nodes.drivers.map((driver) => driver.list()))).flat().map(({ server_id: id }) => id),
      ports: [...world.network.ports.keys()],
      claims: (await world.placement.consumers()).map(({ id }) => id),
    }),
    volumesNow: () => ({
      volumes: [...world.volumes.volumes.values()].map(({ status, attachments }): [string, number] => [status, attachments.length]).sort(),
      attached: world.nodes.drivers.flatMap((driver) => driver.specOf(server_id)?.volumes ?? []).map(({ device }) => device),
    }),
    async events() {
      const actions = (await listActions(read, server_id, [], 100, undefined))!.rows;
      const events = (await Promise.all(actions.map(({ id }) => eventsOf(read, id)))).flat();
      return events.map(({ event, result }) => ({ event, result }));
    },
  };
}

/** Runs one task of a world to its end. */
export async function runTask(world: ServerWorld, kind: string, resource: string, input: object): Promise<void> {
  const definition = world.definitionOf(kind);
  const tasks = testTasks({ db: world.db, definition });
  await tasks.run();
  const id = await world.db.transaction((tx) => tasks.start(tx, definition, { resource, input, request_id: ctx.request_id }));
  await tasks.whenSettled(id);
  await tasks.stop();
}

/** Boots the server of a world, and opens an action for what comes next. @returns the action's id. */
export async function booted(world: ServerWorld, next: string): Promise<string> {
  await runTask(world, 'compute.boot-server', `server:${world.server_id}`, { server_id: world.server_id, action_id: world.action_id });
  return await world.db.transaction((tx) => startAction(asTransaction<ComputeTables>(tx), ctx, world.server_id, next));
}
