/** A program that shows an access token of a user, by signing the request for a token with it. */
import { denied, missing } from '../faults.ts';
import { accessUser, withImplied, type AccessRole, type AccessUser } from '../store/access.ts';
import { findAccessToken } from '../store/oauth1.ts';
import type { AccessTokenRow } from '../store/tables.ts';
import type { Identity } from './identity.ts';
import { proveAccessToken } from './oauth1.ts';
import type { SignedRequest } from './oauth1-signature.ts';
import type { TokenPayload } from './token-payload.ts';

export async function byAccessToken(identity: Identity, signed: SignedRequest | undefined): Promise<{ user: AccessUser; methods: ['oauth1']; access_token: AccessTokenRow }> {
  if (signed === undefined) throw missing('Authorization', 'request');
  const access_token = await proveAccessToken(identity, signed);
  const user = await accessUser(identity.db.read, access_token.user_id);
  if (user === undefined) throw denied();
  return { user, methods: ['oauth1'], access_token };
}

/** The access token behind a token; undefined when it is gone, or was not for this user and project. */
export async function accessTokenOf(identity: Identity, { access_token_id, user_id, scope }: TokenPayload): Promise<AccessTokenRow | undefined> {
  const row = access_token_id === undefined ? undefined : await findAccessToken(identity.db.read, access_token_id);
  return row !== undefined && row.user_id === user_id && scope.kind === 'project' && scope.id === row.project_id ? row : undefined;
}

/** Of the user's roles those that were authorised, as far as the user still has them. */
export async function authorizedRoles(identity: Identity, row: AccessTokenRow, own: readonly AccessRole[]): Promise<AccessRole[]> {
  const authorized = new Set((await withImplied(identity.db.read, JSON.parse(row.role_ids) as string[])).map((role) => role.id));
  return own.filter((role) => authorized.has(role.id));
}
