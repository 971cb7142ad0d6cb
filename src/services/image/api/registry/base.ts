/** Log in, and look around. */
import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import { type Call, type Endpoint, endpoint, reply } from '../../../../kernel/api/endpoint.ts';
import { badRequest, tooLarge } from '../../../../kernel/fault.ts';
import type { RegistryDeps } from '../../deps.ts';
import { grant, readBasic } from '../../model/registry/logins.ts';
import { parseScopes } from '../../model/registry/names.ts';

const MAX_FORM = 65_536;

export const registryBaseEndpoints = (deps: RegistryDeps): Endpoint[] => [
  ...['', '/'].map((path) => endpoint({
    id: `registry:version${path}`, method: 'GET', path, summary: 'Ask whether this is a registry', policy: 'registry_use', reply: Type.Object({}), status: 200,
    handler: () => ({}),
  })),
  endpoint({
    id: 'authenticate:registry', method: 'GET', path: '/token', summary: 'Get a token for the registry', policy: 'public', status: 200,
    query: Type.Object({ scope: Type.Optional(Type.Array(Type.String({ maxLength: 2048 }), { maxItems: 50 })), service: Type.Optional(Type.String()), account: Type.Optional(Type.String()), client_id: Type.Optional(Type.String()), offline_token: Type.Optional(Type.String()) }),
    reply: Type.Object({ token: Type.String(), access_token: Type.String(), expires_in: Type.Integer(), issued_at: Type.String() }),
    async handler(call) {
      const [, basic] = /^basic +(\S+)$/i.exec(call.headers.authorization ?? '') ?? [];
      return shown(await grant(deps, basic === undefined ? undefined : readBasic(basic), parseScopes(call.query.scope ?? [])));
    },
  }),
  endpoint({
    id: 'authenticate:registry-form', method: 'POST', path: '/token', summary: 'Get a token for the registry, by OAuth2', policy: 'public', status: 200, body: 'stream',
    reply: Type.Object({ token: Type.String(), access_token: Type.String(), expires_in: Type.Integer(), issued_at: Type.String() }),
    async handler(call) {
      const form = new URLSearchParams((await readAll(call.stream, MAX_FORM)).toString('utf8'));
      if (form.get('grant_type') !== 'password') throw badRequest('registry.grant-type', 'Only grant_type=password is served.', { type: 'UNSUPPORTED' });
      const login = { name: form.get('username') ?? '', secret: form.get('password') ?? '' };
      return shown(await grant(deps, login.name === '' ? undefined : login, parseScopes(form.getAll('scope'))));
    },
  }),
];

const shown = ({ token, ...rest }: { token: string; expires_in: number; issued_at: string }) => reply({ token, access_token: token, ...rest }, { headers: { 'cache-control': 'no-store' } });

export async function readAll(stream: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw tooLarge('registry.body-too-large', `The body of this request may have ${limit} bytes at most.`, { type: 'SIZE_INVALID' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `n` and the `Link` to the next page. */
export function nextLink(call: Pick<Call<any, any, any>, 'url'>, last: string, limit: number): Record<string, string> {
  const query = new URLSearchParams({ last, n: String(limit) });
  return { link: `<${call.url.pathname}?${query.toString()}>; rel="next"` };
}
