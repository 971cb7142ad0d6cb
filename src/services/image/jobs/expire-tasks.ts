import { isoMicros } from '../../../kernel/clock.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ImageDeps } from '../deps.ts';
import { deleteExpiredTasks } from '../store/image-tasks.ts';

/** Removes tasks whose time has come; they are not shown any more before. */
export const expireTasks = (deps: Pick<ImageDeps, 'db' | 'clock'>): Job =>
  defineJob({
    name: 'image.expire-tasks',
    every_seconds: 3600,
    run: async () => ({ expired: await deps.db.transaction((tx) => deleteExpiredTasks(tx, isoMicros(deps.clock.now()))) }),
  });
