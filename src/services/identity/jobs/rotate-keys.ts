import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { Identity } from '../model/identity.ts';
import { isRotationDue, rotate } from '../model/key-rotation.ts';

/** Rotates the keys when their time has come, and reads those that somebody else rotated. */
export function rotateKeysOnTime(identity: Identity): Job {
  return defineJob({
    name: 'identity.rotate-keys',
    every_seconds: 60,
    async run() {
      const { fernet_keys, max_active_keys, rotate_keys_every } = identity.config;
      const due = isRotationDue(identity, fernet_keys, rotate_keys_every);
      if (due) rotate(fernet_keys, max_active_keys);
      identity.keys.reload();
      return { rotated: due };
    },
  });
}
