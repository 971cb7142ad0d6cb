/** Tokens: made, found valid, revoked. They are not stored: all they say is in them, the rest is looked up (and cached). */
import { randomBytes } from 'node:crypto';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Auth } from '../../../kernel/context.ts';
import {
  accessDomain, accessProject, accessUser, effectiveRoles, insertRevocation, isRevoked,
  type AccessDomain, type AccessProject, type AccessRole, type AccessUser, type RevocationKey,
} from '../store/access.ts';
import { findApplicationCredential, rolesOfApplicationCredentials, rulesOfApplicationCredentials } from '../store/application-credentials.ts';
import { currentGeneration } from '../store/state.ts';
import type { AccessRuleRow, ApplicationCredentialRow } from '../store/tables.ts';
import { change, type Identity } from './identity.ts';
import { packToken, unpackToken, type TokenPayload } from './token-payload.ts';

export interface ValidToken {
  readonly payload: TokenPayload;
  readonly auth: Auth;
  /** The `token` object of a reply, without its catalog. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Undefined: the token may do all that its roles allow. */
  readonly access_rules: readonly AccessRuleRow[] | undefined;
  /** May not make or delete application credentials and trusts. */
  readonly restricted: boolean;
}

/** 16 random bytes as 22 characters. */
export function auditId(): string {
  return randomBytes(16).toString('base64url');
}

/** Makes a token of what it shall say; undefined when its user may not have it. */
export async function issueToken(identity: Identity, asked: Omit<TokenPayload, 'issued_at'>): Promise<{ id: string; token: ValidToken } | undefined> {
  const epoch = identity.tokens.epoch;
  const issued_at = identity.clock.now().getTime();
  const payload: TokenPayload = { ...asked, issued_at };
  const id = identity.keys.encrypt(packToken(payload), Math.floor(issued_at / 1000));
  const token = await lookUp(identity, id, payload);
  if (token !== undefined) identity.tokens.keep(id, token, epoch);
  return token === undefined ? undefined : { id, token };
}

/**
 * @param window seconds for which an expired token still counts.
 * @returns undefined for what is unknown, expired, revoked, or of a user, project or domain that may no longer act.
 */
export async function validateToken(identity: Identity, id: string, window = 0): Promise<ValidToken | undefined> {
  const now = identity.clock.now().getTime();
  if (await identity.tokens.catchUp(now, () => currentGeneration(identity.db.read))) identity.catalog.forget();
  const cached = identity.tokens.get(id);
  if (cached !== undefined) return isExpired(cached.payload, now, window) ? undefined : cached;
  const epoch = identity.tokens.epoch;
  const bytes = identity.keys.decrypt(id);
  const payload = bytes === undefined ? undefined : unpackToken(bytes);
  if (payload === undefined || isExpired(payload, now, window)) return undefined;
  if (await isRevoked(identity.db.read, revocationKeys(payload), payload.issued_at)) return undefined;
  const token = await lookUp(identity, id, payload);
  if (token !== undefined) identity.tokens.keep(id, token, epoch);
  return token;
}

function isExpired(payload: TokenPayload, now: number, window: number): boolean {
  return (payload.expires_at + window) * 1000 <= now;
}

function revocationKeys(payload: TokenPayload): RevocationKey[] {
  const keys: RevocationKey[] = [{ kind: 'user', value: payload.user_id }];
  payload.audit_ids.forEach((value, at) => keys.push({ kind: at === 0 ? 'audit' : 'chain', value }));
  if (payload.audit_ids.length === 1) keys.push({ kind: 'chain', value: payload.audit_ids[0] as string });
  if (payload.scope.kind === 'project') keys.push({ kind: 'project', value: payload.scope.id });
  if (payload.trust_id !== undefined) keys.push({ kind: 'trust', value: payload.trust_id });
  if (payload.application_credential_id !== undefined) keys.push({ kind: 'application_credential', value: payload.application_credential_id });
  if (payload.access_token_id !== undefined) keys.push({ kind: 'access_token', value: payload.access_token_id });
  return keys;
}

