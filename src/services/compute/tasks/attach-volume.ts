/** A volume more, or one less, on a server that lives. */
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { endEvent, startEvent } from '../model/server-actions.ts';
import { deleteDevice, devicesOf } from '../store/block-devices.ts';
import { findServer } from '../store/servers.ts';
import type { BlockDeviceRow, ComputeTables, ServerRow } from '../store/tables.ts';
import { attachToGuest, connectVolume, detachFromGuest, releaseVolume, reservedDevices, reserveVolume } from './guest-volumes.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

const ATTACH_EVENT = 'compute_attach_volume';
const DETACH_EVENT = 'compute_detach_volume';

type Input = ServerTaskInput & ServerTasks['attach-volume'];

export function attachVolumeTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('compute.attach-volume')
    .step('reserve', {
      async do(_ctx, input) {
        await begin(deps, input, ATTACH_EVENT);
        await reserveVolume(deps, input.auth, await deviceOf(deps, input));
      },
      undo: (_ctx, input) => forget(deps, input),
    })
    .step('connect', {
      async do(_ctx, input) {
        await connectVolume(deps, await serverOf(deps, input), await reservedOf(deps, input));
      },
    })
    .step('attach', {
      async do(ctx, input) {
        await attachToGuest(deps, ctx, await serverOf(deps, input), await reservedOf(deps, input));
      },
      undo: (ctx, input) => takeBack(deps, ctx, input),
    })
    .build({
      concurrency: 64,
      async onDone(_ctx, input) {
        await deps.volumes.complete((await reservedOf(deps, input)).attachment_id);
        await record(deps, input, ATTACH_EVENT);
      },
      onFailed: (_ctx, input, error) => record(deps, input, ATTACH_EVENT, taskFault(error, 'The volume could not be attached', '').message),
    }) as TaskDefinition<Input>;
}

export function detachVolumeTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('compute.detach-volume')
    .step('begin', {
      async do(_ctx, input) {
        await begin(deps, input, DETACH_EVENT);
        const { volume_id } = await deviceOf(deps, input);
        if (!(await isDetaching(deps, input, volume_id))) await deps.volumes.beginDetach(volume_id);
      },
      async undo(_ctx, input) {
        const device = await findOf(deps, input);
        if (device !== undefined && (await isDetaching(deps, input, device.volume_id))) await deps.volumes.rollDetach(device.volume_id);
      },
    })
    .step('detach', {
      async do(ctx, input) {
        await detachFromGuest(deps, ctx, await serverOf(deps, input), (await deviceOf(deps, input)).volume_id, false);
      },
      undo: (ctx, input) => giveBack(deps, ctx, input),
    })
    .build({
      concurrency: 64,
      onDone: (_ctx, input) => letGo(deps, input),
      onFailed: (_ctx, input, error) => record(deps, input, DETACH_EVENT, taskFault(error, 'The volume could not be detached', '').message),
    }) as TaskDefinition<Input>;
}

async function findOf(deps: TaskDeps, { server_id, device_id }: Input): Promise<BlockDeviceRow | undefined> {
  return (await devicesOf(deps.db.read as Kysely<ComputeTables>, server_id)).find(({ id }) => id === device_id);
}

async function deviceOf(deps: TaskDeps, input: Input): Promise<BlockDeviceRow> {
  const device = await findOf(deps, input);
  if (device === undefined) throw conflict('compute.volume-gone', 'The volume was let go of meanwhile.');
  return device;
}

async function reservedOf(deps: TaskDeps, { server_id, device_id }: Input) {
  const device = (await reservedDevices(deps, server_id)).find(({ id }) => id === device_id);
  if (device === undefined) throw conflict('compute.volume-gone', 'The volume was let go of meanwhile.');
  return device;
}

async function serverOf(deps: TaskDeps, { server_id }: Input): Promise<ServerRow> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined || row.deleted === 1) throw conflict('compute.server-gone', `Instance ${server_id} was deleted meanwhile.`);
  return row;
}

const isDetaching = async (deps: TaskDeps, { auth }: Input, volume_id: string): Promise<boolean> => (await deps.volumes.getVolume(auth, volume_id)).status === 'detaching';

async function begin(deps: TaskDeps, input: Input, event: string): Promise<void> {
  const { host } = await serverOf(deps, input);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, input.action_id, event, host));
}

async function forget(deps: TaskDeps, input: Input): Promise<void> {
  const device = await findOf(deps, input);
  if (device === undefined) return;
  await releaseVolume(deps, input.auth, device);
  await deps.db.transaction((tx) => deleteDevice(asTransaction<ComputeTables>(tx), device.id));
}

async function takeBack(deps: TaskDeps, ctx: StepContext, input: Input): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, input.server_id);
  const device = await findOf(deps, input);
  if (row === undefined || device === undefined) return;
  await detachFromGuest(deps, unstopped(ctx), row, device.volume_id, true);
}

async function giveBack(deps: TaskDeps, ctx: StepContext, input: Input): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, input.server_id);
  const device = (await reservedDevices(deps, input.server_id)).find(({ id }) => id === input.device_id);
  if (row !== undefined && device !== undefined) await attachToGuest(deps, unstopped(ctx), row, device);
}

/** Undoing goes on when the task was cancelled. */
const unstopped = (ctx: StepContext): StepContext => ({ ...ctx, signal: new AbortController().signal });

async function letGo(deps: TaskDeps, input: Input): Promise<void> {
  const device = await findOf(deps, input);
  if (device !== undefined) {
    await releaseVolume(deps, input.auth, device);
    await deps.db.transaction((tx) => deleteDevice(asTransaction<ComputeTables>(tx), device.id));
  }
  await record(deps, input, DETACH_EVENT);
}

/** The server itself stays as it is. */
async function record(deps: TaskDeps, { action_id }: ServerTaskInput, event: string, failure?: string): Promise<void> {
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    if (failure !== undefined) await startEvent(tx, deps.clock, action_id, event, null);
    await endEvent(tx, deps.clock, action_id, event, failure);
  });
}
