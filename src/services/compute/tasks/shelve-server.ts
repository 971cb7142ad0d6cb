/** A server goes to the shelf: it is stopped, and what it has written becomes an image. It stays on its node until its time there is over. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import type { BootImage } from '../model/image-checks.ts';
import { startEvent } from '../model/server-actions.ts';
import { powerStates } from '../model/server-state.ts';
import { findBoot } from '../store/servers.ts';
import { putShelved } from '../store/shelved-servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import { capture, dropCapture, publish, serverOnNode, showTask, upload } from './capture-steps.ts';
import { powerOff, powerOnAgain } from './power-off.ts';
import { settleServer } from './settle.ts';
import { shelfOf, taskFault, type TaskDeps } from './task-deps.ts';

export type ShelveInput = ServerTaskInput & ServerTasks['shelve'];

const EVENT = 'compute_shelve_instance';

/** @param done the server may leave its node when its time there is over. */
export function shelveServerTask(deps: TaskDeps, done: (ctx: StepContext, server_id: string) => void): TaskDefinition<ShelveInput> {
  return defineTask<ShelveInput>('compute.shelve-server')
    .step('stop', {
      async do(ctx, { server_id, action_id }) {
        const { host } = await serverOnNode(deps, server_id);
        await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, EVENT, host));
        await powerOff(deps, ctx, server_id);
      },
      undo: (ctx, { server_id, was }) => powerOnAgain(deps, ctx, server_id, was),
    })
    .step('capture', {
      async do(ctx, input) {
        await showTask(deps, input.server_id, 'shelving_image_pending_upload');
        return await capture(deps, ctx, input);
      },
      undo: (_ctx, input, captured) => dropCapture(deps, input, captured),
    })
    .step('upload', {
      async do(ctx, input, all) {
        await showTask(deps, input.server_id, 'shelving_image_uploading');
        await upload(deps, ctx, input, all.capture);
      },
    })
    .step('publish', {
      async do(_ctx, input, all) {
        const { id, manifest_digest, size, container_format, disk_format } = await publish(deps, input, all.capture);
        return { id, manifest_digest, size, container_format, disk_format };
      },
    })
    .build({
      concurrency: 16,
      async onDone(ctx, input, all) {
        await dropCapture(deps, input, all.capture);
        await shelved(deps, input, all.publish);
        done(ctx, input.server_id);
      },
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<ShelveInput>;
}

type Published = Pick<ImageInfo, 'id' | 'manifest_digest' | 'size' | 'container_format' | 'disk_format'>;

async function shelved(deps: TaskDeps, input: ShelveInput, image: Published): Promise<void> {
  const { server_id } = input;
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, server_id);
  // What it says of its system and its owner, it says of what it becomes.
  const before = boot === undefined ? {} : (JSON.parse(boot.image_json) as BootImage);
  const next = { ...before, id: image.id, digest: image.manifest_digest, size: image.size, container_format: image.container_format, disk_format: image.disk_format };
  await deps.db.transaction(async (raw) => {
    await putShelved(asTransaction<ComputeTables>(raw), { server_id, image_id: image.id, image_json: JSON.stringify(next), shelved_at: isoMicros(deps.clock.now()) });
    await deps.image.snapshots.hold(raw, shelfOf(server_id), image.id);
  });
  await settleServer(deps, input, { event: EVENT, change: { vm_state: 'shelved', power_state: powerStates.shutdown, fault_json: null } });
}

async function giveUp(deps: TaskDeps, input: ShelveInput, error: TaskError): Promise<void> {
  await deps.image.snapshots.discard(input.image_id);
  await settleServer(deps, input, { event: EVENT, change: {}, failure: taskFault(error, 'The server could not be shelved', '').message });
}
