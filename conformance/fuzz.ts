/**
 * Thousands of bad requests, made after the declarations of the endpoints: none may be answered with a 5xx, none that is refused may change a row,
 * and none that its schema refuses may be taken.
 * `node conformance/fuzz.ts [--requests 10000] [--seed N] [--services identity,image]`: starts a controller of its own on SQLite; exit status 1 when a promise was broken.
 */
import { parseArgs } from 'node:util';
import { startTestCloud, type TestCloud } from '../test/support/cloud.ts';
import { request, type TestResponse } from '../test/support/surface.ts';
import { badRequest, type FuzzRequest, type Ids, learn, type Target } from './fuzz/requests.ts';
import { watchState } from './fuzz/state.ts';
import { createRandom } from './random.ts';

export interface FuzzOptions {
  requests: number;
  seed: number;
  services: readonly string[];
}

export interface FuzzResult {
  /** Answers by status. */
  statuses: Record<number, number>;
  refused: number;
  endpoints: number;
  /** Broken promises; empty when all is well. */
  problems: string[];
}

const MOST_PROBLEMS = 40;
/** Tables that time alone changes. */
const LIVELY = new Set(['identity_revocations']);

export async function runFuzz(cloud: TestCloud, { requests, seed, services }: FuzzOptions): Promise<FuzzResult> {
  const random = createRandom(seed);
  const ids = await makeWorld(cloud);
  const targets = targetsOf(cloud, services);
  const state = await watchState(cloud.db, services.map((name) => `${name.replace('-', '_')}_`));
  const result: FuzzResult = { statuses: {}, refused: 0, endpoints: new Set(targets.map(({ endpoint }) => endpoint)).size, problems: [] };
  let token = await cloud.token();
  for (let sent = 0; result.refused < requests && result.problems.length < MOST_PROBLEMS; sent++) {
    const made = badRequest(targets[sent % targets.length]!, ids, random);
    const { status, text, json } = await send(cloud, token, made);
    if (status === 201) learn(ids, json);
    result.statuses[status] = (result.statuses[status] ?? 0) + 1;
    if (status === 401 && !(await alive(cloud, token))) token = await cloud.token();
    const changed = (await state.changed()).filter((table) => !LIVELY.has(table));
    if (status >= 400) result.refused++;
    const problem = judge(made, status, changed);
    if (problem !== undefined) result.problems.push(`${problem}: ${describe(made)} -> ${status} ${text.slice(0, 200)}`);
  }
  return result;
}

/** 501 is an answer, not a fault of ours. */
function judge(made: FuzzRequest, status: number, changed: readonly string[]): string | undefined {
  if (status >= 500 && status !== 501) return 'a server fault';
  if (status >= 400 && changed.length > 0) return `refused, yet ${changed.join(', ')} changed`;
  return made.certain && status < 400 ? 'taken, though its schema refuses it' : undefined;
}

const describe = ({ method, path, body, headers }: FuzzRequest): string => `${method} ${path.slice(0, 300)} ${headers['content-type'] ?? ''} ${String(body ?? '').slice(0, 300)}`;

async function send(cloud: TestCloud, token: string, { method, path, body, headers }: FuzzRequest): Promise<TestResponse> {
  return request(cloud.url, token, method, path, { headers, ...(body === undefined ? {} : { body }) });
}

async function alive(cloud: TestCloud, token: string): Promise<boolean> {
  return (await request(cloud.url, token, 'GET', '/identity/v3/auth/projects')).status === 200;
}

/** Calls of nodes are not open to users. Those with a body come five times: there is more about them to get wrong. */
function targetsOf(cloud: TestCloud, services: readonly string[]): Target[] {
  return cloud.surfaces.filter(({ name }) => services.includes(name))
    .flatMap((surface) => surface.endpoints.filter(({ policy }) => policy !== 'node')
      .flatMap((endpoint) => Array.from({ length: endpoint.body === undefined ? 1 : 5 }, () => ({ surface, endpoint }))));
}

/** One of each of the things that paths speak of, none of which the administrator's own access hangs on. */
async function makeWorld(cloud: TestCloud): Promise<Ids> {
  const tenant = await cloud.tenant('fuzzed');
  const identity = async (kind: string, fields: Record<string, unknown>): Promise<string> => {
    const answer = await cloud.call('POST', `/identity/v3/${kind}s`, { body: { [kind]: fields } });
    if (answer.status !== 201) throw new Error(`POST ${kind}: ${answer.status} ${answer.text}`);
    return answer.json[kind].id as string;
  };
  const domain = await identity('domain', { name: 'fuzzed' });
  const role = await identity('role', { name: 'fuzzed' });
  const group = await identity('group', { name: 'fuzzed', domain_id: 'default' });
  const service = await identity('service', { type: 'fuzzed', name: 'fuzzed' });
  const region = await identity('region', { id: 'fuzzed' });
  const endpoint = await identity('endpoint', { service_id: service, interface: 'public', url: 'http://127.0.0.1/' });
  const image = (await cloud.call('POST', '/image/v2/images', { body: { name: 'fuzzed', disk_format: 'raw', container_format: 'bare' } })).json.id as string;
  return {
    domain_id: [domain], project_id: [tenant.project_id], user_id: [tenant.user_id], role_id: [role], group_id: [group], service_id: [service], region_id: [region],
    endpoint_id: [endpoint], image_id: [image], member_id: [tenant.project_id], id: [domain, tenant.project_id, tenant.user_id, role, group, service, region, endpoint, image],
  };
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { requests: { type: 'string', default: '10000' }, seed: { type: 'string' }, services: { type: 'string', default: 'identity,image' } } });
  const seed = Number(values.seed ?? Date.now() % 1e6);
  const cloud = await startTestCloud();
  try {
    const began = performance.now();
    const result = await runFuzz(cloud, { requests: Number(values.requests), seed, services: values.services.split(',') });
    for (const problem of result.problems) console.log(problem);
    console.log(`seed ${seed}: ${result.refused} requests refused over ${result.endpoints} endpoints in ${Math.round((performance.now() - began) / 1000)} s; answers ${JSON.stringify(result.statuses)}; ${result.problems.length} problems`);
    return result.problems.length === 0 ? 0 : 1;
  } finally {
    await cloud.stop();
  }
}

if (import.meta.main) process.exitCode = await main();