/** This one token; those made from it live on, as in keystone. */
export async function revokeToken(identity: Identity, token: ValidToken): Promise<void> {
  // Past any instant at which a token of this audit id was made.
  const revoked_at = token.payload.expires_at * 1000;
  await change(identity, async (tx, touch) => {
    await insertRevocation(tx, { kind: 'audit', value: token.payload.audit_ids[0] as string, revoked_at });
    touch({ user_id: token.auth.user_id });
  });
}

interface Granted {
  roles: AccessRole[];
  application_credential: ApplicationCredentialRow | undefined;
  access_rules: AccessRuleRow[] | undefined;
}

/** Looks up who and where the token is, and what they may do there now. */
async function lookUp(identity: Identity, id: string, payload: TokenPayload): Promise<ValidToken | undefined> {
  const db = identity.db.read;
  const { scope } = payload;
  const user = await accessUser(db, payload.user_id);
  if (user === undefined || user.enabled === 0 || user.domain_enabled === 0) return undefined;
  const project = scope.kind === 'project' ? await accessProject(db, scope.id) : undefined;
  if (scope.kind === 'project' && (project === undefined || project.enabled === 0 || project.domain_enabled === 0)) return undefined;
  const domain = scope.kind === 'domain' ? await accessDomain(db, { id: scope.id }) : undefined;
  if (scope.kind === 'domain' && (domain === undefined || domain.enabled === 0)) return undefined;
  const granted = await rolesOf(identity, payload);
  if (granted === undefined || (scope.kind !== 'unscoped' && granted.roles.length === 0)) return undefined;
  return {
    payload,
    auth: makeAuth(id, payload, user, project, domain, granted),
    body: makeBody(payload, user, project, domain, granted),
    access_rules: granted.access_rules,
    restricted: granted.application_credential?.unrestricted === 0,
  };
}

async function rolesOf(identity: Identity, payload: TokenPayload): Promise<Granted | undefined> {
  const { scope } = payload;
  const none = { application_credential: undefined, access_rules: undefined };
  if (scope.kind === 'unscoped') return { roles: [], ...none };
  const own = (await effectiveRoles(identity.db.read, payload.user_id, scope)).filter((role) => role.domain_id === '');
  if (payload.application_credential_id === undefined) return { roles: own, ...none };
  const db = identity.db.read;
  const credential = await findApplicationCredential(db, payload.application_credential_id);
  if (credential === undefined || scope.kind !== 'project' || credential.project_id !== scope.id) return undefined;
  const delegated = new Set((await rolesOfApplicationCredentials(db, [credential.id])).map((role) => role.id));
  const access_rules = credential.ruled === 0 ? undefined : await rulesOfApplicationCredentials(db, [credential.id]);
  return { roles: own.filter((role) => delegated.has(role.id)), application_credential: credential, access_rules };
}

function makeAuth(id: string, payload: TokenPayload, user: AccessUser, project: AccessProject | undefined, domain: AccessDomain | undefined, { roles, access_rules }: Granted): Auth {
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
    ...(access_rules === undefined ? {} : { access_rules }),
  };
}

function instant(seconds: number): string {
  return isoMicros(new Date(Math.floor(seconds) * 1000));
}

function makeBody(payload: TokenPayload, user: AccessUser, project: AccessProject | undefined, domain: AccessDomain | undefined, granted: Granted): Record<string, unknown> {
  const body: Record<string, unknown> = {
    methods: payload.methods,
    user: { domain: { id: user.domain_id, name: user.domain_name }, id: user.id, name: user.name, password_expires_at: null },
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
  if (payload.scope.kind !== 'unscoped') body['roles'] = granted.roles.map(({ id, name }) => ({ id, name }));
  const credential = granted.application_credential;
  if (credential !== undefined) {
    body['application_credential'] = {
      id: credential.id,
      name: credential.name,
      restricted: credential.unrestricted === 0,
      ...(granted.access_rules === undefined
        ? {}
        : { access_rules: granted.access_rules.map(({ id, service, path, method }) => ({ id, service, path, method })) }),
    };
  }
  return body;
}
