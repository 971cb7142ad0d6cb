/**
 * Boots and deletes servers at once while controller or agent is killed with SIGKILL at random moments, again and again; then everything
 * has to settle, and after all is deleted nothing may be left over.
 * `node conformance/chaos.ts [--kills 200] [--seed N] [--workers 4] [--max-minutes 30]`: exit status 1 when a promise was broken.
 */
import { cpSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ApiError, type Session } from '../src/cli/api.ts';
import { buildGuestImage } from '../src/cli/guest-image.ts';
import { startRealCloud, within, type PartName, type RealCloud } from '../test/support/real-cloud.ts';
import { addressOf, isGone, makeFlavor, makeImage, makeOpenGroup, makePublicNetwork, type ServerView } from '../test/support/real-cloud-world.ts';
import { describeLeaks, settledLeaks } from './leaks.ts';
import { createRandom, type Random } from './random.ts';

export interface ChaosOptions {
  kills: number;
  seed: number;
  /** How many boot and delete at once. */
  workers: number;
  /** After it no more is killed. */
  max_ms: number;
  say: (line: string) => void;
}

export interface ChaosResult {
  kills: Record<PartName, number>;
  asked: { boots: number; deletes: number };
  /** Servers by status after the last kill, once all had settled. */
  settled: Record<string, number>;
  /** Why servers went to ERROR, and how many for that reason. */
  faults: Record<string, number>;
  /** Broken promises; empty when all is well. */
  problems: string[];
}

/** No quota, and short intervals: what only a comparison finds is found within seconds. */
export const CHAOS_TOML = '[compute]\nsync_interval = 3\norphan_grace = 5\ncpu_allocation_ratio = 64\nboot_timeout = 60\nquota_instances = -1\nquota_cores = -1\nquota_ram = -1\n\n[network]\nquota_port = -1\n';
const SETTLE_MS = 180_000;

interface World {
  image: string;
  flavor: string;
  network: string;
  group: string;
}

export async function runChaos(cloud: RealCloud, options: ChaosOptions): Promise<ChaosResult> {
  const world = await prepare(cloud.admin);
  const result: ChaosResult = { kills: { controller: 0, agent: 0 }, asked: { boots: 0, deletes: 0 }, settled: {}, faults: {}, problems: [] };
  const stop = new AbortController();
  const workers = Array.from({ length: options.workers }, (_, number) => work(cloud, world, createRandom(options.seed * 1000 + number), result, stop.signal));
  try {
    await killing(cloud, options, result);
  } finally {
    stop.abort();
    await Promise.all(workers);
  }
  for (const part of ['controller', 'agent'] as const) if (cloud.pid(part) === undefined) cloud.launch(part);
  await cloud.waitReady(90_000);
  await settle(cloud, result);
  await removeAll(cloud, result, options.say);
  return result;
}

async function prepare(admin: Session): Promise<World> {
  return {
    image: await makeImage(admin, 'hello', buildGuestImage()),
    flavor: await makeFlavor(admin, 'chaos'),
    network: await makePublicNetwork(admin, '10.10.78'),
    group: await makeOpenGroup(admin),
  };
}

async function killing(cloud: RealCloud, { kills, seed, max_ms, say }: ChaosOptions, result: ChaosResult): Promise<void> {
  const random = createRandom(seed);
  const end = performance.now() + max_ms;
  for (let number = 1; number <= kills && performance.now() < end; number++) {
    await sleep(random.between(100, 1800));
    const parts: PartName[] = random.chance(0.1) ? ['controller', 'agent'] : [random.chance(0.5) ? 'controller' : 'agent'];
    for (const part of parts) {
      await cloud.kill(part);
      result.kills[part]++;
    }
    if (random.chance(0.3)) await sleep(random.between(0, 1000));
    for (const part of parts) cloud.launch(part);
    // Now and then the next kill meets a process that has not come up yet.
    if (random.chance(0.8)) await cloud.waitReady(90_000);
    if (number % 10 === 0) say(`${number} kills, ${result.asked.boots} boots, ${result.asked.deletes} deletes`);
  }
}

