import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { Identity } from '../model/identity.ts';
import { rotateCredentialKeys } from '../model/key-rotation.ts';

/** Rotates the keys of secrets when their time has come, and encrypts with the newest what an older one still holds. */
export function rotateCredentialKeysOnTime(identity: Identity): Job {
  return defineJob({
    name: 'identity.rotate-credential-keys',
    every_seconds: 60,
    async run({ log }) {
      const result = await rotateCredentialKeys(identity);
      if (result.unreadable > 0) log.error({ count: result.unreadable }, 'secrets were encrypted with keys that are not here; no key is rotated until they are back or the secrets are gone');
      return result;
    },
  });
}
