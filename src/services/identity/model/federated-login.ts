/** From what an identity provider said about somebody to a user here: made at the first login, with groups and projects by the mapping. */
import { unauthorized } from '../../../kernel/fault.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { hexId } from '../../../kernel/ids.ts';
import { denied, invalidField, noSuch, notAllowed } from '../faults.ts';
import { accessDomain, accessUser, accessUserByName, type Named } from '../store/access.ts';
import { findFederatedUser, insertFederatedUser, putExpiringMemberships } from '../store/federated-users.ts';
import { findIdentityProvider, findMapping, findProtocol, remoteIdsOf } from '../store/federation.ts';
import { findGroup, findGroupByName } from '../store/groups.ts';
import type { IdentityProviderRow, MappingRow, ProtocolRow, UserRow } from '../store/tables.ts';
import { findUser, findUserByName, insertUser, NEW_USER, updateUser } from '../store/users.ts';
import { assignProjects, prepareProjects } from './federated-projects.ts';
import { change, type Identity, type Touch, type Tx } from './identity.ts';
import { noSuchProtocol } from './identity-providers.ts';
import { isActive } from './password-rules.ts';
import { applyMapping, MappingError, type Assertion, type Mapped, type MappingRule } from './mapping-rules.ts';

export interface FederatedLogin {
  user_id: string;
  /** Undefined for a user of this cloud, whom the provider only named. */
  groups: readonly string[] | undefined;
}

type Reader = Tx | Identity['db']['read'];

export interface Provider { provider: IdentityProviderRow; protocol: ProtocolRow }

/** Faults: 404 for an unknown provider or protocol, 403 for a disabled one. */
export async function usableProvider(identity: Identity, idp_id: string, protocol_id: string): Promise<Provider> {
  const db = identity.db.read;
  const provider = await findIdentityProvider(db, idp_id);
  if (provider === undefined) throw noSuch('identity provider', idp_id);
  if (provider.enabled === 0) throw notAllowed('identity-provider-disabled', `Identity Provider ${idp_id} is disabled`);
  const protocol = await findProtocol(db, idp_id, protocol_id);
  if (protocol === undefined) throw noSuchProtocol(idp_id, protocol_id);
  return { provider, protocol };
}

/** @throws Fault 401 when the mapping leads to nobody, 403 when the assertion is of somebody else than the provider is known as. */
export async function loginByAssertion(identity: Identity, { provider, protocol }: Provider, assertion: Assertion): Promise<FederatedLogin> {
  await assertRemoteId(identity, provider, protocol, assertion);
  const mapping = await findMapping(identity.db.read, protocol.mapping_id);
  if (mapping === undefined) throw noSuch('mapping', protocol.mapping_id);
  const mapped = mappedBy(identity, mapping, assertion);
  return mapped.user.type === 'local' ? await localUser(identity, mapped) : await shadowUser(identity, provider, protocol, mapped, mapping.schema_version);
}

async function assertRemoteId(identity: Identity, provider: IdentityProviderRow, protocol: ProtocolRow, assertion: Assertion): Promise<void> {
  const known = (await remoteIdsOf(identity.db.read, [provider.id])).get(provider.id) ?? [];
  if (known.length === 0) return;
  const [remote_id] = assertion[protocol.remote_id_attribute ?? REMOTE_ID] ?? [];
  if (remote_id === undefined) throw invalidField(protocol.remote_id_attribute ?? REMOTE_ID, 'Could not find Identity Provider identifier in environment');
  if (!known.includes(remote_id)) throw notAllowed('identity-provider-unknown', 'Incoming identity provider identifier not included among the accepted identifiers.');
}

/** Where an assertion says who made it, unless the protocol knows better. */
const REMOTE_ID = 'HTTP_OIDC_ISS';

function mappedBy(identity: Identity, mapping: MappingRow, assertion: Assertion): Mapped {
  try {
    return applyMapping(JSON.parse(mapping.rules) as MappingRule[], assertion, mapping.schema_version);
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    identity.log.warn({ mapping: mapping.id, reason: error.message }, 'a federated login was refused by its mapping');
    throw unauthorized('auth.required', 'Could not map any federated user properties to identity values. Check debug logs or the mapping used for additional details.');
  }
}

