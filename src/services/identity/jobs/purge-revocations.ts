import { isoMicros } from '../../../kernel/clock.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { Identity } from '../model/identity.ts';
import { deleteRevocations } from '../store/access.ts';
import { deleteEndedMemberships } from '../store/federated-users.ts';

/** Forgets revocations of tokens that nobody can show any more, and memberships that have ended. */
export function purgeRevocations(identity: Identity): Job {
  return defineJob({
    name: 'identity.purge-revocations',
    every_seconds: 3600,
    async run() {
      const { token_expiration, allow_expired_window } = identity.config;
      const before = identity.clock.now().getTime() - (token_expiration + allow_expired_window) * 1000;
      return await identity.db.transaction(async (tx) => ({
        deleted: await deleteRevocations(tx, before),
        ended: await deleteEndedMemberships(tx, isoMicros(identity.clock.now())),
      }));
    },
  });
}
