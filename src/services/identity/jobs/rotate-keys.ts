import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import { primarySince, rotateKeys } from '../model/fernet-keys.ts';
import type { Identity } from '../model/identity.ts';

/** Rotates the keys when their time has come, and reads those that somebody else rotated. */
export function rotateKeysOnTime(identity: Identity): Job {
  return defineJob({
    name: 'identity.rotate-keys',
    every_seconds: 60,
    async run() {
      const { fernet_keys, max_active_keys, rotate_keys_every } = identity.config;
      const age = (identity.clock.now().getTime() - primarySince(fernet_keys)) / 1000;
      const due = rotate_keys_every > 0 && age >= rotate_keys_every;
      if (due) rotateKeys(fernet_keys, max_active_keys);
      identity.keys.reload();
      return { rotated: due };
    },
  });
}
