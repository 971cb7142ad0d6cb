/** A NIC more, or one less, on a server that lives: its port is bound or let go, and the node follows by itself. */
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import { defineTask, type TaskDefinition } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { endEvent, startEvent } from '../model/server-actions.ts';
import { findServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

const ATTACH_EVENT = 'compute_attach_interface';
const DETACH_EVENT = 'compute_detach_interface';

type AttachInput = ServerTaskInput & ServerTasks['attach-interface'];
type DetachInput = ServerTaskInput & ServerTasks['detach-interface'];

export function attachInterfaceTask(deps: TaskDeps): TaskDefinition<AttachInput> {
  return defineTask<AttachInput>('compute.attach-interface')
    .step('bind', {
      do: (_ctx, input) => bind(deps, input),
      undo: (_ctx, { server_id, nic, new_port_id }) => deps.network.removeNic(server_id, nic.port_id ?? new_port_id),
    })
    .build({
      concurrency: 64,
      onDone: (_ctx, input) => record(deps, input, ATTACH_EVENT),
      onFailed: (_ctx, input, error) => record(deps, input, ATTACH_EVENT, taskFault(error, 'The interface could not be attached', '').message),
    }) as TaskDefinition<AttachInput>;
}

export function detachInterfaceTask(deps: TaskDeps): TaskDefinition<DetachInput> {
  return defineTask<DetachInput>('compute.detach-interface')
    .step('let-go', { do: (_ctx, input) => letGo(deps, input) })
    .build({
      concurrency: 64,
      onDone: (_ctx, input) => record(deps, input, DETACH_EVENT),
      onFailed: (_ctx, input, error) => record(deps, input, DETACH_EVENT, taskFault(error, 'The interface could not be detached', '').message),
    }) as TaskDefinition<DetachInput>;
}

async function bind(deps: TaskDeps, { server_id, action_id, nic, new_port_id }: AttachInput): Promise<void> {
  const { project_id, node_id, host, zone } = await begin(deps, server_id, action_id, ATTACH_EVENT);
  if (node_id === null || host === null) throw conflict('compute.server-not-ready', `Instance ${server_id} is not ready`);
  await deps.network.addNic({ server_id, project_id, node_id, host, zone: zone ?? deps.config.default_availability_zone, nic, new_port_id });
}

async function letGo(deps: TaskDeps, { server_id, action_id, port_id }: DetachInput): Promise<void> {
  await begin(deps, server_id, action_id, DETACH_EVENT);
  await deps.network.removeNic(server_id, port_id);
}

async function begin(deps: TaskDeps, server_id: string, action_id: string, event: string): Promise<ServerRow> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined || row.deleted === 1) throw conflict('compute.server-gone', `Instance ${server_id} was deleted meanwhile.`);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, event, row.host));
  return row;
}

/** The server itself stays as it is: neither its state nor what it does depends on a NIC. */
async function record(deps: TaskDeps, { action_id }: ServerTaskInput, event: string, failure?: string): Promise<void> {
  await deps.db.transaction((tx) => endEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, event, failure));
}
