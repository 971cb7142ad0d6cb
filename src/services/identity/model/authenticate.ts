/** From a request for a token to the token: who it is, by one or several methods, and where they want to act. */
import { isFault } from '../../../kernel/fault.ts';
import { denied, missing, notAllowed } from '../faults.ts';
import { accessDomain, accessProject, accessProjectByName, accessUser, accessUserByName, effectiveRoles, type AccessDomain, type AccessProject, type AccessUser, type Named } from '../store/access.ts';
import { findApplicationCredential, findApplicationCredentialByName } from '../store/application-credentials.ts';
import type { AccessTokenRow, ApplicationCredentialRow, TrustRow } from '../store/tables.ts';
import { consumeTrust, findTrust } from '../store/trusts.ts';
import { bearerOf } from './bearer.ts';
import type { Identity } from './identity.ts';
import { checkPassword } from './login.ts';
import { checkPasscode } from './passcode-login.ts';
import { isActive } from './password-rules.ts';
import { verifySecret } from './passwords.ts';
import { fulfilsRules, makeReceipt, readReceipt, type Receipt } from './receipts.ts';
import type { Method, Scope, TokenPayload } from './token-payload.ts';
import { byAccessToken } from './oauth1-login.ts';
import type { SignedRequest } from './oauth1-signature.ts';
import { auditId, issueToken, validateToken, type ValidToken } from './tokens.ts';

interface Reference {
  id?: string;
  name?: string;
  domain?: { id?: string; name?: string };
}

export interface AuthRequest {
  identity: {
    methods: string[];
    password?: { user: Reference & { password?: string } };
    token?: { id: string };
    totp?: { user: Reference & { passcode?: string } };
    application_credential?: { id?: string; name?: string; secret?: string; user?: Reference };
  };
  scope?: string | { project?: Reference; domain?: Reference; system?: { all?: boolean }; unscoped?: unknown; [other: string]: unknown };
}

/** What the methods of one request have found out together. */
interface Known {
  user: AccessUser;
  methods: Method[];
  /** Set when the request continues an older token. */
  parent?: ValidToken;
  application_credential?: ApplicationCredentialRow;
  access_token?: AccessTokenRow;
}

/** What comes beside the body. */
interface Sent {
  /** Of earlier methods of the same login. */
  receipt?: string | undefined;
  /** The request as HTTP had it, for methods that look at more than its body. */
  signed?: SignedRequest | undefined;
}

/**
 * @returns a receipt instead of a token when the user has to log in by more methods.
 * @throws Fault 400 for a malformed request; 401 without any reason for nearly everything else.
 */
export async function authenticate(identity: Identity, request: AuthRequest, { receipt, signed }: Sent = {}): Promise<{ id: string; token: ValidToken } | { receipt: Receipt }> {
  const methods = supportedMethods(request);
  const known = await identify(identity, request, methods, signed);
  if (receipt !== undefined) known.methods = [...new Set([...known.methods, ...(await readReceipt(identity, known.user, receipt))])];
  if (!fulfilsRules(known.user, known.methods)) return { receipt: makeReceipt(identity, known.user, known.methods) };
  const trust = await askedTrust(identity, request, known);
  const scope: Scope = trust === undefined ? await chooseScope(identity, request, known) : { kind: 'project', id: trust.project_id };
  const issued = await issueToken(identity, {
    user_id: known.user.id,
    scope,
    methods: known.methods,
    expires_at: expiry(identity, known),
    audit_ids: known.parent === undefined ? [auditId()] : [auditId(), known.parent.payload.audit_ids.at(-1) as string],
    application_credential_id: known.application_credential?.id ?? known.parent?.payload.application_credential_id,
    trust_id: trust?.id,
    ...federationOf(known),
    access_token_id: known.access_token?.id,
  });
  if (issued !== undefined && trust !== undefined) await useTrust(identity, trust);
  if (issued === undefined) throw denied();
  return issued;
}

/** Whoever came by an identity provider stays so in the tokens made from that one. */
function federationOf({ parent }: Known): Pick<TokenPayload, 'identity_provider_id' | 'protocol_id' | 'group_ids'> {
  const { identity_provider_id, protocol_id, group_ids } = parent?.payload ?? {};
  return { identity_provider_id, protocol_id, group_ids };
}

type Handler = (identity: Identity, request: AuthRequest, signed: SignedRequest | undefined) => Promise<Known>;

const HANDLERS: Readonly<Record<string, Handler>> = {
  password: byPassword, totp: byPasscode, token: byToken, application_credential: byApplicationCredential, oauth1: (identity, _request, signed) => byAccessToken(identity, signed),
};

