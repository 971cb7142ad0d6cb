import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { Identity } from '../model/identity.ts';
import { deleteRevocations } from '../store/access.ts';

/** Forgets revocations of tokens that nobody can show any more. */
export function purgeRevocations(identity: Identity): Job {
  return defineJob({
    name: 'identity.purge-revocations',
    every_seconds: 3600,
    async run() {
      const { token_expiration, allow_expired_window } = identity.config;
      const before = identity.clock.now().getTime() - (token_expiration + allow_expired_window) * 1000;
      return { deleted: await identity.db.transaction((tx) => deleteRevocations(tx, before)) };
    },
  });
}
