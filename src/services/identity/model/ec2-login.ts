/** Tokens for who signs with EC2 keys: asked for by services that speak Amazon's ways, for those who asked them. */
import { notFound } from '../../../kernel/fault.ts';
import { denied } from '../faults.ts';
import { findApplicationCredential } from '../store/application-credentials.ts';
import { findCredential } from '../store/credentials.ts';
import type { CredentialRow } from '../store/tables.ts';
import { findTrust } from '../store/trusts.ts';
import { accessTokenOf } from './oauth1-login.ts';
import { accessId, openCredential } from './credentials.ts';
import type { Identity } from './identity.ts';
import type { TokenPayload } from './token-payload.ts';
import { auditId, issueToken, type ValidToken } from './tokens.ts';

interface Keys {
  secret: string;
  trust_id?: string | null;
  app_cred_id?: string | null;
  access_token_id?: string | null;
}

/**
 * @param isSigned given the secret, whether the request was signed with it
 * @param signed_at as the request says, if it does
 * Faults: 401 for a wrong signature, or when the user may no longer act there; 404 for an unknown key.
 */
export async function loginByEc2(identity: Identity, access: string, signed_at: string | undefined, isSigned: (secret: string) => boolean): Promise<{ id: string; token: ValidToken }> {
  const row = await findCredential(identity.db.read, accessId(access));
  if (row?.type !== 'ec2') throw notFound('identity.ec2-key-not-found', 'EC2 access key not found.');
  const keys = JSON.parse(openCredential(identity, row).blob) as Keys;
  if (typeof keys.secret !== 'string' || row.project_id === null || !isSigned(keys.secret)) throw denied();
  if (signed_at !== undefined) assertFresh(identity, signed_at);
  const issued = await issueToken(identity, await payloadOf(identity, row, keys, row.project_id));
  if (issued === undefined) throw denied();
  return issued;
}

function assertFresh(identity: Identity, signed_at: string): void {
  const basic = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(signed_at);
  const text = basic === null ? signed_at : `${basic[1]}-${basic[2]}-${basic[3]}T${basic[4]}:${basic[5]}:${basic[6]}Z`;
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
  const at = Date.parse(zoned);
  if (Number.isNaN(at) || identity.clock.now().getTime() > at + identity.config.ec2_signature_ttl * 1000) throw denied();
}

type NewToken = Omit<TokenPayload, 'issued_at'>;

/** Keys that were made by a delegation give what it gives. */
async function payloadOf(identity: Identity, row: CredentialRow, keys: Keys, project_id: string): Promise<NewToken> {
  const full = Math.floor(identity.clock.now().getTime() / 1000) + identity.config.token_expiration;
  const base: NewToken = { user_id: row.user_id, scope: { kind: 'project', id: project_id }, methods: ['ec2credential'], expires_at: full, audit_ids: [auditId()] };
  if (typeof keys.trust_id === 'string') return await byTrust(identity, base, keys.trust_id, project_id);
  if (typeof keys.app_cred_id === 'string') {
    const credential = await findApplicationCredential(identity.db.read, keys.app_cred_id);
    if (credential === undefined || credential.project_id !== project_id || credential.user_id !== row.user_id) throw denied();
    return { ...base, application_credential_id: credential.id, expires_at: untilEnd(identity, full, credential.expires_at) };
  }
  if (typeof keys.access_token_id !== 'string') return base;
  const access_token = await accessTokenOf(identity, { ...base, issued_at: 0, access_token_id: keys.access_token_id });
  if (access_token === undefined) throw denied();
  return { ...base, access_token_id: access_token.id, expires_at: untilEnd(identity, full, access_token.expires_at) };
}

/** A token of a trust is the trustee's, even when it was made, by impersonation, in the trustor's name. */
async function byTrust(identity: Identity, base: NewToken, id: string, project_id: string): Promise<NewToken> {
  const trust = await findTrust(identity.db.read, id);
  if (trust === undefined || trust.project_id !== project_id || trust.remaining_uses === 0) throw denied();
  const maker = trust.impersonation === 1 ? trust.trustor_user_id : trust.trustee_user_id;
  if (base.user_id !== maker) throw denied();
  return { ...base, user_id: trust.trustee_user_id, trust_id: id, expires_at: untilEnd(identity, base.expires_at, trust.expires_at) };
}

function untilEnd(identity: Identity, full: number, end: string | null): number {
  if (end === null) return full;
  if (Date.parse(end) <= identity.clock.now().getTime()) throw denied();
  return Math.min(full, Math.floor(Date.parse(end) / 1000));
}
