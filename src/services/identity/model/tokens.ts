/** Tokens: made, found valid, revoked. They are not stored: all they say is in them, the rest is looked up (and cached). */
import { randomBytes } from 'node:crypto';
import type { Auth } from '../../../kernel/context.ts';
import { insertRevocation, isRevoked, type RevocationKey } from '../store/access.ts';
import type { AccessRuleRow } from '../store/tables.ts';
import { catchUp, change, type Identity } from './identity.ts';
import { lookUp } from './token-facts.ts';
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
  /** From when on its roles have to be looked up anew. */
  readonly until: string | undefined;
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
  if (token !== undefined && isKept(token)) identity.tokens.keep(id, token, epoch);
  return token === undefined ? undefined : { id, token };
}

/**
 * @param window seconds for which an expired token still counts.
 * @returns undefined for what is unknown, expired, revoked, or of a user, project or domain that may no longer act.
 */
export async function validateToken(identity: Identity, id: string, window = 0): Promise<ValidToken | undefined> {
  const now = identity.clock.now().getTime();
  await catchUp(identity);
  const cached = identity.tokens.get(id);
  if (cached !== undefined && (cached.until === undefined || Date.parse(cached.until) > now)) return isExpired(cached.payload, now, window) ? undefined : cached;
  const epoch = identity.tokens.epoch;
  const bytes = identity.keys.decrypt(id);
  const payload = bytes === undefined ? undefined : unpackToken(bytes);
  if (payload === undefined || isExpired(payload, now, window)) return undefined;
  if (await isRevoked(identity.db.read, revocationKeys(payload), payload.issued_at)) return undefined;
  const token = await lookUp(identity, id, payload);
  if (token !== undefined && isKept(token)) identity.tokens.keep(id, token, epoch);
  return token;
}

/** What a trust allows hangs on several users: such tokens are looked up each time. */
function isKept(token: ValidToken): boolean {
  return token.payload.trust_id === undefined;
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
    await insertRevocation(tx, { kind: 'audit', value: token.payload.audit_ids[0] as string, revoked_at, made_at: identity.clock.now().getTime() });
    touch({ user_id: token.auth.user_id });
  });
}
