/** A real provider of OpenID Connect on loopback, with people who log in over HTTP as a browser would. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPair, exportJWK } from 'jose';
import { Provider } from 'oidc-provider';

export interface TestProvider {
  issuer: string;
  /** Logs somebody in by the authorization code flow. */
  login(account: string): Promise<{ id_token: string; access_token: string }>;
  close(): Promise<void>;
}

/** The name of the cloud there, and its secret. */
export const CLIENT = { client_id: 'cloud', client_secret: 'a secret of the cloud' };
const CALLBACK = 'https://cloud.example/callback';

/** @param people account → what the provider says about them */
export async function startProvider(people: Record<string, Record<string, unknown>>): Promise<TestProvider> {
  const server = createServer();
  await new Promise<void>((done) => { server.listen(0, '127.0.0.1', done); });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const provider = new Provider(issuer, {
    clients: [{ ...CLIENT, redirect_uris: [CALLBACK], grant_types: ['authorization_code'], response_types: ['code'] }],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'one' }] },
    cookies: { keys: ['only for this test'] },
    claims: { openid: ['sub'], profile: ['name', 'email', 'groups', 'projects'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: true }, introspection: { enabled: true, allowedPolicy: () => true }, userinfo: { enabled: true } },
    pkce: { required: () => false },
    findAccount: (_ctx: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId, ...people[accountId] }) }),
  });
  server.on('request', provider.callback());
  return { issuer, login: (account) => login(issuer, account), close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => { server.close(done); });
}

async function login(issuer: string, account: string): Promise<{ id_token: string; access_token: string }> {
  const cookies = new Map<string, string>();
  const visit = async (url: string, form?: Record<string, string>): Promise<string> => {
    const response = await fetch(new URL(url, issuer), {
      method: form === undefined ? 'GET' : 'POST', redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) as unknown as [string, string, string];
      cookies.set(name, value);
    }
    await response.arrayBuffer();
    const next = response.headers.get('location');
    if (next === null) throw new Error(`${url} answered ${response.status} and led nowhere`);
    return next;
  };
  const asked = new URLSearchParams({ client_id: CLIENT.client_id, response_type: 'code', scope: 'openid profile', redirect_uri: CALLBACK });
  let at = await visit(`/auth?${asked}`);
  for (let step = 0; !at.startsWith(CALLBACK) && step < 10; step += 1) {
    const prompt = step === 0 ? { prompt: 'login', login: account, password: 'any' } : { prompt: 'consent' };
    at = await visit(at, at.includes('/interaction/') ? prompt : undefined);
    if (step === 0) at = await visit(at);
  }
  const code = new URL(at).searchParams.get('code') as string;
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT.client_id}:${encodeURIComponent(CLIENT.client_secret)}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK }),
  });
  if (!response.ok) throw new Error(`/token answered ${response.status} ${await response.text()}`);
  return await response.json() as { id_token: string; access_token: string };
}
