/** How a program comes to act for a user: OAuth 1.0a. */
import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint, type Reply } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { notAllowed } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import { authorizeRequestToken, createAccessToken, createRequestToken, type NewToken } from '../model/oauth1.ts';
import { ADMIN, rule } from './rules.ts';
import { idString, nameString } from './schemas.ts';
import { signedRequest } from './signed-request.ts';

const AUTHORIZE = '/v3/OS-OAUTH1/authorize/{request_token_id}';

export const oauth1Rules: PolicyRule[] = [
  rule('authorize_request_token', ADMIN, ['project'], `PUT ${AUTHORIZE}`, 'Let a program act for oneself.'),
];

const role = Type.Object({ id: Type.Optional(idString), name: Type.Optional(nameString(255)) }, { minProperties: 1, maxProperties: 1, additionalProperties: false });
const authorizeBody = Type.Object({ roles: Type.Optional(Type.Array(role, { maxItems: 100 })) });

function formReply(token: NewToken): Reply {
  const form = new URLSearchParams({ oauth_token: token.id, oauth_token_secret: token.secret });
  const body = `${form}${token.expires_at === null ? '' : `&oauth_expires_at=${token.expires_at}`}`;
  return reply(body, { status: 201, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
}

/** What was delegated once is not handed on. */
export function assertUndelegated(call: AnyCall, what: string): void {
  const { trust_id, application_credential_id, access_token_id } = call.auth;
  if (trust_id !== undefined || application_credential_id !== undefined || access_token_id !== undefined) throw notAllowed('delegated', `Cannot ${what} with a token issued via delegation.`);
}

export function oauth1Endpoints(identity: Identity): Endpoint[] {
  return [
    endpoint({
      id: 'identity:create_request_token', method: 'POST', path: '/v3/OS-OAUTH1/request_token', summary: 'Ask for a request token', policy: 'public', reply: 'text', status: 201,
      async handler(call) {
        const project = call.headers['requested-project-id'];
        return formReply(await createRequestToken(identity, signedRequest(identity, call, 'POST'), typeof project === 'string' && project !== '' ? project : undefined));
      },
    }),
    endpoint({
      id: 'identity:authorize_request_token', method: 'PUT', path: AUTHORIZE, summary: 'Authorise a request token', policy: 'identity:authorize_request_token', body: authorizeBody, reply: Type.Object({ token: Type.Object({ oauth_verifier: Type.String() }) }), status: 200,
      async handler(call) {
        assertUndelegated(call, 'authorize a request token');
        return { token: { oauth_verifier: await authorizeRequestToken(identity, call.params.request_token_id, call.auth.user_id, call.body.roles ?? []) } };
      },
    }),
    endpoint({
      id: 'identity:create_access_token', method: 'POST', path: '/v3/OS-OAUTH1/access_token', summary: 'Exchange a request token for an access token', policy: 'public', reply: 'text', status: 201,
      handler: async (call) => formReply(await createAccessToken(identity, signedRequest(identity, call, 'POST'))),
    }),
  ];
}
