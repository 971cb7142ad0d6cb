/** Who calls the registry, and what they are granted. */
import type { Auth } from '../../../../kernel/context.ts';
import { isFault, unauthorized } from '../../../../kernel/fault.ts';
import { isUuidLike } from '../../../../kernel/ids.ts';
import type { CallerRequest } from '../../../../kernel/service.ts';
import type { RegistryDeps } from '../../deps.ts';
import { parseRepository, type Scope, scopeOf } from './names.ts';

/** Domain of those who give none. */
export const DOMAIN = 'default';
const LIFETIME_S = 900;
/** The id of none. */
const NO_PROJECT = '0'.repeat(32);

interface Session {
  token: string;
  auth: Auth;
}

/** Somebody without a login: sees what is public, where the operator lets them. */
const ANONYMOUS: Auth = {
  token: '', user_id: '', user_name: '', user_domain_id: '', user_domain_name: '', project_id: undefined, project_name: undefined, project_domain_id: undefined,
  domain_id: undefined, domain_name: undefined, system_scope: undefined, roles: [], role_ids: [], is_admin_project: false, expires_at: '', application_credential_id: undefined, trust_id: undefined,
};

export interface Grant {
  token: string;
  expires_in: number;
  issued_at: string;
}

/**
 * @param login undefined: nobody in particular
 * Faults: 401.
 */
export async function grant(deps: RegistryDeps, login: { name: string; secret: string } | undefined, scopes: readonly Scope[]): Promise<Grant> {
  if (login === undefined && !deps.config.registry_anonymous_pull) throw refused();
  const session = login && (await logIn(deps, login));
  const tokens = session ? [session.token, ...(await tokensFor(deps, session, scopes))] : [];
  const now = deps.clock.now();
  const access = scopes.map((scope) => (session ? scope : { ...scope, actions: scope.actions.filter((action) => action === 'pull') }));
  const token = deps.tickets.seal({ tokens, access, expires_at: now.getTime() + LIFETIME_S * 1000 });
  return { token, expires_in: LIFETIME_S, issued_at: now.toISOString() };
}

const refused = () => unauthorized('registry.login', 'The user name or the password is wrong.', { type: 'UNAUTHORIZED' });

/** `user`, `project/user`, or the id of an application credential. Faults: 401. */
async function logIn(deps: RegistryDeps, { name, secret }: { name: string; secret: string }): Promise<Session> {
  const by_credential = isUuidLike(name) ? await deps.identity.logIn({ application_credential_id: name.replaceAll('-', ''), secret }) : undefined;
  if (by_credential) return by_credential;
  const at = name.indexOf('/');
  const user = { name: at < 0 ? name : name.slice(at + 1), domain_id: DOMAIN };
  // an unknown project takes as long as a wrong password
  const project_id = at < 0 ? undefined : ((await deps.identity.findProjectByName(name.slice(0, at), DOMAIN))?.id ?? NO_PROJECT);
  const session = await deps.identity.logIn({ user, password: secret, project_id });
  if (!session) throw refused();
  return session;
}

/** One more for each project that is asked for and in which the caller may act. */
async function tokensFor(deps: RegistryDeps, session: Session, scopes: readonly Scope[]): Promise<string[]> {
  const known = new Set([session.auth.project_id]);
  const tokens: string[] = [];
  for (const scope of scopes.slice(0, 10)) {
    const project_id = scope.type === 'repository' ? await projectOf(deps, scope.name) : undefined;
    if (project_id === undefined || known.has(project_id) || session.auth.application_credential_id !== undefined) continue;
    known.add(project_id);
    const other = await deps.identity.logIn({ token: session.token, project_id });
    if (other) tokens.push(other.token);
  }
  return tokens;
}

async function projectOf(deps: RegistryDeps, name: string): Promise<string | undefined> {
  try {
    return (await findRegistryProject(deps, parseRepository(name).project))?.id;
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

/** By name in the default domain, or by id. */
export async function findRegistryProject(deps: RegistryDeps, text: string): Promise<{ id: string; name: string } | undefined> {
  const project = (await deps.identity.findProjectByName(text, DOMAIN)) ?? (isUuidLike(text) ? await deps.identity.findProject(text.replaceAll('-', '')) : undefined);
  return project?.enabled === true ? project : undefined;
}

/** Undefined: a token is asked for, or another than this one. */
export async function authenticateCaller(deps: RegistryDeps, { method, path, headers }: CallerRequest): Promise<Auth | undefined> {
  const [, kind, value = ''] = /^(bearer|basic) +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (path.startsWith('/v1/')) return searchCaller(deps, kind?.toLowerCase() === 'basic' ? readBasic(value) : undefined);
  if (kind?.toLowerCase() !== 'bearer') return undefined;
  const ticket = deps.tickets.open(value, deps.clock.now().getTime());
  const needed = scopeOf(method, path);
  // Nothing but the base is for any ticket: what the router understands and we do not, is spelled to deceive.
  if (ticket === undefined || !(needed === undefined ? /^\/v2\/?$/.test(path) : covers(ticket.access, needed))) return undefined;
  if (ticket.tokens.length === 0) return deps.config.registry_anonymous_pull ? ANONYMOUS : undefined;
  return bestOf(deps, ticket.tokens, needed);
}

/** Searching clients send the password itself, or nothing. */
async function searchCaller(deps: RegistryDeps, login: { name: string; secret: string } | undefined): Promise<Auth | undefined> {
  if (login === undefined) return deps.config.registry_anonymous_pull ? ANONYMOUS : undefined;
  return (await logIn(deps, login).catch((error: unknown) => (isFault(error) ? undefined : Promise.reject(error as Error))))?.auth;
}

function covers(access: readonly Scope[], { type, name, actions }: Scope): boolean {
  const granted = access.filter((one) => one.type === type && one.name === name).flatMap((one) => one.actions);
  return actions.every((action) => granted.includes(action) || granted.includes('*'));
}

/** The caller in the project of the repository, if they can be; all tokens have to be good still. */
async function bestOf(deps: RegistryDeps, tokens: readonly string[], needed: Scope | undefined): Promise<Auth | undefined> {
  const auths: Auth[] = [];
  for (const token of tokens) {
    const auth = await deps.identity.authenticate(token);
    if (auth) auths.push(auth);
  }
  const project_id = needed?.type === 'repository' ? await projectOf(deps, needed.name) : undefined;
  const first = await deps.identity.authenticate(tokens[0] ?? '');
  return auths.find((auth) => auth.project_id !== undefined && auth.project_id === project_id) ?? first;
}

/** `Basic` credentials; undefined when they are none. */
export function readBasic(value: string): { name: string; secret: string } | undefined {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return at < 1 ? undefined : { name: text.slice(0, at), secret: text.slice(at + 1) };
}
