/** Reads from a Docker registry, with a token where it wants one. */
import type { IncomingMessage } from 'node:http';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import { fetchOutbound, type OutboundReply } from '../../../kernel/http/outbound.ts';
import type { TaskDeps } from '../deps.ts';
import { type DockerReference, outboundRules } from '../model/import-source.ts';

export interface RegistryClient {
  /** @param path below the repository: `blobs/sha256:…`. Faults: 400, 404 */
  get(path: string, accept: readonly string[]): Promise<{ body: IncomingMessage; headers: IncomingMessage['headers'] }>;
}

const MAX_TOKEN = 1 << 20;

export function registryClient(deps: TaskDeps, { registry, name }: DockerReference, signal: AbortSignal): RegistryClient {
  const options = { rules: outboundRules(deps.config), resolve: deps.resolve, signal };
  let token: string | undefined;
  const ask = (url: URL, accept: readonly string[]): Promise<OutboundReply> =>
    fetchOutbound(url, { ...options, headers: { ...(accept.length > 0 ? { accept: accept.join(', ') } : {}), ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) } });
  return {
    async get(path, accept) {
      const url = new URL(`v2/${name}/${path}`, registry);
      let answer = await ask(url, accept);
      if (answer.status === 401 && token === undefined) {
        answer.body.destroy();
        token = await anonymousToken(answer.headers['www-authenticate'], name, (realm) => fetchOutbound(realm, options));
        answer = await ask(url, accept);
      }
      if (answer.status === 200) return answer;
      answer.body.destroy();
      if (answer.status === 404) throw notFound('image.import-not-found', `The registry has no ${name} ${path}.`);
      if (answer.status === 401 || answer.status === 403) throw badRequest('image.import-denied', `The registry lets nobody read ${name} without a login.`);
      throw badRequest('image.import-status', `The registry answered ${answer.status} for ${name} ${path}.`);
    },
  };
}

/** What a registry gives to anybody who asks for reading. */
async function anonymousToken(challenge: string | undefined, name: string, ask: (url: URL) => Promise<OutboundReply>): Promise<string> {
  const values = Object.fromEntries([...(challenge ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]));
  if (!/^bearer /i.test(challenge ?? '') || !URL.canParse(values['realm'] ?? '')) throw badRequest('image.import-denied', `The registry lets nobody read ${name} without a login.`);
  const url = new URL(values['realm']!);
  if (values['service'] !== undefined) url.searchParams.set('service', values['service']);
  url.searchParams.set('scope', values['scope'] ?? `repository:${name}:pull`);
  const answer = await ask(url);
  let text = '';
  for await (const part of answer.body as AsyncIterable<Buffer>) {
    text += part.toString('utf8');
    if (text.length > MAX_TOKEN) throw badRequest('image.import-denied', 'The token of the registry is too long.');
  }
  const token = answer.status === 200 ? readToken(text) : undefined;
  if (token === undefined) throw badRequest('image.import-denied', `The registry gave no token to read ${name}.`);
  return token;
}

function readToken(text: string): string | undefined {
  try {
    const { token, access_token } = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    const found = token ?? access_token;
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
