/** Addresses that users name must not lead where users may not go. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { isFault } from '../../../src/kernel/fault.ts';
import { checkOutbound, fetchOutbound, type OutboundRules, type Resolve } from '../../../src/kernel/http/outbound.ts';
import { type WebServer, webServer } from '../../support/image-import.ts';

const rules: OutboundRules = { schemes: ['http', 'https'], ports: [80, 443], allowed_hosts: [] };
const names: Record<string, string[]> = {
  'public.test': ['8.8.8.8'], 'inner.test': ['10.1.2.3'], 'half.test': ['8.8.8.8', '127.0.0.1'], 'six.test': ['fd00::1'], 'mapped.test': ['::ffff:169.254.169.254'], 'localhost': ['127.0.0.1', '::1'],
};
const resolve: Resolve = async (host) => names[host] ?? [];
const refusal = (error: unknown): boolean => isFault(error) && error.status === 400 && error.code === 'outbound.refused';

test('addresses of this host, its links and private networks are refused, however they are written', async () => {
  const bad = [
    'http://127.0.0.1/', 'http://127.1/', 'http://2130706433/', 'http://0x7f000001/', 'http://0177.0.0.1/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://[::ffff:7f00:1]/',
    'http://[::]/', 'http://0.0.0.0/', 'http://169.254.169.254/latest', 'http://10.0.0.1/', 'http://172.31.0.1/', 'http://192.168.1.1/', 'http://100.64.0.1/', 'http://[fe80::1]/', 'http://[fd00::1]/',
    'http://[64:ff9b::7f00:1]/', 'http://[2002:7f00:1::]/', 'http://224.0.0.1/', 'http://255.255.255.255/', 'http://localhost/', 'http://LOCALHOST./', 'http://inner.test/', 'http://half.test/', 'http://six.test/',
    'http://mapped.test/', 'http://nowhere.test/', 'http://public.test:22/', 'http://public.test:5000/', 'https://public.test:8443/', 'ftp://public.test/', 'file:///etc/passwd', 'gopher://public.test/',
    'http://user:secret@public.test/', 'http://①②⑦.0.0.1/',
  ];
  for (const url of bad) await assert.rejects(checkOutbound(new URL(url), rules, resolve), refusal, url);
  for (const url of ['http://public.test/', 'https://public.test:443/x', 'http://8.8.8.8/', 'http://[2606:4700::1111]/']) assert.ok((await checkOutbound(new URL(url), rules, resolve)).length > 0, url);
});

test('an operator allows names, addresses and networks', async () => {
  const allowing = { ...rules, allowed_hosts: ['inner.test', '192.168.7.0/24', 'fd00::/64'] };
  for (const url of ['http://inner.test/', 'http://192.168.7.9/', 'http://six.test/']) assert.ok((await checkOutbound(new URL(url), allowing, resolve)).length > 0, url);
  for (const url of ['http://10.1.2.3/', 'http://192.168.8.9/', 'http://127.0.0.1/', 'http://inner.test:22/']) await assert.rejects(checkOutbound(new URL(url), allowing, resolve), refusal, url);
});

test('no loopback or private IPv4 address passes in any spelling', async () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const first = fc.constantFrom(0, 10, 127, 224, 240, 255);
  await fc.assert(
    fc.asyncProperty(first, octet, octet, octet, async (a, b, c, d) => {
      const number = ((a * 256 + b) * 256 + c) * 256 + d;
      const hex = number.toString(16).padStart(8, '0');
      for (const host of [`${a}.${b}.${c}.${d}`, String(number), `0x${hex}`, `${a}.${b}.${c * 256 + d}`, `[::ffff:${hex.slice(0, 4)}:${hex.slice(4)}]`, `[::${hex.slice(0, 4)}:${hex.slice(4)}]`]) {
        await assert.rejects(checkOutbound(new URL(`http://${host}/`), rules, resolve), refusal, host);
      }
    }),
  );
});

/** One server where one may go, and one at the same port where one may not. */
let open: WebServer;
let secret: WebServer;
let local: OutboundRules;
before(async () => {
  open = await webServer((request, response) => {
    const to = new URL(request.url ?? '/', 'http://x').searchParams.get('to');
    if (to !== null) return void response.writeHead(302, { location: to }).end();
    response.end(`open ${request.headers['authorization'] ?? ''} ${request.headers.host}`);
  }, '127.0.0.2');
  secret = await webServer((_request, response) => void response.end('secret'), '127.0.0.1', open.port);
  local = { schemes: ['http'], ports: [open.port], allowed_hosts: ['127.0.0.2'] };
});
after(async () => {
  await open.close();
  await secret.close();
});

const { signal } = new AbortController();

async function text(url: string, options: { rules?: OutboundRules; resolve?: Resolve; headers?: Record<string, string> } = {}): Promise<string> {
  const answer = await fetchOutbound(new URL(url), { rules: local, resolve, signal, ...options });
  const parts: Buffer[] = [];
  for await (const part of answer.body as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString();
}

test('a redirect leads nowhere that the address itself could not have led', async () => {
  const at = `http://127.0.0.2:${open.port}`;
  assert.match(await text(`${at}/?to=/other`), /^open/);
  for (const to of [`http://127.0.0.1:${open.port}/`, 'file:///etc/passwd', 'http://169.254.169.254/', `http://127.0.0.2:${open.port + 1}/`, `http://localhost:${open.port}/`]) {
    await assert.rejects(text(`${at}/?to=${encodeURIComponent(to)}`), refusal, to);
  }
  assert.deepEqual(secret.asked, []);
});

test('a name that resolves to something else the second time is still fetched from the first', async () => {
  const answers = [['127.0.0.2'], ['127.0.0.1']];
  let asked = 0;
  const rebinding: Resolve = async () => answers[asked++] ?? ['127.0.0.1'];
  assert.match(await text(`http://rebind.test:${open.port}/`, { resolve: rebinding }), /^open {2}rebind\.test/);
  assert.equal(asked, 1, 'it is looked up once');
  await assert.rejects(text(`http://rebind.test:${open.port}/`, { resolve: rebinding }), refusal);
  assert.deepEqual(secret.asked, []);
});

test('what one host is told is not told to the next', async () => {
  const both = { ...local, allowed_hosts: ['127.0.0.2', 'other.test'] };
  const where: Resolve = async () => ['127.0.0.2'];
  const headers = { authorization: 'Bearer t' };
  const same = await text(`http://127.0.0.2:${open.port}/?to=/x`, { rules: both, resolve: where, headers });
  assert.match(same, /Bearer t/);
  const other = await text(`http://127.0.0.2:${open.port}/?to=${encodeURIComponent(`http://other.test:${open.port}/`)}`, { rules: both, resolve: where, headers });
  assert.doesNotMatch(other, /Bearer/);
});

test('redirects end', async () => {
  const round = await webServer((_request, response) => void response.writeHead(302, { location: '/again' }).end(), '127.0.0.2');
  try {
    await assert.rejects(text(`http://127.0.0.2:${round.port}/`, { rules: { ...local, ports: [round.port] } }), refusal);
    assert.equal(round.asked.length, 6);
  } finally {
    await round.close();
  }
});
