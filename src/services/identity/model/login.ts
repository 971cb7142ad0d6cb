/** One try to log in with a password: slowed down, counted, locked out. */
import { unauthorized } from '../../../kernel/fault.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { denied } from '../faults.ts';
import { accessUser, type AccessUser } from '../store/access.ts';
import { countFailedLogin, updateUser } from '../store/users.ts';
import { parseFields } from './fields.ts';
import type { Identity } from './identity.ts';
import { isActive, isPasswordExpired, today } from './password-rules.ts';
import { verifySecret } from './passwords.ts';

type Candidate = Pick<AccessUser, 'id' | 'enabled' | 'options' | 'password_hash' | 'password_expires_at' | 'created_at' | 'last_active_on' | 'failed_logins' | 'failed_login_at'>;

/**
 * Whether the user may act by this password, at the same cost for one who does not exist.
 * @param expired let one in whose password has ended: to change it.
 * @throws Fault 401: without any reason unless the password was right.
 */
export async function checkPassword(identity: Identity, user: Candidate | undefined, password: string, expired = false): Promise<void> {
  const locked = user !== undefined && (isLocked(identity, user) || !identity.guard.mayTry(user.id));
  const right = await verifySecret(password, locked ? undefined : user?.password_hash, identity.config.password_cost);
  if (user === undefined || locked) throw denied();
  if (!right) {
    identity.guard.failed(user.id);
    if (countsFailures(identity, user)) await countFailure(identity, user);
    throw denied();
  }
  // Guesses sent all at once would else be checked before the first of them was counted.
  if (countsFailures(identity, user) && isLocked(identity, (await accessUser(identity.db.read, user.id)) ?? user)) throw denied();
  identity.guard.passed(user.id);
  if (!isActive(identity, user)) throw denied();
  if (!expired && isPasswordExpired(identity, user)) throw unauthorized('identity.password-expired', `The password is expired and needs to be changed for user: ${user.id}.`);
  await noteLogin(identity, user);
}

function countsFailures(identity: Identity, user: Candidate): boolean {
  return identity.config.lockout_failure_attempts > 0 && parseFields(user.options)['ignore_lockout_failure_attempts'] !== true;
}

function isLocked(identity: Identity, user: Candidate): boolean {
  const { lockout_failure_attempts: attempts, lockout_duration: seconds } = identity.config;
  if (!countsFailures(identity, user) || user.failed_logins < attempts) return false;
  return seconds === 0 || Date.parse(user.failed_login_at ?? '') + seconds * 1000 > identity.clock.now().getTime();
}

/** From one again when an earlier lock has run out. */
async function countFailure(identity: Identity, user: Candidate): Promise<void> {
  const again = user.failed_logins >= identity.config.lockout_failure_attempts;
  await identity.db.transaction((tx) => countFailedLogin(tx, user.id, again, isoMicros(identity.clock.now())));
}

/** Forgets earlier failures, and where absence counts, that the user was here. */
export async function noteLogin(identity: Identity, user: Pick<AccessUser, 'id' | 'failed_logins' | 'last_active_on'>): Promise<void> {
  const here = identity.config.disable_user_account_days_inactive > 0 && user.last_active_on !== today(identity);
  if (user.failed_logins === 0 && !here) return;
  await identity.db.transaction((tx) => updateUser(tx, user.id, { failed_logins: 0, failed_login_at: null, ...(here ? { last_active_on: today(identity) } : {}) }));
}
