import { badRequest, unauthorized } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { invalidField, noSuch, notAllowed } from '../faults.ts';
import { insertRevocation } from '../store/access.ts';
import { deleteAssignmentsOfActor } from '../store/grants.ts';
import { findProject } from '../store/projects.ts';
import type { UserRow } from '../store/tables.ts';
import { deleteUser as removeUser, findUser, insertUser, updateUser as writeUser } from '../store/users.ts';
import { extraOf, mergeOptions, parseFields, type Fields } from './fields.ts';
import { assertDomain } from './groups.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { hashSecret, verifySecret } from './passwords.ts';
import { unique } from './unique.ts';

export interface UserInput extends Fields {
  name?: string;
  domain_id?: string;
  enabled?: boolean;
  default_project_id?: string | null;
  password?: string | null;
  options?: Fields;
}

const KNOWN = ['id', 'name', 'domain_id', 'enabled', 'default_project_id', 'password', 'options', 'links', 'password_expires_at', 'original_password'];

export async function createUser(identity: Identity, input: UserInput & { name: string }, domain_id: string): Promise<UserRow> {
  const row: UserRow = {
    id: hexId(),
    name: input.name,
    domain_id,
    enabled: input.enabled === false ? 0 : 1,
    default_project_id: input.default_project_id ?? null,
    password_hash: await hashed(identity, input.password),
    options: mergeOptions('{}', input.options),
    extra: extraOf(input, KNOWN),
  };
  return await change(identity, async (tx) => {
    await assertDomain(tx, domain_id);
    await assertDefaultProject(tx, row.default_project_id);
    return await unique('user', row, () => insertUser(tx, row));
  });
}

async function hashed(identity: Identity, password: string | null | undefined): Promise<string | null> {
  if (typeof password === 'string') assertRules(identity, password);
  return typeof password === 'string' ? await hashSecret(password, identity.config.password_cost) : null;
}

/** Faults: 400 unless it is what the configuration demands of passwords. */
function assertRules(identity: Identity, password: string): void {
  if (identity.password_pattern?.test(password) !== false) return;
  const { password_regex, password_regex_description } = identity.config;
  throw badRequest('identity.password-rules', `The password does not match the requirements: ${password_regex_description || password_regex}.`);
}

/** It need not exist, but must not be a domain. */
async function assertDefaultProject(tx: Tx, id: string | null): Promise<void> {
  const project = id === null ? undefined : await findProject(tx, id);
  if (project?.is_domain === 1) throw badRequest('identity.default-project-is-domain', "User's default project ID cannot be a domain ID: " + id);
}

/** A new password, and being disabled, end the user's tokens. */
export async function updateUser(identity: Identity, id: string, input: UserInput): Promise<UserRow> {
  const password_hash = input.password === undefined ? undefined : await hashed(identity, input.password);
  return await change(identity, async (tx, touch) => {
    const row = await findUser(tx, id);
    if (row === undefined) throw noSuch('user', id);
    if (input.domain_id !== undefined && input.domain_id !== row.domain_id) throw badRequest('identity.domain-fixed', 'Cannot change Domain ID');
    const values: Partial<UserRow> = { extra: extraOf(input, KNOWN, row.extra), options: mergeOptions(row.options, input.options) };
    if (input.name !== undefined) values.name = input.name;
    if (input.enabled !== undefined) values.enabled = input.enabled ? 1 : 0;
    if (input.default_project_id !== undefined) values.default_project_id = input.default_project_id;
    if (password_hash !== undefined) values.password_hash = password_hash;
    await assertDefaultProject(tx, values.default_project_id ?? null);
    if (password_hash !== undefined || (values.enabled === 0 && row.enabled === 1)) await endTokens(identity, tx, id);
    touch({ user_id: id });
    return await unique('user', { ...row, ...values }, () => writeUser(tx, id, values));
  });
}

async function endTokens(identity: Identity, tx: Tx, user_id: string): Promise<void> {
  await insertRevocation(tx, { kind: 'user', value: user_id, revoked_at: identity.clock.now().getTime() });
}

export async function deleteUser(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findUser(tx, id)) === undefined) throw noSuch('user', id);
    await deleteAssignmentsOfActor(tx, 'user', id);
    await removeUser(tx, id);
    touch({ user_id: id });
  });
}

/** A user changes their own password: knowing the old one is all it takes. Faults: 400, 401 for a wrong one or no such user. */
export async function changePassword(identity: Identity, id: string, original: string, password: string): Promise<void> {
  const user = await findUser(identity.db.read, id);
  const waits = user !== undefined && !identity.guard.mayTry(id);
  const right = await verifySecret(original, waits ? undefined : user?.password_hash, identity.config.password_cost);
  if (user === undefined || user.enabled === 0 || !right) {
    if (user !== undefined && !waits) identity.guard.failed(id);
    throw unauthorized('auth.required', 'The request you have made requires authentication.');
  }
  identity.guard.passed(id);
  if (parseFields(user.options)['lock_password'] === true) {
    throw notAllowed('password-locked', 'You cannot change your password at this time due to password policy disallowing password changes. Please contact your administrator to reset your password.');
  }
  if (password === original) throw invalidField('password', 'the new password is the same as the old one');
  await updateUser(identity, id, { password });
}
