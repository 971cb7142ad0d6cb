import { isFault } from '../../../kernel/fault.ts';
import { requestId } from '../../../kernel/ids.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ImageDeps } from '../deps.ts';
import { listWaiting } from '../store/conversions.ts';

const AT_ONCE = 100;

/** Disk images that found no node able to convert them are tried again. */
export const convertWaiting = (deps: Pick<ImageDeps, 'db' | 'tasks'>): Job =>
  defineJob({
    name: 'image.convert-waiting',
    every_seconds: 120,
    async run() {
      let started = 0;
      for (let after = ''; ; ) {
        const ids = await listWaiting(deps.db.read, after, AT_ONCE);
        for (const id of ids) if (await start(deps, id)) started += 1;
        if (ids.length < AT_ONCE) return { started };
        after = ids.at(-1)!;
      }
    },
  });

async function start(deps: Pick<ImageDeps, 'db' | 'tasks'>, id: string): Promise<boolean> {
  try {
    await deps.db.transaction((tx) => deps.tasks.convert(tx, id, { request_id: requestId(), global_request_id: undefined }));
    return true;
  } catch (error) {
    // It is at work already.
    if (isFault(error) && error.code === 'task.resource-busy') return false;
    throw error;
  }
}
