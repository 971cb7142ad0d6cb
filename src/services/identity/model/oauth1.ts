/**
 * OAuth 1.0a: a consumer asks for a request token, a user authorises it with some of the own roles, and the consumer
 * exchanges it for an access token, with which it gets tokens of the user.
 */
import { randomInt } from 'node:crypto';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, notFound, type Fault } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { denied, missing, noSuch } from '../faults.ts';
import { effectiveRoles, insertRevocation } from '../store/access.ts';
import { deleteAccessToken as removeAccessToken, deleteRequestToken, findAccessToken, findConsumer, findRequestToken, insertAccessToken, insertRequestToken, updateRequestToken } from '../store/oauth1.ts';
import { findProject } from '../store/projects.ts';
import { findRoleByName } from '../store/roles.ts';
import type { AccessTokenRow, ConsumerRow, RequestTokenRow } from '../store/tables.ts';
import { bearerOf } from './bearer.ts';
import { noConsumer } from './consumers.ts';
import { change, type Identity } from './identity.ts';
import { isSignatureMethod, isSigned, readAuthorization, type SignedRequest } from './oauth1-signature.ts';
import { seal, unseal } from './secrets.ts';

/** A new token with its secret, which is not shown again. */
export interface NewToken {
  id: string;
  secret: string;
  expires_at: string | null;
}

/** Seconds by which the time of a signed request may be off. */
export const CLOCK_SKEW = 600;

type Parameters = ReadonlyMap<string, string>;

function readParameters(request: SignedRequest, ...needed: string[]): Parameters {
  const parameters = readAuthorization(request.authorization);
  if (parameters === undefined) throw badRequest('identity.oauth-header', 'An Authorization header of OAuth 1.0 is needed.');
  for (const name of needed) if ((parameters.get(name) ?? '') === '') throw missing(name, 'request');
  return parameters;
}

function refused(detail: string): Fault {
  return badRequest('identity.oauth-invalid', `Validation failed with errors: invalid_request, detail message is: ${detail}.`);
}

/** Faults: 400 for what can't be a signed request of now, 401 for a wrong signature or one that came before. */
function assertSigned(identity: Identity, request: SignedRequest, parameters: Parameters, client_secret: string, token_secret: string): void {
  for (const name of ['oauth_nonce', 'oauth_timestamp', 'oauth_signature_method', 'oauth_signature']) if ((parameters.get(name) ?? '') === '') throw refused('Missing mandatory OAuth parameters');
  if (!isSignatureMethod(parameters.get('oauth_signature_method') as string)) throw refused('Invalid signature method');
  if ((parameters.get('oauth_version') ?? '1.0') !== '1.0') throw refused('Invalid OAuth version');
  const timestamp = parameters.get('oauth_timestamp') as string;
  const off = Math.abs(Number(timestamp) - identity.clock.now().getTime() / 1000);
  if (!/^\d{10}$/.test(timestamp) || off > CLOCK_SKEW) throw refused(`Timestamp given is invalid, differ from allowed by over ${CLOCK_SKEW} seconds`);
  if (!isSigned(request, parameters, client_secret, token_secret)) throw denied();
  const nonce = ['oauth_consumer_key', 'oauth_token', 'oauth_timestamp', 'oauth_nonce'].map((name) => parameters.get(name) ?? '').join(' ');
  if (!identity.nonces.isFirst(nonce)) throw denied();
}

const secretOf = (identity: Identity, row: { id: string; secret: string }): string => unseal(identity, row.secret, `the secret ${row.id}`);

function endAfter(identity: Identity, seconds: number): string | null {
  return seconds === 0 ? null : isoMicros(new Date(identity.clock.now().getTime() + seconds * 1000));
}

const hasEnded = (identity: Identity, { expires_at }: { expires_at: string | null }): boolean => expires_at !== null && Date.parse(expires_at) <= identity.clock.now().getTime();

async function consumerOf(identity: Identity, parameters: Parameters): Promise<ConsumerRow> {
  const row = await findConsumer(identity.db.read, parameters.get('oauth_consumer_key') as string);
  if (row === undefined) throw noConsumer();
  return row;
}

