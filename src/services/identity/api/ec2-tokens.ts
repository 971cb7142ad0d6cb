/** For services that are asked in Amazon's ways: whose keys a request was signed with. */
import { Type, type Static } from 'typebox';
import { endpoint, reply, type Endpoint, type AnyCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { denied } from '../faults.ts';
import { isEc2Signed, isS3Signed } from '../model/aws-signatures.ts';
import { loginByEc2 } from '../model/ec2-login.ts';
import type { Identity } from '../model/identity.ts';
import { ANY_SCOPE, rule, SERVICE_OR_ADMIN } from './rules.ts';
import { tokenReply, tokenReplyOf } from './tokens.ts';

const EC2 = '/v3/ec2tokens';
const S3 = '/v3/s3tokens';

export const ec2TokenRules: PolicyRule[] = [
  rule('ec2tokens_validate', SERVICE_OR_ADMIN, ANY_SCOPE, `POST ${EC2}`, 'Get a token for who signed with EC2 keys.'),
  rule('s3tokens_validate', SERVICE_OR_ADMIN, ANY_SCOPE, `POST ${S3}`, 'Get a token for who signed for S3.'),
];

const text = Type.Optional(Type.String({ maxLength: 8192 }));
const scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const texts = Type.Optional(Type.Record(Type.String(), scalar));
const credentials = Type.Object({ access: text, signature: text, token: text, host: text, verb: text, path: text, body_hash: text, params: texts, headers: texts });
// All three names are in use.
const body = Type.Object({ credentials: Type.Optional(credentials), credential: Type.Optional(credentials), ec2Credentials: Type.Optional(credentials) });

type Credentials = Static<typeof credentials>;

/** Faults: 401 without a key or a signature. */
function signedBy(call: AnyCall): Credentials & { access: string; signature: string } {
  const { credentials: first, credential, ec2Credentials } = (call).body as Static<typeof body>;
  const found = first ?? credential ?? ec2Credentials;
  if (found?.access === undefined || found.signature === undefined || found.signature === '') throw denied();
  return { ...found, access: found.access, signature: found.signature };
}

function asTexts(values: Credentials['params']): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, String(value)]));
}

export function ec2TokenEndpoints(identity: Identity): Endpoint[] {
  return [
    endpoint({
      id: 'identity:ec2tokens', method: 'POST', path: EC2, summary: 'Get a token for who signed with EC2 keys', policy: 'identity:ec2tokens_validate', body, reply: tokenReply, status: 200,
      async handler(call) {
        const { access, signature, host = '', verb = '', path = '', body_hash = '', ...given } = signedBy(call);
        const [params, headers] = [asTexts(given.params), asTexts(given.headers)];
        const signed_at = params['Timestamp'] ?? headers['X-Amz-Date'] ?? params['X-Amz-Date'];
        const { id, token } = await loginByEc2(identity, access, signed_at, (secret) => isEc2Signed({ signature, host, verb, path, body_hash, params, headers }, secret));
        return await tokenReplyOf(identity, call, token, id, 200);
      },
    }),
    endpoint({
      id: 'identity:s3tokens', method: 'POST', path: S3, summary: 'Get a token for who signed for S3', policy: 'identity:s3tokens_validate', body, reply: tokenReply, status: 200,
      async handler(call) {
        const { access, signature, token: signedText = '' } = signedBy(call);
        const { id, token } = await loginByEc2(identity, access, undefined, (secret) => isS3Signed(Buffer.from(signedText, 'base64').toString('latin1'), signature, secret));
        // The token itself is nobody's business here: whose request it is says its body.
        const { body: shown } = await tokenReplyOf(identity, call, token, id, 200);
        return reply(shown, { headers: { vary: 'X-Auth-Token' } });
      },
    }),
  ];
}
