/**
 * What a request costs: CPU time of the controller, and how many it answers in a second.
 * `node bench/api.ts [--rows 500] [--seconds 5] [--concurrency 4] [--out FILE]`. Rows are made with nodes in memory: no root, no Docker.
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildGuestImage } from '../src/cli/guest-image.ts';
import { startRealCloud, type RealCloud } from '../test/support/real-cloud.ts';
import { makeFlavor, makeImage, makeNetwork } from '../test/support/real-cloud-world.ts';
import { cpuMs, report, type Figure } from './measure.ts';

const TOML = '[compute]\ncpu_allocation_ratio = 64\nquota_instances = -1\nquota_cores = -1\nquota_ram = -1\n\n[network]\nquota_port = -1\n';

interface Target {
  name: string;
  path: string;
  headers: Record<string, string>;
  /** Sent by POST. */
  body?: object;
  /** CPU ms per request. */
  budget?: number;
  /** Holds for a right answer. */
  check(body: string): boolean;
}

/** Servers, each with a port, in project admin. */
async function makeRows({ admin }: RealCloud, rows: number): Promise<void> {
  const image = await makeImage(admin, 'hello', buildGuestImage());
  const flavor = await makeFlavor(admin, 'bench');
  const network = await makeNetwork(admin, 'bench', '10.100.0.0/16');
  for (let made = 0; made < rows; made += 50) {
    const count = Math.min(50, rows - made);
    await admin.call('compute', 'POST', '/servers', { server: { name: `bench-${made}`, imageRef: image, flavorRef: flavor, networks: [{ uuid: network }], min_count: count, max_count: count } });
  }
  for (;;) {
    const { servers } = (await admin.call('compute', 'GET', '/servers/detail?limit=1000')) as { servers: { status: string; fault?: { message: string } }[] };
    const failed = servers.find((server) => server.status === 'ERROR');
    if (failed !== undefined) throw new Error(`a server did not boot: ${failed.fault?.message}`);
    if (servers.length === rows && servers.every((server) => server.status === 'ACTIVE')) return;
    await sleep(200);
  }
}

const domain = { id: 'default' };
const scope = { project: { name: 'admin', domain } };
const byPassword = (password: string) => ({ auth: { identity: { methods: ['password'], password: { user: { name: 'admin', domain, password } } }, scope } });
const byToken = (id: string) => ({ auth: { identity: { methods: ['token'], token: { id } }, scope } });

async function tokenOf(cloud: RealCloud): Promise<string> {
  const response = await fetch(`${cloud.url}/identity/v3/auth/tokens`, { method: 'POST', body: JSON.stringify(byPassword(cloud.admin_password)), headers: { 'content-type': 'application/json' } });
  return response.headers.get('x-subject-token')!;
}

function targets(token: string, password: string, rows: number): Target[] {
  const headers = { 'x-auth-token': token, accept: 'application/json' };
  const login = { path: '/identity/v3/auth/tokens', headers: { 'content-type': 'application/json' }, check: (body: string) => body.includes('"catalog"') };
  const count = (body: string, key: string): number => (JSON.parse(body) as Record<string, unknown[]>)[key]!.length;
  return [
    { ...login, name: 'token issue, by token', body: byToken(token) },
    { ...login, name: 'token issue, by password', body: byPassword(password) },
    { name: 'token validate', path: '/identity/v3/auth/tokens', headers: { ...headers, 'x-subject-token': token }, budget: 0.19, check: (body) => body.includes('"expires_at"') },
    { name: `server list, ${rows} with details`, path: '/compute/v2.1/servers/detail?limit=1000', headers, budget: 15, check: (body) => count(body, 'servers') === rows },
    { name: `port list, ${rows}`, path: '/networking/v2.0/ports', headers, budget: 3.6, check: (body) => count(body, 'ports') === rows },
  ];
}

function send(agent: Agent, url: string, { headers, body }: Target): Promise<{ ok: boolean; status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers, method: body === undefined ? 'GET' : 'POST' }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => resolve({ ok: response.statusCode === (body === undefined ? 200 : 201), status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    }).on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Warms up for a fifth of the time, then measures. */
async function measure(cloud: RealCloud, target: Target, seconds: number, concurrency: number): Promise<Figure[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const url = cloud.url + target.path;
  const first = await send(agent, url, target);
  if (!first.ok || !target.check(first.body)) throw new Error(`${target.name}: ${first.status} ${first.body.slice(0, 200)}`);
  const run = async (ms: number): Promise<{ requests: number; elapsed: number; cpu: number }> => {
    const cpu = cpuMs(cloud.pid('controller')!);
    const began = performance.now();
    let requests = 0;
    const client = async (): Promise<void> => {
      while (performance.now() - began < ms) {
        const { ok, status } = await send(agent, url, target);
        if (!ok) throw new Error(`${target.name}: ${status}`);
        requests++;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, client));
    return { requests, elapsed: performance.now() - began, cpu: cpuMs(cloud.pid('controller')!) - cpu };
  };
  await run(seconds * 200);
  const { requests, elapsed, cpu } = await run(seconds * 1000);
  agent.destroy();
  return [
    { name: `${target.name}: CPU`, value: cpu / requests, unit: 'ms/request', ...(target.budget === undefined ? {} : { budget: { at: '<=', value: target.budget } }), note: `${requests} requests, ${first.body.length} bytes each` },
    { name: `${target.name}: rate`, value: (requests * 1000) / elapsed, unit: 'per s', note: `${concurrency} at once, client on the same machine` },
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '500' }, seconds: { type: 'string', default: '5' }, concurrency: { type: 'string', default: '4' }, out: { type: 'string' } } });
  const cloud = await startRealCloud({ name: 'gbapi', drivers: 'fake', toml: TOML });
  try {
    const began = performance.now();
    await makeRows(cloud, Number(values.rows));
    const figures: Figure[] = [{ name: `${values.rows} servers on nodes in memory`, value: (performance.now() - began) / 1000, unit: 's', note: 'all ACTIVE' }];
    const token = await tokenOf(cloud);
    for (const target of targets(token, cloud.admin_password, Number(values.rows))) figures.push(...(await measure(cloud, target, Number(values.seconds), Number(values.concurrency))));
    report('API', figures, values.out);
  } finally {
    await cloud.stop();
  }
}

await main();
