/** What a token means now: who bears it, where, and with which roles. */
import { isoMicros, isoMicrosNoZone } from '../../../kernel/clock.ts';
import type { Auth } from '../../../kernel/context.ts';
import { findIdentityProvider } from '../store/federation.ts';
import {
  accessDomain, accessProject, accessUser, effectiveRoles, isRevoked, nextMembershipEnd, withImplied,
  type AccessDomain, type AccessProject, type AccessRole, type AccessUser,
} from '../store/access.ts';
import { findApplicationCredential, rolesOfApplicationCredentials, rulesOfApplicationCredentials } from '../store/application-credentials.ts';
import type { AccessRuleRow, AccessTokenRow, ApplicationCredentialRow, TrustRow } from '../store/tables.ts';
import { findTrust, rolesOfTrust } from '../store/trusts.ts';
import { bearerOf } from './bearer.ts';
import type { Identity } from './identity.ts';
import { accessTokenOf, authorizedRoles } from './oauth1-login.ts';
import { isActive } from './password-rules.ts';
import type { TokenPayload } from './token-payload.ts';
import type { ValidToken } from './tokens.ts';

/** Undefined for a token whose user, project, domain, trust or credential may no longer act. */
export async function lookUp(identity: Identity, id: string, payload: TokenPayload): Promise<ValidToken | undefined> {
  const place = await placeOf(identity, payload);
  const user = await usableUser(identity, payload.user_id);
  if (user === undefined || place === undefined || !(await isProviderUsable(identity, payload))) return undefined;
  const trusted = payload.trust_id === undefined ? undefined : await trustOf(identity, payload);
  if (payload.trust_id !== undefined && trusted === undefined) return undefined;
  const granted = await rolesOf(identity, payload, trusted?.trust);
  if (granted === undefined || (payload.scope.kind !== 'unscoped' && granted.roles.length === 0)) return undefined;
  const facts: Facts = { ...place, ...granted, user: trusted?.trust.impersonation === 1 ? trusted.trustor : user, trust: trusted?.trust };
  return {
    payload,
    auth: makeAuth(id, payload, facts),
    body: makeBody(payload, facts),
    access_rules: granted.access_rules,
    restricted: granted.application_credential?.unrestricted === 0,
    until: await nextMembershipEnd(identity.db.read, bearerOf(identity, payload.user_id)),
  };
}

interface Place {
  project: AccessProject | undefined;
  domain: AccessDomain | undefined;
}

interface Granted {
  roles: AccessRole[];
  application_credential: ApplicationCredentialRow | undefined;
  access_rules: AccessRuleRow[] | undefined;
  access_token?: AccessTokenRow;
}

interface Facts extends Place, Granted {
  user: AccessUser;
  trust: TrustRow | undefined;
}

async function placeOf(identity: Identity, { scope }: TokenPayload): Promise<Place | undefined> {
  const db = identity.db.read;
  if (scope.kind === 'project') {
    const project = await accessProject(db, scope.id);
    return project === undefined || project.enabled === 0 || project.domain_enabled === 0 ? undefined : { project, domain: undefined };
  }
  if (scope.kind !== 'domain') return { project: undefined, domain: undefined };
  const domain = await accessDomain(db, { id: scope.id });
  return domain === undefined || domain.enabled === 0 ? undefined : { project: undefined, domain };
}

async function usableUser(identity: Identity, id: string): Promise<AccessUser | undefined> {
  const user = await accessUser(identity.db.read, id);
  return user === undefined || user.domain_enabled === 0 || !isActive(identity, user) ? undefined : user;
}

/** A provider that was disabled or removed vouches for nobody any more. */
async function isProviderUsable(identity: Identity, { identity_provider_id }: TokenPayload): Promise<boolean> {
  return identity_provider_id === undefined || (await findIdentityProvider(identity.db.read, identity_provider_id))?.enabled === 1;
}

/** Every trust of the chain has to stand, and so has each user in it. */
async function trustOf(identity: Identity, payload: TokenPayload): Promise<{ trust: TrustRow; trustor: AccessUser } | undefined> {
  const db = identity.db.read;
  const trust = await findTrust(db, payload.trust_id as string);
  if (trust === undefined || trust.trustee_user_id !== payload.user_id) return undefined;
  for (let link: TrustRow | undefined = trust; ; link = await findTrust(db, link.redelegated_trust_id)) {
    if (link === undefined || (link.expires_at !== null && link.expires_at <= isoMicros(identity.clock.now()))) return undefined;
    if ((await usableUser(identity, link.trustor_user_id)) === undefined) return undefined;
    if (await isRevoked(db, [{ kind: 'user', value: link.trustor_user_id }], payload.issued_at)) return undefined;
    if (link.redelegated_trust_id === null) break;
  }
  const trustor = await usableUser(identity, trust.trustor_user_id);
  return trustor === undefined ? undefined : { trust, trustor };
}

