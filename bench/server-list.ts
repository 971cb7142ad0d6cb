/**
 * Whether a page of servers costs the same however many there are: latency of one page, and memory of the controller, at growing numbers of servers.
 * `node bench/server-list.ts [--rows 100,1000,10000,100000] [--requests 200] [--out FILE]`. One server is made on a node in memory; the others are rows
 * like its own. No root, no Docker.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { buildGuestImage } from '../src/cli/guest-image.ts';
import { startRealCloud, type RealCloud } from '../test/support/real-cloud.ts';
import { createServer, makeFlavor, makeImage, makeNetwork, waitServer } from '../test/support/real-cloud-world.ts';
import { type Figure, percentile, pssMib, report } from './measure.ts';

const NAME = 'gblist';
/** What one page out of a hundred thousand may cost, in pages out of a hundred. */
const GROWTH = 1.5;

interface Target {
  name: string;
  path: string;
  /** How many servers the answer has. */
  count: (rows: number) => number;
  /** Whether it has to cost the same at any number. */
  flat: boolean;
}

const page = (rows: number): number => Math.min(100, rows);

const targets = (middle: string): Target[] => [
  { name: 'page of 100', path: '/servers?limit=100', count: page, flat: true },
  { name: 'page of 100 with details', path: '/servers/detail?limit=100', count: page, flat: true },
  { name: 'page of 50 from the middle', path: `/servers/detail?limit=50&marker=${middle}`, count: (rows) => Math.min(50, Math.floor(rows / 2) - 1), flat: true },
  { name: 'of all projects', path: '/servers/detail?limit=100&all_tenants=1', count: page, flat: true },
  { name: 'by status', path: '/servers/detail?limit=100&status=SHUTOFF', count: (rows) => Math.min(100, rows - 1), flat: true },
  { name: 'by a name that one has', path: '/servers/detail?name=server-00000042', count: () => 1, flat: false },
  { name: 'sorted by name', path: '/servers/detail?limit=100&sort_key=display_name', count: page, flat: false },
];

/** Rows like that of the server, but stopped and on no node. */
function fill(cloud: RealCloud, model: string, from: number, to: number): void {
  const db = new DatabaseSync(join(cloud.data_dir, 'controller', 'gantry.db'));
  db.exec('pragma busy_timeout = 30000');
  const row = db.prepare('select * from compute_servers where id = ?').get(model) as Record<string, string | number | null>;
  const columns = Object.keys(row);
  const insert = db.prepare(`insert into compute_servers (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`);
  for (let at = from; at < to; ) {
    db.exec('begin immediate');
    for (const end = Math.min(to, at + 5000); at < end; at++) insert.run(...columns.map((column) => ({ ...row, ...copy(at) })[column] ?? null));
    db.exec('commit');
  }
  db.exec('analyze');
  db.close();
}

function copy(at: number): Record<string, string | number | null> {
  const number = String(at).padStart(8, '0');
  const moment = new Date(Date.UTC(2026, 0, 1) + at * 1000).toISOString().replace('Z', '000Z');
  return { id: idOf(at), name: `server-${number}`, created_at: moment, updated_at: moment, launched_at: moment, vm_state: 'stopped', power_state: 4, task_state: null, node_id: null, host: null };
}

const idOf = (at: number): string => `${String(at).padStart(8, '0')}-0000-4000-8000-000000000000`;

async function measure(cloud: RealCloud, token: string, { path, count }: Target, rows: number, requests: number): Promise<number[]> {
  const took: number[] = [];
  for (let request = -Math.ceil(requests / 10); request < requests; request++) {
    const began = performance.now();
    const answer = await fetch(`${cloud.url}/compute/v2.1${path}`, { headers: { 'x-auth-token': token, 'openstack-api-version': 'compute 2.96' } });
    const body = await answer.text();
    if (request >= 0) took.push(performance.now() - began);
    if (request !== 0) continue;
    const { servers } = JSON.parse(body) as { servers?: unknown[] };
    if (servers?.length !== count(rows)) throw new Error(`${path}: ${answer.status}, ${servers?.length} servers where there should be ${count(rows)}`);
  }
  return took;
}

async function tokenOf(cloud: RealCloud): Promise<string> {
  const domain = { id: 'default' };
  const auth = { identity: { methods: ['password'], password: { user: { name: 'admin', domain, password: cloud.admin_password } } }, scope: { project: { name: 'admin', domain } } };
  const answer = await fetch(`${cloud.url}/identity/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth }), headers: { 'content-type': 'application/json' } });
  return answer.headers.get('x-subject-token')!;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '100,1000,10000,100000' }, requests: { type: 'string', default: '200' }, out: { type: 'string' } } });
  const cloud = await startRealCloud({ name: NAME, drivers: 'fake' });
  const figures: Figure[] = [];
  try {
    const { admin } = cloud;
    const network = await makeNetwork(admin, 'bench', '10.100.0.0/16');
    const model = await createServer(admin, { name: 'model', imageRef: await makeImage(admin, 'hello', buildGuestImage()), flavorRef: await makeFlavor(admin, 'bench'), networks: [{ uuid: network }] });
    await waitServer(admin, model, 'ACTIVE');
    const token = await tokenOf(cloud);
    const least = new Map<string, number>();
    let made = 1;
    for (const rows of values.rows.split(',').map(Number)) {
      fill(cloud, model, made, rows);
      made = rows;
      for (const target of targets(idOf(Math.floor(rows / 2)))) {
        const took = await measure(cloud, token, target, rows, Number(values.requests));
        const [p50, p99] = [percentile(took, 50), percentile(took, 99)];
        const first = least.get(target.name) ?? p50;
        least.set(target.name, first);
        figures.push({ name: `${rows} servers: ${target.name}`, value: p50, unit: 'ms', ...(target.flat ? { budget: { at: '<=', value: Number((first * GROWTH).toPrecision(3)) } } : {}), note: `p50; p99 ${p99.toFixed(1)} ms` });
      }
      figures.push({ name: `${rows} servers: memory of the controller`, value: pssMib(cloud.pid('controller')!), unit: 'MiB' });
    }
    report('Lists of servers', figures, values.out);
  } finally {
    await cloud.stop();
  }
}

await main();
