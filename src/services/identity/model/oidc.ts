/**
 * Tokens of OpenID Connect providers: verified by the keys that the provider publishes, or by asking it.
 * What it says becomes an assertion under the names that mappings written for Apache's mod_auth_openidc use.
 */
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log/log.ts';
import type { OidcProvider } from '../config.ts';
import type { Assertion } from './mapping-rules.ts';

/** Verifies bearer tokens, with what was learnt of the providers before. */
export interface OidcVerifier {
  /** What the token says; undefined when it is not valid, or its provider can't be asked. */
  verify(provider: OidcProvider, token: string): Promise<Assertion | undefined>;
}

interface Discovered {
  issuer: string;
  jwks_uri: string;
  introspection_endpoint?: string;
  userinfo_endpoint?: string;
}

interface Known { document: Discovered; keys: JWTVerifyGetKey; read_at: number }

const REREAD_AFTER = 3_600_000;
const TIMEOUT = 10_000;
const LARGEST = 256 * 1024;
/** Never one that needs a secret of ours: `none` and HMAC would let anybody sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

export function createOidcVerifier(clock: Clock, log: Log): OidcVerifier {
  const known = new Map<string, Promise<Known>>();
  const learn = async (provider: OidcProvider): Promise<Known> => {
    const before = await known.get(provider.issuer)?.catch(() => undefined);
    if (before !== undefined && clock.now().getTime() - before.read_at < REREAD_AFTER) return before;
    const reading = discover(provider, clock);
    known.set(provider.issuer, reading);
    reading.catch(() => known.get(provider.issuer) === reading && known.delete(provider.issuer));
    return await reading;
  };
  return {
    async verify(provider, token) {
      if (token.length > 16_384) return undefined;
      try {
        const { document, keys } = await learn(provider);
        const claims = token.split('.').length === 3 ? await readJwt(provider, keys, token, clock) : await introspect(provider, document, token);
        return claims === undefined ? undefined : assertionOf({ ...claims, ...(await userinfo(provider, document, claims, token)), iss: provider.issuer });
      } catch (error) {
        log.warn({ issuer: provider.issuer, reason: (error as Error).message }, 'a token of an identity provider was refused');
        return undefined;
      }
    },
  };
}

async function discover(provider: OidcProvider, clock: Clock): Promise<Known> {
  const document = await fetchJson(`${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`) as Partial<Discovered>;
  if (document.issuer !== provider.issuer || typeof document.jwks_uri !== 'string') throw new Error('its discovery document is of another issuer, or names no keys');
  const urls = [document.jwks_uri, document.introspection_endpoint, document.userinfo_endpoint];
  for (const url of urls) if (url !== undefined) assertSafe(url);
  const { createRemoteJWKSet } = await import('jose');
  const keys = createRemoteJWKSet(new URL(document.jwks_uri), { timeoutDuration: TIMEOUT });
  return { document: document as Discovered, keys, read_at: clock.now().getTime() };
}

/** Keys that came over a readable line could be anybody's. */
function assertSafe(url: string): void {
  const { protocol, hostname } = new URL(url);
  const local = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && local)) throw new Error(`${url} is not https`);
}

async function fetchJson(url: string, init: RequestInit = {}): Promise<unknown> {
  assertSafe(url);
  const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const bytes: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > LARGEST) throw new Error(`${url} answered with too much`);
    bytes.push(chunk);
  }
  return JSON.parse(Buffer.concat(bytes).toString('utf8'));
}

/** An ID token, or an access token that says what it means itself; undefined when it is not valid. */
async function readJwt(provider: OidcProvider, keys: JWTVerifyGetKey, token: string, clock: Clock): Promise<JWTPayload | undefined> {
  // loaded with the first token: most clouds have no provider
  const { errors, jwtVerify } = await import('jose');
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: provider.issuer, audience: provider.audiences, algorithms: ALGORITHMS, clockTolerance: 30, currentDate: clock.now(), requiredClaims: ['exp', 'sub'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return undefined;
    throw error;
  }
}

/** An access token that means nothing in itself: its provider tells (RFC 7662), if we have a name there. */
async function introspect(provider: OidcProvider, document: Discovered, token: string): Promise<JWTPayload | undefined> {
  if (document.introspection_endpoint === undefined || provider.client_id === '' || provider.client_secret === '') return undefined;
  const said = await fetchJson(document.introspection_endpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${encodeURIComponent(provider.client_id)}:${encodeURIComponent(provider.client_secret)}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
  }) as JWTPayload & { active?: boolean; client_id?: string };
  const meant = [said.aud ?? [], said.client_id ?? []].flat().some((one) => provider.audiences.includes(one));
  return said.active === true && typeof said.sub === 'string' && (said.iss ?? provider.issuer) === provider.issuer && meant ? said : undefined;
}

/** What the provider says about the bearer of an access token; an ID token says all itself. */
async function userinfo(provider: OidcProvider, document: Discovered, claims: JWTPayload, token: string): Promise<object> {
  if (!provider.userinfo || document.userinfo_endpoint === undefined || claims['nonce'] !== undefined || claims['at_hash'] !== undefined) return {};
  const said = await fetchJson(document.userinfo_endpoint, { headers: { authorization: `Bearer ${token}` } }).catch(() => undefined) as { sub?: string } | undefined;
  return said?.sub === claims.sub ? said ?? {} : {};
}

/** `sub` becomes `HTTP_OIDC_SUB`, `OIDC-sub` and `OIDC_CLAIM_sub`. */
function assertionOf(claims: object): Assertion {
  const assertion: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(claims)) {
    const values = (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== undefined).map(textOf);
    for (const key of [`HTTP_OIDC_${name.toUpperCase().replaceAll('-', '_')}`, `OIDC-${name}`, `OIDC_CLAIM_${name}`]) assertion[key] = values;
  }
  return assertion;
}

function textOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
