import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ImageDeps } from '../deps.ts';
import { storesOfDigest } from '../store/images.ts';

/** A copy is there before the image says so: what is younger than this is left alone. */
const GRACE_MS = 10 * 60_000;

/** Removes data that no image has in a further store; the default one has a collector of its own. */
export const collectStores = (deps: Pick<ImageDeps, 'db' | 'clock' | 'stores'>): Job =>
  defineJob({
    name: 'image.collect-stores',
    every_seconds: 600,
    async run() {
      let removed = 0;
      for (const id of deps.stores.ids.filter((one) => one !== deps.stores.default_id)) {
        const store = deps.stores.of(id);
        for await (const digest of store.list(new Date(deps.clock.now().getTime() - GRACE_MS))) {
          const wanted = (await storesOfDigest(deps.db.read, digest)).some((stores) => stores?.split(',').includes(id));
          if (wanted) continue;
          await store.remove(digest);
          removed += 1;
        }
      }
      return { removed };
    },
  });
