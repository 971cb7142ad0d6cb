import { conflict, Fault } from '../../../kernel/fault.ts';
import type { StepContext, TaskDefinition } from '../../../kernel/task/define.ts';
import type { Tasks } from '../../../kernel/task/tasks.ts';
import type { ComputeTasks, RequestIds, ServerTaskKind } from '../deps.ts';
import { attachInterfaceTask, detachInterfaceTask } from './attach-interface.ts';
import type { LayerRelay } from '../model/layer-relay.ts';
import { attachVolumeTask, detachVolumeTask } from './attach-volume.ts';
import { bootServerTask } from './boot-server.ts';
import { changePasswordTask } from './change-password.ts';
import { confirmResizeTask } from './confirm-resize.ts';
import { deleteServerTask } from './delete-server.ts';
import { evacuateServerTask } from './evacuate-server.ts';
import { offloadInTime } from '../model/shelve-server.ts';
import { offloadServerTask } from './offload-server.ts';
import { powerServerTask } from './power-server.ts';
import { resizeServerTask } from './resize-server.ts';
import { revertResizeTask } from './revert-resize.ts';
import { rebuildServerTask } from './rebuild-server.ts';
import { shelveServerTask } from './shelve-server.ts';
import { snapshotServerTask } from './snapshot-server.ts';
import { rescueServerTask, unrescueServerTask } from './rescue-server.ts';
import { softDeleteServerTask } from './soft-delete-server.ts';
import { unshelveServerTask } from './unshelve-server.ts';
import { deletionResource, serverResource, softDeletionResource, taskFault, type TaskDeps } from './task-deps.ts';

/** The long work of compute: the kinds to register, and how the rest of the service asks for it. */
export function computeTasks(deps: TaskDeps & { relay: LayerRelay }, tasks: Tasks): { definitions: TaskDefinition[]; starter: ComputeTasks } {
  const remove = deleteServerTask(deps);
  const softDelete = softDeleteServerTask(deps);
  const kinds: Record<ServerTaskKind, TaskDefinition<never>> = {
    boot: bootServerTask(deps),
    power: powerServerTask(deps),
    snapshot: snapshotServerTask(deps),
    rebuild: rebuildServerTask(deps),
    shelve: shelveServerTask(deps, (ctx, server_id) => void offloadSoon(ctx, server_id)),
    offload: offloadServerTask(deps),
    unshelve: unshelveServerTask(deps),
    'attach-interface': attachInterfaceTask(deps),
    'detach-interface': detachInterfaceTask(deps),
    'attach-volume': attachVolumeTask(deps),
    'detach-volume': detachVolumeTask(deps),
    password: changePasswordTask(deps),
    rescue: rescueServerTask(deps),
    unrescue: unrescueServerTask(deps),
    resize: resizeServerTask(deps),
    'confirm-resize': confirmResizeTask(deps),
    'revert-resize': revertResizeTask(deps),
    evacuate: evacuateServerTask(deps),
  };
  /** The job does it, should this process not live to. */
  const offloadSoon = async (ctx: StepContext, server_id: string): Promise<void> => {
    if (deps.config.shelved_offload_time !== 0) return;
    await tasks.whenSettled(ctx.task_id).then(() => offloadInTime(deps, starter, server_id, ctx)).catch((error: unknown) => ctx.log.info({ err: error, server_id }, 'a shelved server stays on its node for now'));
  };
  const ids = ({ request_id, global_request_id }: RequestIds): RequestIds => ({ request_id, global_request_id });
  const starter: ComputeTasks = {
    async start(tx, kind, input, asker) {
      return await tasks.start(tx, kinds[kind], { resource: serverResource(input.server_id), input: input as never, ...ids(asker) });
    },
    async remove(tx, input, asker, softly) {
      await tasks.cancel(tx, serverResource(input.server_id));
      if (softly) return void (await tasks.start(tx, softDelete, { resource: softDeletionResource(input.server_id), input, ...ids(asker) }));
      await tasks.cancel(tx, softDeletionResource(input.server_id));
      await tasks.start(tx, remove, { resource: deletionResource(input.server_id), input, ...ids(asker) });
    },
    async ended(task_id) {
      const { state, error } = await tasks.whenSettled(task_id);
      if (state === 'done') return;
      if (error === undefined) throw conflict('compute.interrupted', 'The server was changed by another request meanwhile.');
      const { code: status, message } = taskFault(error, 'The server could not be changed', '');
      throw new Fault(status, error.code, message);
    },
  };
  return { definitions: [...Object.values(kinds), remove, softDelete] as TaskDefinition[], starter };
}
