import { denied } from '../faults.ts';
import type { AccessUser } from '../store/access.ts';
import { credentialsOfUser, usePasscode } from '../store/credentials.ts';
import type { Identity } from './identity.ts';
import { unseal } from './secrets.ts';
import { decodeBase32, stepOf } from './totp.ts';

/** Whether the passcode is one of the user's TOTP credentials, now and for the first time. @throws Fault 401 without any reason */
export async function checkPasscode(identity: Identity, user: AccessUser | undefined, code: string): Promise<void> {
  const guarded = `passcode of ${user?.id}`;
  if (user === undefined || !identity.guard.mayTry(guarded)) throw denied();
  for (const { id, blob } of await credentialsOfUser(identity.db.read, user.id, 'totp')) {
    const secret = decodeBase32(unseal(identity, blob, `credential ${id}`));
    const step = secret === undefined ? undefined : stepOf(secret, code, identity.clock.now(), identity.config.totp_previous_windows);
    if (step === undefined || !(await identity.db.transaction((tx) => usePasscode(tx, id, step)))) continue;
    identity.guard.passed(guarded);
    return;
  }
  identity.guard.failed(guarded);
  throw denied();
}
