/** Credentials that a user makes for their programs: some of their roles on one project. */
import { randomBytes } from 'node:crypto';
import type { Auth } from '../../../kernel/context.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { noSuch, notAllowed, taken } from '../faults.ts';
import { withImplied } from '../store/access.ts';
import {
  countApplicationCredentials, deleteAccessRule as removeAccessRule, deleteApplicationCredential as removeCredential, findAccessRule, findApplicationCredential,
  findSameAccessRule, insertAccessRule, insertApplicationCredential, isAccessRuleUsed,
} from '../store/application-credentials.ts';
import { findRoleByName } from '../store/roles.ts';
import type { ApplicationCredentialRow } from '../store/tables.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { hashSecret } from './passwords.ts';
import { parseInstant } from './instants.ts';

export interface ApplicationCredentialInput {
  name: string;
  description?: string | null;
  secret?: string | null;
  expires_at?: string | null;
  unrestricted?: boolean | null;
  roles?: { id?: string; name?: string }[];
  access_rules?: { id?: string; service?: string; path?: string; method?: string }[];
}

/** @returns the secret too: it is shown this once. */
export async function createApplicationCredential(identity: Identity, auth: Auth, input: ApplicationCredentialInput): Promise<{ row: ApplicationCredentialRow; secret: string }> {
  if (auth.project_id === undefined) throw invalid('a project-scoped token is needed to create one');
  const secret = typeof input.secret === 'string' && input.secret !== '' ? input.secret : randomBytes(64).toString('base64url');
  const row: ApplicationCredentialRow = {
    id: hexId(), name: input.name, user_id: auth.user_id, project_id: auth.project_id, description: input.description ?? null,
    secret_hash: await hashSecret(secret, identity.config.password_cost), unrestricted: input.unrestricted === true ? 1 : 0,
    expires_at: typeof input.expires_at === 'string' ? parseInstant('expires_at', input.expires_at, identity.clock) : null, ruled: (input.access_rules ?? []).length > 0 ? 1 : 0,
  };
  await change(identity, async (tx) => {
    const { max_application_credentials: limit } = identity.config;
    if ((await countApplicationCredentials(tx, auth.user_id)) >= limit) {
      throw notAllowed('application-credential-limit', `Unable to create additional application credentials, maximum of ${limit} already exceeded for user.`);
    }
    const roles = await delegatedRoles(tx, auth, input.roles);
    const rules: string[] = [];
    for (const rule of input.access_rules ?? []) rules.push(await ensureAccessRule(tx, auth.user_id, rule));
    try {
      await insertApplicationCredential(tx, row, roles, [...new Set(rules)]);
    } catch (error) {
      if (isUniqueViolation(error)) throw taken('application credential', `Duplicate entry found with name ${row.name}`);
      throw error;
    }
  });
  return { row, secret };
}

function invalid(detail: string): Fault {
  return badRequest('identity.application-credential-invalid', `Invalid application credential: ${detail}`);
}

/** Those of the token, or of these the named ones and what they imply. */
async function delegatedRoles(tx: Tx, auth: Auth, asked: ApplicationCredentialInput['roles']): Promise<readonly string[]> {
  if (asked === undefined || asked.length === 0) return auth.role_ids;
  const named: string[] = [];
  for (const role of asked) {
    const id = role.id ?? (role.name === undefined ? undefined : (await findRoleByName(tx, '', role.name))?.id);
    if (id === undefined || !auth.role_ids.includes(id)) throw invalid('Cannot create an application credential with unassigned role');
    named.push(id);
  }
  return (await withImplied(tx, named)).filter((role) => role.domain_id === '').map((role) => role.id);
}

async function ensureAccessRule(tx: Tx, user_id: string, { id, service, path, method }: NonNullable<ApplicationCredentialInput['access_rules']>[number]): Promise<string> {
  if (id !== undefined) {
    if ((await findAccessRule(tx, user_id, id)) === undefined) throw noSuch('access rule', id);
    return id;
  }
  if (service === undefined || path === undefined || method === undefined) throw invalid('an access rule has a service, a path and a method, or the id of an older one');
  const same = await findSameAccessRule(tx, { user_id, service, path, method });
  if (same !== undefined) return same.id;
  const made = hexId();
  await insertAccessRule(tx, { id: made, user_id, service, path, method });
  return made;
}

export async function deleteApplicationCredential(identity: Identity, user_id: string, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    const row = await findApplicationCredential(tx, id);
    if (row === undefined || row.user_id !== user_id) throw noSuch('application credential', id);
    await removeCredential(tx, id);
    touch({ user_id });
  });
}

export async function deleteAccessRule(identity: Identity, user_id: string, id: string): Promise<void> {
  await change(identity, async (tx) => {
    if ((await findAccessRule(tx, user_id, id)) === undefined) throw noSuch('access rule', id);
    if (await isAccessRuleUsed(tx, id)) throw notAllowed('access-rule-in-use', `Access rule ${id} is in use by an application credential and can't be deleted.`);
    await removeAccessRule(tx, id);
  });
}
