/** From the token of somebody else's to a token of ours. */
import { denied } from '../faults.ts';
import { accessUser } from '../store/access.ts';
import { loginByAssertion, usableProvider } from './federated-login.ts';
import type { Identity } from './identity.ts';
import { noteLogin } from './login.ts';
import { isActive } from './password-rules.ts';
import { fulfilsRules, makeReceipt, type Receipt } from './receipts.ts';
import { auditId, issueToken, type ValidToken } from './tokens.ts';

/** An unscoped token for the bearer of a token of the provider. Faults: 404, 403, 401 without any reason. */
export async function authenticateByProvider(identity: Identity, idp_id: string, protocol_id: string, bearer: string | undefined): Promise<{ id: string; token: ValidToken } | { receipt: Receipt }> {
  const found = await usableProvider(identity, idp_id, protocol_id);
  const trusted = identity.config.oidc.find((one) => one.identity_provider === idp_id && one.protocol === protocol_id);
  const assertion = trusted === undefined || bearer === undefined ? undefined : await identity.oidc.verify(trusted, bearer);
  if (assertion === undefined) throw denied();
  const { user_id, groups } = await loginByAssertion(identity, found, assertion);
  const user = await accessUser(identity.db.read, user_id);
  if (user === undefined || user.domain_enabled === 0 || !isActive(identity, user)) throw denied();
  if (!fulfilsRules(user, ['mapped'])) return { receipt: makeReceipt(identity, user, ['mapped']) };
  await noteLogin(identity, user);
  const federated = groups === undefined ? {} : { identity_provider_id: idp_id, protocol_id, group_ids: groups };
  const expires_at = Math.floor(identity.clock.now().getTime() / 1000) + identity.config.token_expiration;
  const issued = await issueToken(identity, { user_id, scope: { kind: 'unscoped' }, methods: ['mapped'], expires_at, audit_ids: [auditId()], ...federated });
  if (issued === undefined) throw denied();
  return issued;
}
