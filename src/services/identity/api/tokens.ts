import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint, type Reply } from '../../../kernel/api/endpoint.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noToken } from '../faults.ts';
import { authenticate, type AuthRequest } from '../model/authenticate.ts';
import { catalogOf } from '../model/catalog-of.ts';
import type { Identity } from '../model/identity.ts';
import { revokeToken, validateToken, type ValidToken } from '../model/tokens.ts';
import { originOf } from './links.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule } from './rules.ts';
import { signedRequest } from './signed-request.ts';

const PATH = '/v3/auth/tokens';

export const tokenRules: PolicyRule[] = [
  rule('check_token', `${ADMIN_OR_SYSTEM_READER} or rule:token_subject`, ANY_SCOPE, `HEAD ${PATH}`, 'Ask whether a token is valid.'),
  rule('validate_token', `${ADMIN_OR_SYSTEM_READER} or rule:service_role or rule:token_subject`, ANY_SCOPE, `GET ${PATH}`, 'Show what a token says.'),
  rule('revoke_token', `${ADMIN} or rule:token_subject`, ANY_SCOPE, `DELETE ${PATH}`, 'Revoke a token.'),
];

const reference = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) });
const inDomain = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()), domain: Type.Optional(reference) });

const authBody = Type.Object({
  auth: Type.Object({
    identity: Type.Object({
      methods: Type.Array(Type.String(), { maxItems: 16 }),
      password: Type.Optional(Type.Object({
        user: Type.Optional(Type.Object({
          id: Type.Optional(Type.String()), name: Type.Optional(Type.String()), domain: Type.Optional(reference), password: Type.Optional(Type.String()),
        })),
      })),
      totp: Type.Optional(Type.Object({
        user: Type.Optional(Type.Object({
          id: Type.Optional(Type.String()), name: Type.Optional(Type.String()), domain: Type.Optional(reference), passcode: Type.Optional(Type.String()),
        })),
      })),
      token: Type.Optional(Type.Object({ id: Type.String() })),
      oauth1: Type.Optional(Type.Object({})),
      application_credential: Type.Optional(Type.Object({
        id: Type.Optional(Type.String()), name: Type.Optional(Type.String()), secret: Type.Optional(Type.String()), user: Type.Optional(inDomain),
      })),
    }),
    scope: Type.Optional(Type.Union([
      Type.String(),
      Type.Object({ project: Type.Optional(inDomain), domain: Type.Optional(reference), system: Type.Optional(Type.Object({ all: Type.Optional(Type.Boolean()) })) }),
    ])),
  }),
});

export const tokenReply = Type.Object({
  token: Type.Object({ methods: Type.Array(Type.String()), user: Type.Object({ id: Type.String() }), audit_ids: Type.Array(Type.String()), expires_at: Type.String(), issued_at: Type.String() }),
});

export function tokenEndpoints(identity: Identity): Endpoint[] {
  const subject = (call: AnyCall): Promise<ValidToken | undefined> => subjectToken(identity, call);
  const target = async (call: AnyCall) => {
    const token = await subject(call);
    // Whoever asks learns no more than that it is not valid.
    if (token === undefined) throw noToken();
    return { token: { user_id: token.auth.user_id } };
  };
  return [
    endpoint({
      id: 'identity:authenticate', method: 'POST', path: PATH, summary: 'Get a token', policy: 'public', body: authBody, reply: tokenReply, status: 201,
      async handler(call) {
        const receipt = call.headers['openstack-auth-receipt'];
        const sent = { receipt: typeof receipt === 'string' ? receipt : undefined, signed: signedRequest(identity, call, 'POST') };
        return await loginReplyOf(identity, call, await authenticate(identity, call.body.auth as AuthRequest, sent));
      },
    }),
    endpoint({
      id: 'identity:validate_token', method: 'GET', path: PATH, summary: 'Show what a token says', policy: 'identity:validate_token', target, reply: tokenReply, status: 200,
      handler: async (call) => await show(identity, call),
    }),
    endpoint({
      id: 'identity:check_token', method: 'HEAD', path: PATH, summary: 'Ask whether a token is valid', policy: 'identity:check_token', target, reply: tokenReply, status: 200,
      handler: async (call) => await show(identity, call),
    }),
    endpoint({
      id: 'identity:revoke_token', method: 'DELETE', path: PATH, summary: 'Revoke a token', policy: 'identity:revoke_token', target, status: 204,
      async handler(call) {
        const token = await subject(call);
        if (token === undefined) throw noToken();
        await revokeToken(identity, token);
        return undefined;
      },
    }),
  ];
}

/** The token of X-Subject-Token; undefined for one that is not valid. */
async function subjectToken(identity: Identity, call: AnyCall): Promise<ValidToken | undefined> {
  const id = call.headers['x-subject-token'];
  if (typeof id !== 'string' || id === '') return undefined;
  const expiredToo = call.ctx.auth !== undefined && booleanFrom(call.url.searchParams.get('allow_expired') ?? '') === true;
  return await validateToken(identity, id, expiredToo ? identity.config.allow_expired_window : 0);
}

async function show(identity: Identity, call: AnyCall): Promise<Reply> {
  const token = await subjectToken(identity, call);
  // A client that does not know access rules would let the token do more than it may.
  if (token === undefined || (token.access_rules !== undefined && call.headers['openstack-identity-access-rules'] === undefined)) throw noToken();
  return await tokenReplyOf(identity, call, token, call.headers['x-subject-token'] as string, 200);
}

/** A new token, or a receipt and which methods have to follow. */
export async function loginReplyOf(identity: Identity, call: AnyCall, made: Awaited<ReturnType<typeof authenticate>>): Promise<Reply> {
  if ('receipt' in made) return reply(made.receipt.body, { status: 401, headers: { 'openstack-auth-receipt': made.receipt.id, vary: 'X-Auth-Token' } });
  return await tokenReplyOf(identity, call, made.token, made.id, 201);
}

/** A token as the call that makes or shows it replies. */
export async function tokenReplyOf(identity: Identity, call: AnyCall, token: ValidToken, id: string, status: number): Promise<Reply> {
  const headers = { 'x-subject-token': id, vary: 'X-Auth-Token' };
  const { service_providers } = await identity.catalog.read(identity.db.read);
  const body = service_providers.length === 0 ? token.body : { ...token.body, service_providers };
  if (token.payload.scope.kind === 'unscoped' || call.url.searchParams.has('nocatalog')) return reply({ token: body }, { status, headers });
  const { user_id, project_id } = token.auth;
  const catalog = await catalogOf(identity, { origin: originOf(identity, call), user_id, project_id });
  return reply({ token: { ...body, catalog } }, { status, headers });
}
