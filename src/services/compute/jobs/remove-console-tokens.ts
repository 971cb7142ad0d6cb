import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { JobDeps } from '../deps.ts';
import { deleteExpiredConsoleTokens } from '../store/console-tokens.ts';
import type { ComputeTables } from '../store/tables.ts';

/** Tokens that open nothing any more are forgotten. */
export function removeConsoleTokensJob(deps: Pick<JobDeps, 'db' | 'clock'>): Job {
  return defineJob({
    name: 'compute.remove-console-tokens',
    every_seconds: 600,
    run: async () => ({ removed: await deps.db.transaction((raw) => deleteExpiredConsoleTokens(asTransaction<ComputeTables>(raw), isoMicros(deps.clock.now()))) }),
  });
}