function supportedMethods(request: AuthRequest): string[] {
  const methods = [...new Set(request.identity.methods)];
  for (const method of methods) {
    if (!Object.hasOwn(request.identity, method)) throw missing(method, 'identity');
  }
  if (methods.length === 0 || methods.some((method) => !Object.hasOwn(HANDLERS, method))) throw denied();
  return methods;
}

async function identify(identity: Identity, request: AuthRequest, methods: readonly string[], signed: SignedRequest | undefined): Promise<Known> {
  let known: Known | undefined;
  for (const method of methods) {
    const found = await (HANDLERS[method] as Handler)(identity, request, signed);
    if (known !== undefined && known.user.id !== found.user.id) throw denied();
    known = { ...known, ...found, methods: [...new Set([...(known?.methods ?? []), ...found.methods])] };
  }
  const { user } = known as Known;
  if (user.domain_enabled === 0 || !isActive(identity, user)) throw denied();
  return known as Known;
}

async function findUser(identity: Identity, reference: Reference): Promise<AccessUser | undefined> {
  if (reference.id !== undefined) return await accessUser(identity.db.read, reference.id);
  if (reference.name === undefined) throw missing('name or id', 'user');
  if (reference.domain === undefined) throw missing('domain', 'user');
  return await accessUserByName(identity.db.read, reference.name, named(reference.domain, 'domain'));
}

function named(reference: { id?: string; name?: string }, target: string): Named {
  if (reference.id !== undefined) return { id: reference.id };
  if (reference.name === undefined) throw missing('id or name', target);
  return { name: reference.name };
}

async function byPassword(identity: Identity, request: AuthRequest): Promise<Known> {
  const asked = request.identity.password?.user;
  if (asked === undefined) throw missing('user', 'password');
  if (asked.password === undefined) throw missing('password', 'user');
  const user = await findUser(identity, asked);
  await checkPassword(identity, user, asked.password);
  return { user: user as AccessUser, methods: ['password'] };
}

async function byPasscode(identity: Identity, request: AuthRequest): Promise<Known> {
  const asked = request.identity.totp?.user;
  if (asked === undefined) throw missing('user', 'totp');
  if (asked.passcode === undefined) throw missing('passcode', 'user');
  const user = await findUser(identity, asked);
  await checkPasscode(identity, user, asked.passcode);
  return { user: user as AccessUser, methods: ['totp'] };
}

async function byToken(identity: Identity, request: AuthRequest): Promise<Known> {
  const id = request.identity.token?.id;
  if (id === undefined) throw missing('id', 'token');
  const parent = await validateToken(identity, id);
  const user = parent === undefined ? undefined : await accessUser(identity.db.read, parent.auth.user_id);
  if (parent === undefined || user === undefined) throw denied();
  if (parent.payload.access_token_id !== undefined) throw notAllowed('access-token-again', 'A token of an access token gives no other tokens.');
  return { user, methods: [...new Set<Method>(['token', ...parent.payload.methods])], parent };
}

async function byApplicationCredential(identity: Identity, request: AuthRequest): Promise<Known> {
  if (request.scope !== undefined) throw denied();
  const asked = request.identity.application_credential;
  if (asked === undefined) throw missing('application_credential', 'identity');
  if (asked.secret === undefined) throw missing('secret', 'application_credential');
  const credential = await findCredential(identity, asked);
  const right = await verifySecret(asked.secret, credential?.secret_hash, identity.config.password_cost);
  const ended = credential !== undefined && credential.expires_at !== null && Date.parse(credential.expires_at) <= identity.clock.now().getTime();
  const user = credential === undefined ? undefined : await accessUser(identity.db.read, credential.user_id);
  if (credential === undefined || user === undefined || ended || !right) throw denied();
  return { user, methods: ['application_credential'], application_credential: credential };
}

async function findCredential(identity: Identity, asked: NonNullable<AuthRequest['identity']['application_credential']>): Promise<ApplicationCredentialRow | undefined> {
  if (asked.id !== undefined) return await findApplicationCredential(identity.db.read, asked.id);
  if (asked.name === undefined) throw missing('name or ID', 'application credential');
  if (asked.user === undefined) throw missing('user', 'application credential');
  const user = await findUser(identity, asked.user);
  return user === undefined ? undefined : await findApplicationCredentialByName(identity.db.read, user.id, asked.name);
}

