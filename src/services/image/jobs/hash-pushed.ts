import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { Hashing } from '../model/registry/hash-pushed.ts';

/** Pushed images whose checksums a crash kept from being found. */
export const hashPushed = (hashing: Hashing): Job =>
  defineJob({
    name: 'image.hash-pushed',
    every_seconds: 60,
    run: async () => ({ hashed: await hashing.run() }),
  });
