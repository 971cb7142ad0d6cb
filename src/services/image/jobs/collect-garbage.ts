import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ImageDeps } from '../deps.ts';
import { isDigestUsed } from '../store/images.ts';

/** Uploads name their blob before the row says so: what is younger than this is left alone. */
const GRACE_MS = 10 * 60_000;

/** Removes blobs that no image refers to. */
export function collectGarbage(deps: ImageDeps): Job {
  return defineJob({
    name: 'image.collect-garbage',
    every_seconds: 300,
    async run() {
      let kept = 0;
      let removed = 0;
      for await (const digest of deps.blobs.list(new Date(deps.clock.now().getTime() - GRACE_MS))) {
        if (await isDigestUsed(deps.db.read, digest)) kept++;
        else {
          await deps.blobs.remove(digest);
          removed++;
        }
      }
      return { kept, removed };
    },
  });
}
