import { isoMicros } from '../../../kernel/clock.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { Identity } from '../model/identity.ts';
import { deleteEndedTokens } from '../store/oauth1.ts';

/** Forgets request and access tokens of OAuth that have ended. */
export function purgeOauthTokens(identity: Identity): Job {
  return defineJob({
    name: 'identity.purge-oauth-tokens',
    every_seconds: 3600,
    async run() {
      const before = isoMicros(identity.clock.now());
      return { deleted: await identity.db.transaction((tx) => deleteEndedTokens(tx, before)) };
    },
  });
}
