/** Servers on the shelf whose time on their nodes is over leave them. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { requestId } from '../../../kernel/ids.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ComputeTasks, JobDeps } from '../deps.ts';
import { offloadInTime } from '../model/shelve-server.ts';
import { shelvedBefore } from '../store/shelved-servers.ts';
import type { ComputeTables } from '../store/tables.ts';

const AT_ONCE = 200;

export function offloadShelvedJob(deps: JobDeps, tasks: ComputeTasks): Job {
  async function run(): Promise<object> {
    const seconds = deps.config.shelved_offload_time;
    if (seconds < 0) return { offloaded: 0 };
    const before = isoMicros(new Date(deps.clock.now().getTime() - seconds * 1000));
    let offloaded = 0;
    for (const { id } of await shelvedBefore(deps.db.read as Kysely<ComputeTables>, before, AT_ONCE)) {
      if (await offloadInTime(deps, tasks, id, { request_id: requestId(), global_request_id: undefined })) offloaded += 1;
    }
    return { offloaded };
  }
  return defineJob({ name: 'compute.offload-shelved', every_seconds: 60, run });
}
