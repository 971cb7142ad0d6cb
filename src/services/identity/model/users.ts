import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { noSuch } from '../faults.ts';
import { accessUser, insertRevocation } from '../store/access.ts';
import { deleteAssignmentsOfActor } from '../store/grants.ts';
import { findProject } from '../store/projects.ts';
import type { UserRow } from '../store/tables.ts';
import { deleteUser as removeUser, findUser, insertUser, NEW_USER, updateUser as writeUser } from '../store/users.ts';
import { extraOf, mergeOptions, type Fields } from './fields.ts';
import { withFederatedIdentities, writeFederatedIdentities, type FederatedIdentity, type KnownUser } from './federated-identities.ts';
import { assertDomain } from './groups.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { checkPassword } from './login.ts';
import { assertChangeable, assertUnused, keepFormer, passwordFields, today } from './password-rules.ts';
import { hashSecret } from './passwords.ts';
import { unique } from './unique.ts';

export interface UserInput extends Fields {
  name?: string;
  domain_id?: string;
  enabled?: boolean;
  default_project_id?: string | null;
  password?: string | null;
  options?: Fields;
  /** Left out: as it is; none: likewise. */
  federated?: FederatedIdentity[];
}

const KNOWN = ['id', 'name', 'domain_id', 'enabled', 'default_project_id', 'password', 'options', 'links', 'password_expires_at', 'original_password', 'federated'];

export async function createUser(identity: Identity, input: UserInput & { name: string }, domain_id: string): Promise<KnownUser> {
  const options = mergeOptions('{}', input.options);
  const hash = await hashed(identity, input.password);
  const row: UserRow = {
    ...NEW_USER,
    id: hexId(),
    name: input.name,
    domain_id,
    enabled: input.enabled === false ? 0 : 1,
    default_project_id: input.default_project_id ?? null,
    ...(hash === null ? {} : passwordFields(identity, options, hash, false)),
    options,
    extra: extraOf(input, KNOWN),
    created_at: isoMicros(identity.clock.now()),
  };
  await change(identity, async (tx) => {
    await assertDomain(tx, domain_id);
    await assertDefaultProject(tx, row.default_project_id);
    await unique('user', row, () => insertUser(tx, row));
    if (isNamed(input.federated)) await writeFederatedIdentities(tx, row.id, input.federated);
  });
  return await withFederatedIdentities(identity, row);
}

const isNamed = (federated: FederatedIdentity[] | undefined): federated is FederatedIdentity[] => federated !== undefined && federated.length > 0;

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

/**
 * A new password, and being disabled, end the user's tokens; being enabled unlocks.
 * @param self_service the user themselves sets the password
 */
export async function updateUser(identity: Identity, id: string, input: UserInput, self_service = false): Promise<KnownUser> {
  const password_hash = input.password === undefined ? undefined : await hashed(identity, input.password);
  const changed = await change(identity, async (tx, touch) => {
    const row = await findUser(tx, id);
    if (row === undefined) throw noSuch('user', id);
    if (input.domain_id !== undefined && input.domain_id !== row.domain_id) throw badRequest('identity.domain-fixed', 'Cannot change Domain ID');
    const values: Partial<UserRow> = { extra: extraOf(input, KNOWN, row.extra), options: mergeOptions(row.options, input.options) };
    if (input.name !== undefined) values.name = input.name;
    if (input.enabled !== undefined) Object.assign(values, enabling(identity, input.enabled));
    if (input.default_project_id !== undefined) values.default_project_id = input.default_project_id;
    if (password_hash !== undefined) {
      await keepFormer(identity, tx, row);
      Object.assign(values, passwordFields(identity, values.options as string, password_hash, self_service));
    }
    await assertDefaultProject(tx, values.default_project_id ?? null);
    if (password_hash !== undefined || (values.enabled === 0 && row.enabled === 1)) await endTokens(identity, tx, id);
    touch({ user_id: id });
    if (isNamed(input.federated)) await writeFederatedIdentities(tx, id, input.federated);
    return await unique('user', { ...row, ...values }, () => writeUser(tx, id, values));
  });
  return await withFederatedIdentities(identity, changed);
}

function enabling(identity: Identity, enabled: boolean): Partial<UserRow> {
  if (!enabled) return { enabled: 0 };
  return { enabled: 1, failed_logins: 0, failed_login_at: null, ...(identity.config.disable_user_account_days_inactive > 0 ? { last_active_on: today(identity) } : {}) };
}

async function endTokens(identity: Identity, tx: Tx, user_id: string): Promise<void> {
  await insertRevocation(tx, { kind: 'user', value: user_id, revoked_at: identity.clock.now().getTime() });
}

export async function deleteUser(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findUser(tx, id)) === undefined) throw noSuch('user', id);
    await deleteAssignmentsOfActor(tx, 'user', id);
    await removeUser(tx, id);
    await endTokens(identity, tx, id);
    touch({ user_id: id });
  });
}

/**
 * A user changes their own password, one that has ended too: knowing it is all it takes.
 * Faults: 400, 401 for a wrong one or no such user.
 */
export async function changePassword(identity: Identity, id: string, original: string, password: string): Promise<void> {
  await checkPassword(identity, await accessUser(identity.db.read, id), original, true);
  const user = (await findUser(identity.db.read, id)) as UserRow;
  assertRules(identity, password);
  assertChangeable(identity, user);
  await assertUnused(identity, user, password);
  await updateUser(identity, id, { password }, true);
}