async function localUser(identity: Identity, { user }: Mapped): Promise<FederatedLogin> {
  const db = identity.db.read;
  const domain = user.domain?.id ?? user.domain?.name;
  const found = user.id !== undefined
    ? await accessUser(db, user.id)
    : await (user.name === undefined || domain === undefined ? undefined : accessUserByName(db, user.name, named(user.domain)));
  if (found === undefined || found.domain_enabled === 0 || !isActive(identity, found)) throw denied();
  return { user_id: found.id, groups: undefined };
}

function named(domain: { id?: string; name?: string } | undefined): Named {
  return domain?.id === undefined ? { name: domain?.name ?? '' } : { id: domain.id };
}

async function shadowUser(identity: Identity, provider: IdentityProviderRow, protocol: ProtocolRow, mapped: Mapped, version: string): Promise<FederatedLogin> {
  const name = mapped.user.name ?? mapped.user.id;
  if (name === undefined || name === '') throw denied();
  return await change(identity, async (tx, touch) => {
    const domain_id = await domainOf(tx, mapped.user.domain, provider.domain_id);
    const groups = await groupsOfMapping(identity, tx, mapped);
    const prepared = await prepareProjects(tx, provider, domain_id, mapped.projects);
    const unique = { identity_provider_id: provider.id, protocol_id: protocol.id, unique_id: quoted(mapped.user.id ?? name) };
    const created_at = isoMicros(identity.clock.now());
    const user_id = await ensureUser(tx, unique, { name: name.slice(0, 255), domain_id, email: mapped.user.email, created_at }, touch);
    await assignProjects(tx, user_id, prepared, version === '3.0', touch);
    const minutes = provider.authorization_ttl ?? identity.config.authorization_ttl;
    if (minutes > 0) {
      const expires_at = isoMicros(new Date(identity.clock.now().getTime() + minutes * 60_000));
      await putExpiringMemberships(tx, groups.map((group_id) => ({ user_id, group_id, identity_provider_id: provider.id, expires_at })));
      touch({ user_id });
    }
    return { user_id, groups };
  });
}

/** As keystone writes it, so that an administrator can name a user before their first login. */
function quoted(id: string): string {
  return encodeURIComponent(id).replaceAll('%2F', '/').replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

async function domainOf(db: Reader, domain: { id?: string; name?: string } | undefined, otherwise: string): Promise<string> {
  if (domain?.id === undefined && domain?.name === undefined) return otherwise;
  const found = await accessDomain(db, named(domain));
  if (found === undefined) throw noSuch('domain', domain.id ?? domain.name ?? '');
  return found.id;
}

/** Groups by name that are not here are passed over, as in keystone; ids that are not are a mistake of the mapping. */
async function groupsOfMapping(identity: Identity, tx: Tx, { group_ids, group_names }: Mapped): Promise<string[]> {
  const found = new Set<string>();
  for (const id of group_ids) {
    if ((await findGroup(tx, id)) === undefined) {
      identity.log.warn({ group: id }, 'a mapping names a group that is not there');
      throw denied();
    }
    found.add(id);
  }
  for (const { name, domain } of group_names) {
    const place = await accessDomain(tx, named(domain));
    const group = place === undefined ? undefined : await findGroupByName(tx, place.id, name);
    if (group !== undefined) found.add(group.id);
  }
  return [...found];
}

type Unique = Parameters<typeof findFederatedUser>[1];

/** The user of earlier logins, or a new one; what the provider says about their name and address is taken over. */
async function ensureUser(tx: Tx, unique: Unique, said: { name: string; domain_id: string; email: string | undefined; created_at: string }, touch: Touch): Promise<string> {
  const known = await findFederatedUser(tx, unique);
  const row = known === undefined ? undefined : await findUser(tx, known);
  const extra = JSON.stringify({ ...(row === undefined ? {} : JSON.parse(row.extra) as object), ...(said.email === undefined ? {} : { email: said.email }) });
  if (row !== undefined) {
    if (row.enabled === 0) throw denied();
    const name = row.name === said.name || (await findUserByName(tx, row.domain_id, said.name)) !== undefined ? row.name : said.name;
    if (name !== row.name || extra !== row.extra) {
      await updateUser(tx, row.id, { name, extra });
      touch({ user_id: row.id });
    }
    return row.id;
  }
  const id = hexId();
  const taken = (await findUserByName(tx, said.domain_id, said.name)) !== undefined;
  const name = taken ? `${said.name.slice(0, 222)}-${id}` : said.name;
  const made: UserRow = { ...NEW_USER, id, name, domain_id: said.domain_id, extra, created_at: said.created_at };
  await insertUser(tx, made);
  await insertFederatedUser(tx, { ...unique, user_id: id });
  return id;
}
