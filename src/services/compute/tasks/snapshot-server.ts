/** An image of a server: what it has changed becomes a layer over the image that it runs from. The server goes on, whatever becomes of the image. */
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineTask, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { startEvent } from '../model/server-actions.ts';
import type { ComputeTables } from '../store/tables.ts';
import { capture, dropCapture, publish, serverOnNode, showTask, upload } from './capture-steps.ts';
import { settleServer } from './settle.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

export type SnapshotInput = ServerTaskInput & ServerTasks['snapshot'];

const eventOf = ({ backup }: SnapshotInput): string => (backup === undefined ? 'compute_snapshot_instance' : 'compute_backup_instance');

export function snapshotServerTask(deps: TaskDeps): TaskDefinition<SnapshotInput> {
  return defineTask<SnapshotInput>('compute.snapshot-server')
    .step('capture', {
      async do(ctx, input) {
        await begin(deps, input);
        return await capture(deps, ctx, input);
      },
      undo: (_ctx, input, captured) => dropCapture(deps, input, captured),
    })
    .step('upload', {
      async do(ctx, input, done) {
        await showTask(deps, input.server_id, 'image_uploading');
        await upload(deps, ctx, input, done.capture);
      },
    })
    .step('publish', {
      do: async (_ctx, input, done) => void (await publish(deps, input, done.capture)),
    })
    .build({
      concurrency: 16,
      async onDone(_ctx, input, done) {
        await dropCapture(deps, input, done.capture);
        await rotate(deps, input);
        await settleServer(deps, input, { event: eventOf(input), change: {} });
      },
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<SnapshotInput>;
}

async function begin(deps: TaskDeps, input: SnapshotInput): Promise<void> {
  const { host } = await serverOnNode(deps, input.server_id);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, input.action_id, eventOf(input), host));
  await showTask(deps, input.server_id, 'image_pending_upload');
}

/** Backups beyond the number that was asked for go, the oldest first. */
async function rotate(deps: TaskDeps, { server_id, image_id, backup }: SnapshotInput): Promise<void> {
  if (backup === undefined) return;
  const ids = await deps.image.snapshots.siblings(image_id, { image_type: 'backup', backup_type: backup.type, instance_uuid: server_id });
  for (const id of ids.slice(backup.rotation)) await deps.image.snapshots.discard(id);
}

async function giveUp(deps: TaskDeps, input: SnapshotInput, error: TaskError): Promise<void> {
  await deps.image.snapshots.discard(input.image_id);
  const { message } = taskFault(error, 'The image of the server could not be made', isoMicros(deps.clock.now()));
  await settleServer(deps, input, { event: eventOf(input), change: {}, failure: message });
}
