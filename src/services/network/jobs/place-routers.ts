import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { NetworkDeps } from '../deps.ts';
import { placeRouters } from '../model/router-hosts.ts';

/** Routers without a node, or whose node is gone, get another one. */
export function placeRoutersJob(env: NetworkDeps): Job {
  return defineJob({ name: 'network.place-routers', every_seconds: 15, run: async () => ({ placed: await placeRouters(env) }) });
}