async function rolesOf(identity: Identity, payload: TokenPayload, trust: TrustRow | undefined): Promise<Granted | undefined> {
  const { scope } = payload;
  const none = { application_credential: undefined, access_rules: undefined };
  if (scope.kind === 'unscoped') return { roles: [], ...none };
  const db = identity.db.read;
  if (trust !== undefined) {
    const roles = await trustedRoles(identity, trust);
    return roles === undefined ? undefined : { roles, ...none };
  }
  const own = (await effectiveRoles(db, bearerOf(identity, payload.user_id, payload.group_ids), scope)).filter((role) => role.domain_id === '');
  if (payload.access_token_id !== undefined) {
    const access_token = await accessTokenOf(identity, payload);
    return access_token === undefined ? undefined : { roles: await authorizedRoles(identity, access_token, own), ...none, access_token };
  }
  if (payload.application_credential_id === undefined) return { roles: own, ...none };
  const credential = await findApplicationCredential(db, payload.application_credential_id);
  if (credential === undefined || scope.kind !== 'project' || credential.project_id !== scope.id) return undefined;
  const delegated = new Set((await rolesOfApplicationCredentials(db, [credential.id])).map((role) => role.id));
  const access_rules = credential.ruled === 0 ? undefined : await rulesOfApplicationCredentials(db, [credential.id]);
  return { roles: own.filter((role) => delegated.has(role.id)), application_credential: credential, access_rules };
}

/** Those of the trust, as long as the first trustor has them all. */
async function trustedRoles(identity: Identity, trust: TrustRow): Promise<AccessRole[] | undefined> {
  const db = identity.db.read;
  let first = trust;
  while (first.redelegated_trust_id !== null) {
    const above = await findTrust(db, first.redelegated_trust_id);
    if (above === undefined) return undefined;
    first = above;
  }
  const has = new Set((await effectiveRoles(db, bearerOf(identity, first.trustor_user_id), { kind: 'project', id: trust.project_id })).map((role) => role.id));
  const delegated = await withImplied(db, (await rolesOfTrust(db, trust.id)).map((role) => role.id));
  return delegated.every((role) => has.has(role.id)) ? delegated.filter((role) => role.domain_id === '') : undefined;
}

function makeAuth(id: string, payload: TokenPayload, { user, project, domain, roles, access_rules }: Facts): Auth {
  return {
    token: id,
    user_id: user.id,
    user_name: user.name,
    user_domain_id: user.domain_id,
    user_domain_name: user.domain_name,
    project_id: project?.id,
    project_name: project?.name,
    project_domain_id: project?.domain_id,
    domain_id: domain?.id,
    domain_name: domain?.name,
    system_scope: payload.scope.kind === 'system' ? 'all' : undefined,
    roles: roles.map((role) => role.name.toLowerCase()),
    role_ids: roles.map((role) => role.id),
    is_admin_project: true,
    expires_at: instant(payload.expires_at),
    application_credential_id: payload.application_credential_id,
    trust_id: payload.trust_id,
    access_token_id: payload.access_token_id,
    ...(access_rules === undefined ? {} : { access_rules }),
  };
}

function instant(seconds: number): string {
  return isoMicros(new Date(Math.floor(seconds) * 1000));
}

function makeBody(payload: TokenPayload, facts: Facts): Record<string, unknown> {
  const { user, project, domain, trust, application_credential: credential, access_rules, access_token } = facts;
  const body: Record<string, unknown> = {
    methods: payload.methods.map((method) => (method === 'mapped' ? payload.protocol_id ?? method : method)),
    user: { domain: { id: user.domain_id, name: user.domain_name }, id: user.id, name: user.name, ...federationOf(payload, user) },
    audit_ids: payload.audit_ids,
    expires_at: instant(payload.expires_at),
    issued_at: instant(payload.issued_at / 1000),
  };
  if (domain !== undefined) body['domain'] = { id: domain.id, name: domain.name };
  if (payload.scope.kind === 'system') body['system'] = { all: true };
  if (project !== undefined) {
    body['project'] = { domain: { id: project.domain_id, name: project.domain_name }, id: project.id, name: project.name };
    body['is_domain'] = false;
  }
  if (payload.scope.kind !== 'unscoped') body['roles'] = facts.roles.map(({ id, name }) => ({ id, name }));
  if (trust !== undefined) {
    const { id, impersonation, trustor_user_id, trustee_user_id } = trust;
    body['OS-TRUST:trust'] = { id, impersonation: impersonation === 1, trustor_user: { id: trustor_user_id }, trustee_user: { id: trustee_user_id } };
  }
  if (access_token !== undefined) body['OS-OAUTH1'] = { access_token_id: access_token.id, consumer_id: access_token.consumer_id };
  if (credential !== undefined) {
    body['application_credential'] = {
      id: credential.id,
      name: credential.name,
      restricted: credential.unrestricted === 0,
      ...(access_rules === undefined
        ? {}
        : { access_rules: access_rules.map(({ id, service, path, method }) => ({ id, service, path, method })) }),
    };
  }
  return body;
}

/** Who vouched for the user; else when their password ends. */
function federationOf({ identity_provider_id, protocol_id, group_ids = [] }: TokenPayload, { password_expires_at: end }: AccessUser): Record<string, unknown> {
  if (identity_provider_id === undefined) return { password_expires_at: end === null ? null : isoMicrosNoZone(end) };
  return { 'OS-FEDERATION': { groups: group_ids.map((id) => ({ id })), identity_provider: { id: identity_provider_id }, protocol: { id: protocol_id } } };
}
