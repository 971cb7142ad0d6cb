import { endpoint, type Endpoint, type Reply, type PathCall } from '../../../kernel/api/endpoint.ts';
import { authenticateByProvider } from '../model/federated-token.ts';
import type { Identity } from '../model/identity.ts';
import { loginReplyOf, tokenReply } from './tokens.ts';

const PATH = '/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth';

/** Hands out a token for one of an identity provider, sent as `Authorization: Bearer`; no web server in front has to check it. */
export function federatedLoginEndpoints(identity: Identity): Endpoint[] {
  const login = async (call: PathCall): Promise<Reply> => {
    const { idp_id = '', protocol_id = '' } = call.params;
    const [, bearer] = /^Bearer\s+(\S+)$/i.exec(call.headers.authorization ?? '') ?? [];
    return await loginReplyOf(identity, call, await authenticateByProvider(identity, idp_id, protocol_id, bearer));
  };
  return (['GET', 'POST'] as const).map((method) => endpoint({
    id: `identity:authenticate_federated_${method.toLowerCase()}`, method, path: PATH, summary: 'Get a token by an identity provider', policy: 'public', reply: tokenReply, status: 201,
    handler: async (call) => await login(call),
  }));
}