/** Seconds. A token made from another, or by a credential that ends, does not outlive it. */
function expiry(identity: Identity, known: Known): number {
  if (known.parent !== undefined) return known.parent.payload.expires_at;
  const full = Math.floor(identity.clock.now().getTime() / 1000) + identity.config.token_expiration;
  const end = (known.application_credential ?? known.access_token)?.expires_at;
  return end === null || end === undefined ? full : Math.min(full, Math.floor(Date.parse(end) / 1000));
}

async function chooseScope(identity: Identity, request: AuthRequest, known: Known): Promise<Scope> {
  if (known.application_credential !== undefined) return { kind: 'project', id: known.application_credential.project_id };
  if (known.access_token !== undefined) return { kind: 'project', id: known.access_token.project_id };
  const scope = request.scope === undefined ? await defaultScope(identity, known.user) : await askedScope(identity, request.scope);
  // What was delegated for one project stays there.
  const parent = known.parent?.payload;
  if (parent?.application_credential_id !== undefined && JSON.stringify(parent.scope) !== JSON.stringify(scope)) {
    if (request.scope !== undefined) throw denied();
    return parent.scope;
  }
  return scope;
}

/** The trust that the request asks to use. Faults: 401 when there is none such, 403 for anybody but the trustee. */
async function askedTrust(identity: Identity, { scope }: AuthRequest, known: Known): Promise<TrustRow | undefined> {
  if (known.parent?.payload.trust_id !== undefined) throw notAllowed('trust-again', 'A token of a trust gives no other tokens.');
  if (typeof scope !== 'object' || !Object.hasOwn(scope, TRUST)) return undefined;
  if (Object.keys(scope).length > 1) throw missing('system, project, domain, OS-TRUST:trust or unscoped', 'scope');
  const id = (scope[TRUST] as { id?: unknown } | null)?.id;
  if (typeof id !== 'string') throw missing('trust_id', 'trust');
  const trust = await findTrust(identity.db.read, id);
  if (trust === undefined || trust.remaining_uses === 0 || known.application_credential !== undefined || known.parent?.payload.application_credential_id !== undefined) throw denied();
  if (trust.trustee_user_id !== known.user.id) throw notAllowed('not-trustee', 'User is not a trustee.');
  return trust;
}

const TRUST = 'OS-TRUST:trust';

async function useTrust(identity: Identity, trust: TrustRow): Promise<void> {
  if (trust.remaining_uses === null) return;
  if (!(await identity.db.transaction((tx) => consumeTrust(tx, trust.id)))) throw denied();
}

async function askedScope(identity: Identity, scope: NonNullable<AuthRequest['scope']>): Promise<Scope> {
  const asked = typeof scope === 'string' ? { [scope]: {} } : scope;
  const kinds = ['project', 'domain', 'system', 'unscoped'].filter((kind) => Object.hasOwn(asked, kind));
  if (kinds.length !== 1) throw missing('system, project, domain, OS-TRUST:trust or unscoped', 'scope');
  if (asked['unscoped'] !== undefined) return { kind: 'unscoped' };
  if (asked['system'] !== undefined) return { kind: 'system' };
  if (asked.domain !== undefined) {
    const domain = await usableDomain(identity, named(asked.domain as Reference, 'domain'));
    return { kind: 'domain', id: domain.id };
  }
  return { kind: 'project', id: (await usableProject(identity, asked.project as Reference)).id };
}

async function usableDomain(identity: Identity, domain: Named): Promise<AccessDomain> {
  const found = await accessDomain(identity.db.read, domain);
  if (found === undefined || found.enabled === 0) throw denied();
  return found;
}

async function usableProject(identity: Identity, reference: Reference): Promise<AccessProject> {
  const found = reference.name === undefined || reference.id !== undefined
    ? await accessProject(identity.db.read, named(reference, 'project') && (reference.id as string))
    : await accessProjectByName(identity.db.read, reference.name, named(domainOf(reference), 'domain'));
  if (found === undefined || found.enabled === 0 || found.domain_enabled === 0) throw denied();
  return found;
}

function domainOf(reference: Reference): { id?: string; name?: string } {
  if (reference.domain === undefined) throw missing('domain', 'project');
  return reference.domain;
}

/** The user's default project when it can be used, else none. */
async function defaultScope(identity: Identity, user: AccessUser): Promise<Scope> {
  if (user.default_project_id === null) return { kind: 'unscoped' };
  try {
    const project = await usableProject(identity, { id: user.default_project_id });
    const roles = await effectiveRoles(identity.db.read, bearerOf(identity, user.id), { kind: 'project', id: project.id });
    return roles.some((role) => role.domain_id === '') ? { kind: 'project', id: project.id } : { kind: 'unscoped' };
  } catch (error) {
    if (isFault(error)) return { kind: 'unscoped' };
    throw error;
  }
}