/** One user: boots a server, looks at it for a while or not at all, deletes it; some are left to stand. */
async function work({ admin }: RealCloud, world: World, random: Random, result: ChaosResult, signal: AbortSignal): Promise<void> {
  const mine: string[] = [];
  while (!signal.aborted) {
    const name = `chaos-${result.asked.boots}`;
    const body = { name, imageRef: world.image, flavorRef: world.flavor, networks: [{ uuid: world.network }], security_groups: [{ name: world.group }] };
    const made = await tolerant(() => admin.call('compute', 'POST', '/servers', { server: body }));
    if (made !== undefined) {
      result.asked.boots++;
      mine.push(made.server.id);
    }
    await pause(random.chance(0.3) ? 0 : random.between(50, 2000), signal);
    while (mine.length > 3 || (mine.length > 0 && random.chance(0.5))) {
      const [id] = mine.splice(Math.floor(random.between(0, mine.length)), 1);
      await tolerant(() => admin.call('compute', 'DELETE', `/servers/${id}`));
      result.asked.deletes++;
    }
    await pause(random.between(20, 300), signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** A controller that is dead, or that lacks its node, is what happens here; anything else is not. */
async function tolerant<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ApiError && [0, 404, 409, 503].includes(error.status)) return undefined;
    throw error;
  }
}

async function listServers(admin: Session): Promise<(ServerView & { 'OS-EXT-STS:task_state': string | null })[]> {
  return (await admin.call('compute', 'GET', '/servers/detail?all_tenants=1&limit=1000')).servers;
}

/** Every server ends up ACTIVE or ERROR, and what is ACTIVE answers. */
async function settle(cloud: RealCloud, result: ChaosResult): Promise<void> {
  let servers = await listServers(cloud.admin);
  const restless = (): typeof servers => servers.filter((server) => !['ACTIVE', 'ERROR'].includes(server.status) || server['OS-EXT-STS:task_state'] !== null);
  try {
    await within(SETTLE_MS, 'servers have not settled', () => '', async () => {
      servers = await listServers(cloud.admin);
      return restless().length === 0;
    });
  } catch {
    for (const server of restless()) result.problems.push(`server ${server.id} is ${server.status}, ${server['OS-EXT-STS:task_state']}, long after the last kill`);
  }
  for (const { status } of servers) result.settled[status] = (result.settled[status] ?? 0) + 1;
  for (const { fault } of servers.filter(({ status }) => status === 'ERROR')) {
    const reason = (fault?.message ?? 'none').replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '…');
    result.faults[reason] = (result.faults[reason] ?? 0) + 1;
  }
  const leaks = await settledLeaks(cloud.settings, 60_000);
  if (leaks.length > 0) result.problems.push(`with all at rest:\n${describeLeaks(leaks)}`);
  const silent = await Promise.all(servers.filter(({ status }) => status === 'ACTIVE').map((server) => answers(server)));
  result.problems.push(...silent.filter((problem) => problem !== undefined));
}

async function answers(server: ServerView): Promise<string | undefined> {
  try {
    const page = await fetch(`http://${addressOf(server)}/`, { signal: AbortSignal.timeout(10_000) });
    await page.arrayBuffer();
    return undefined;
  } catch (error) {
    return `server ${server.id} is ACTIVE and does not answer: ${(error as Error).message}`;
  }
}

async function removeAll(cloud: RealCloud, result: ChaosResult, say: (line: string) => void): Promise<void> {
  const { admin } = cloud;
  const servers = await listServers(admin);
  for (const { id } of servers) await tolerant(() => admin.call('compute', 'DELETE', `/servers/${id}`));
  for (const { id } of servers) {
    await within(SETTLE_MS, `server ${id} is not gone`, () => '', () => isGone(admin, id)).catch((error: Error) => result.problems.push(error.message));
  }
  const leaks = await settledLeaks(cloud.settings, 60_000);
  if (leaks.length > 0) result.problems.push(`with all deleted:\n${describeLeaks(leaks)}`);
  else say('nothing is left over');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '200' }, seed: { type: 'string', default: String(Date.now() % 100_000) }, workers: { type: 'string', default: '4' },
      'max-minutes': { type: 'string', default: '30' }, name: { type: 'string', default: 'gchaos' }, logs: { type: 'string' },
    },
  });
  const options: ChaosOptions = { kills: Number(values.kills), seed: Number(values.seed), workers: Number(values.workers), max_ms: Number(values['max-minutes']) * 60_000, say: (line) => console.log(line) };
  console.log(`seed ${options.seed}`);
  const cloud = await startRealCloud({ name: values.name, toml: CHAOS_TOML });
  try {
    const result = await runChaos(cloud, options);
    console.log(JSON.stringify(result, null, 2));
    if (result.problems.length > 0) console.log(`PROBLEMS\n${result.problems.join('\n')}`);
    return result.problems.length === 0 ? 0 : 1;
  } finally {
    if (values.logs !== undefined) {
      rmSync(values.logs, { recursive: true, force: true });
      cpSync(`${cloud.data_dir}/log`, values.logs, { recursive: true });
    }
    await cloud.stop();
  }
}

if (import.meta.main) process.exitCode = await main();