/** Faults: 400, 401, 404 for a consumer or project that is not there. */
export async function createRequestToken(identity: Identity, request: SignedRequest, project_id: string | undefined): Promise<NewToken> {
  const parameters = readParameters(request, 'oauth_consumer_key');
  if (project_id === undefined) throw missing('Requested-Project-Id', 'request');
  const consumer = await consumerOf(identity, parameters);
  assertSigned(identity, request, parameters, secretOf(identity, consumer), '');
  const secret = hexId();
  const sealed = seal(identity, secret);
  const row: RequestTokenRow = {
    id: hexId(), secret: sealed.text, key_hash: sealed.key_hash, consumer_id: consumer.id, project_id, expires_at: endAfter(identity, identity.config.request_token_expiration), user_id: null, verifier: null, role_ids: null,
  };
  await change(identity, async (tx) => {
    const project = await findProject(tx, project_id);
    if (project === undefined || project.is_domain === 1) throw noSuch('project', project_id);
    await insertRequestToken(tx, row);
  });
  return { id: row.id, secret, expires_at: row.expires_at };
}

/** A user says yes, with some of the own roles on the project. @returns what the consumer has to show for it */
export async function authorizeRequestToken(identity: Identity, id: string, user_id: string, roles: readonly { id?: string; name?: string }[]): Promise<string> {
  const verifier = newVerifier();
  await change(identity, async (tx) => {
    const row = await findRequestToken(tx, id);
    if (row === undefined) throw noRequestToken();
    if (hasEnded(identity, row)) throw denied();
    const own = new Set((await effectiveRoles(tx, bearerOf(identity, user_id), { kind: 'project', id: row.project_id })).map((role) => role.id));
    const role_ids = new Set<string>();
    for (const role of roles) {
      const role_id = role.id ?? (await findRoleByName(tx, '', role.name ?? ''))?.id;
      if (role_id === undefined) throw noSuch('role', role.name ?? '');
      if (!own.has(role_id)) throw denied();
      role_ids.add(role_id);
    }
    await updateRequestToken(tx, id, { user_id, verifier, role_ids: JSON.stringify([...role_ids]) });
  });
  return verifier;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function newVerifier(): string {
  return Array.from({ length: 8 }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}

function noRequestToken(): Fault {
  return notFound('identity.request-token-not-found', 'Request token not found');
}

/** In exchange for a request token that was authorised, which is gone then. */
export async function createAccessToken(identity: Identity, request: SignedRequest): Promise<NewToken> {
  const parameters = readParameters(request, 'oauth_consumer_key', 'oauth_token', 'oauth_verifier');
  const asked = await findRequestToken(identity.db.read, parameters.get('oauth_token') as string);
  if (asked === undefined) throw noRequestToken();
  const consumer = await findConsumer(identity.db.read, asked.consumer_id);
  if (hasEnded(identity, asked) || consumer === undefined || consumer.id !== parameters.get('oauth_consumer_key')) throw denied();
  assertSigned(identity, request, parameters, secretOf(identity, consumer), secretOf(identity, asked));
  if (asked.user_id === null || asked.role_ids === null || asked.verifier !== parameters.get('oauth_verifier')) throw denied();
  const secret = hexId();
  const sealed = seal(identity, secret);
  const row: AccessTokenRow = {
    id: hexId(), secret: sealed.text, key_hash: sealed.key_hash, consumer_id: consumer.id, project_id: asked.project_id, user_id: asked.user_id, role_ids: asked.role_ids,
    expires_at: endAfter(identity, identity.config.access_token_expiration),
  };
  await change(identity, async (tx) => {
    if (!(await deleteRequestToken(tx, asked.id))) throw noRequestToken();
    await insertAccessToken(tx, row);
  });
  return { id: row.id, secret, expires_at: row.expires_at };
}

/** Who signs with an access token's secret acts by it. Faults: 400, 401, 404. */
export async function proveAccessToken(identity: Identity, request: SignedRequest): Promise<AccessTokenRow> {
  const parameters = readParameters(request, 'oauth_token', 'oauth_consumer_key');
  const row = await findAccessToken(identity.db.read, parameters.get('oauth_token') as string);
  if (row === undefined) throw noAccessToken();
  const consumer = await findConsumer(identity.db.read, row.consumer_id);
  if (hasEnded(identity, row) || consumer === undefined || consumer.id !== parameters.get('oauth_consumer_key')) throw denied();
  assertSigned(identity, request, parameters, secretOf(identity, consumer), secretOf(identity, row));
  return row;
}

/** The tokens that were got with it end with it. */
export async function deleteAccessToken(identity: Identity, user_id: string, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    const row = await findAccessToken(tx, id);
    if (row === undefined || row.user_id !== user_id) throw noAccessToken();
    await insertRevocation(tx, { kind: 'access_token', value: id, revoked_at: identity.clock.now().getTime() });
    await removeAccessToken(tx, id);
    touch({ user_id });
  });
}

export function noAccessToken(): Fault {
  return notFound('identity.access-token-not-found', 'Access token not found');
}
