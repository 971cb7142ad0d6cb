import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { Once } from '../model/once.ts';

/** Queued images for nodes that were away, or had no room. */
export const fillCache = (filling: Once): Job =>
  defineJob({
    name: 'image.fill-cache',
    every_seconds: 60,
    run: async () => ({ brought: await filling.run() }),
  });
