/** What an operator may demand of passwords and of those who have them; all of it is off unless configured. */
import { badRequest } from '../../../kernel/fault.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import type { UserRow } from '../store/tables.ts';
import { insertFormerPassword, listFormerPasswords, trimFormerPasswords } from '../store/password-history.ts';
import { parseFields } from './fields.ts';
import type { Identity, Tx } from './identity.ts';
import { verifySecret } from './passwords.ts';

const DAY = 86_400_000;

type PasswordFields = Pick<UserRow, 'password_hash' | 'password_created_at' | 'password_expires_at' | 'password_self_service'>;

const option = (options: string, name: string): boolean => parseFields(options)[name] === true;

/** The columns of a new password. @param self_service chosen by the user, so that it need not be changed at once */
export function passwordFields(identity: Identity, options: string, password_hash: string | null, self_service: boolean): PasswordFields {
  const now = identity.clock.now().getTime();
  const { password_expires_days: days, change_password_upon_first_use } = identity.config;
  const once = change_password_upon_first_use && !self_service && !option(options, 'ignore_change_password_upon_first_use');
  // Whole seconds, as keystone keeps it.
  const end = days === 0 || option(options, 'ignore_password_expiry') ? null : isoMicros(new Date(Math.floor((now + days * DAY) / 1000) * 1000));
  return {
    password_hash,
    password_created_at: isoMicros(new Date(now)),
    password_expires_at: password_hash === null ? null : once ? isoMicros(new Date(now)) : end,
    password_self_service: self_service ? 1 : 0,
  };
}

export function isPasswordExpired(identity: Identity, user: Pick<UserRow, 'password_expires_at' | 'options'>): boolean {
  if (user.password_expires_at === null || option(user.options, 'ignore_password_expiry')) return false;
  return Date.parse(user.password_expires_at) <= identity.clock.now().getTime();
}

/** Faults: 400 for one that the user had lately. */
export async function assertUnused(identity: Identity, user: UserRow, password: string): Promise<void> {
  const count = identity.config.unique_last_password_count;
  if (count === 0) return;
  const former = await listFormerPasswords(identity.db.read, user.id, count - 1);
  for (const hash of [user.password_hash, ...former]) {
    if (!(await verifySecret(password, hash, identity.config.password_cost))) continue;
    throw badRequest('identity.password-used', `The new password cannot be identical to a previous password. The total number which includes the new password must be unique is ${count}.`);
  }
}

/** Faults: 400 for a user who may not change it, or not yet. */
export function assertChangeable(identity: Identity, user: UserRow): void {
  if (option(user.options, 'lock_password')) {
    throw badRequest('identity.password-locked', 'You cannot change your password at this time due to password policy disallowing password changes. Please contact your administrator to reset your password.');
  }
  const days = identity.config.minimum_password_age;
  if (days === 0 || user.password_self_service === 0 || user.password_created_at === null) return;
  const left = Date.parse(user.password_created_at) + days * DAY - identity.clock.now().getTime();
  if (left <= 0) return;
  throw badRequest(
    'identity.password-too-young',
    `You cannot change your password at this time due to the minimum password age. Once you change your password, it must be used for ${days} day(s) before it can be changed. Please try again in ${Math.floor(left / DAY)} day(s) or contact your administrator to reset your password.`,
  );
}

/** Remembers the password that is about to go, as many as are asked about. */
export async function keepFormer(identity: Identity, tx: Tx, user: UserRow): Promise<void> {
  const keep = Math.max(identity.config.unique_last_password_count - 1, 0);
  if (keep > 0 && user.password_hash !== null) {
    await insertFormerPassword(tx, { user_id: user.id, created_at: user.password_created_at ?? '', password_hash: user.password_hash });
  }
  await trimFormerPasswords(tx, user.id, keep);
}

type Activity = Pick<UserRow, 'enabled' | 'options' | 'created_at' | 'last_active_on'>;

/** Enabled, and not away for too long. */
export function isActive(identity: Identity, user: Activity): boolean {
  const days = identity.config.disable_user_account_days_inactive;
  const since = user.last_active_on ?? user.created_at?.slice(0, 10);
  if (user.enabled === 0) return false;
  if (days === 0 || since === undefined || option(user.options, 'ignore_user_inactivity')) return true;
  return Math.floor((Date.parse(today(identity)) - Date.parse(since)) / DAY) < days;
}

export function today(identity: Identity): string {
  return isoMicros(identity.clock.now()).slice(0, 10);
}
