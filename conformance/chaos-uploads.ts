/**
 * Uploads images and pushes them to the registry, deletes some of them, while the controller is killed with SIGKILL at random moments, again and again.
 * Whatever was acknowledged has to be there afterwards, whole; and once all is deleted no byte may be left over.
 * `node conformance/chaos-uploads.ts [--kills 200] [--seed N] [--workers 4] [--max-minutes 20]`: exit status 1 when a promise was broken. No root, no Docker.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startRealCloud, within, type RealCloud } from '../test/support/real-cloud.ts';
import { createRandom, type Random } from './random.ts';
import { imageMaker, sha512, type MadeImage } from './uploads/archives.ts';
import { registryClient, RegistryRefusal, type Registry } from './uploads/registry.ts';

export interface UploadChaosOptions {
  kills: number;
  seed: number;
  workers: number;
  max_ms: number;
  say: (line: string) => void;
}

export interface UploadChaosResult {
  kills: number;
  acknowledged: { uploads: number; pushes: number; deletions: number };
  /** Broken promises; empty when all is well. */
  problems: string[];
}

export const UPLOAD_CHAOS_TOML = '[image]\ngarbage_grace = 8\ngarbage_interval = 2\n';

type Kept = { kind: 'upload'; id: string; sha512: string } | { kind: 'push'; name: string; tag: string; digest: string };

interface Work {
  cloud: RealCloud;
  registry: Registry;
  make: () => MadeImage;
  /** What was acknowledged and not asked to be deleted. */
  kept: Kept[];
  result: UploadChaosResult;
}

export async function runUploadChaos(cloud: RealCloud, options: UploadChaosOptions): Promise<UploadChaosResult> {
  const random = createRandom(options.seed);
  const registry = registryClient(() => cloud.url, { username: 'admin', password: cloud.admin_password });
  const result: UploadChaosResult = { kills: 0, acknowledged: { uploads: 0, pushes: 0, deletions: 0 }, problems: [] };
  const work: Work = { cloud, registry, make: imageMaker(random), kept: [], result };
  const stop = new AbortController();
  const workers = Array.from({ length: options.workers }, (_, number) => upload(work, createRandom(options.seed * 1000 + number), number, stop.signal));
  try {
    await kill(work, options, random);
  } finally {
    stop.abort();
    await Promise.all(workers);
  }
  if (cloud.pid('controller') === undefined) cloud.launch('controller');
  await cloud.waitReady(90_000);
  if (result.acknowledged.uploads === 0 || result.acknowledged.pushes === 0) result.problems.push('hardly anything was acknowledged: this run says nothing');
  await verify(work);
  await removeAll(work, options.say);
  return result;
}

async function kill({ cloud, result }: Work, { kills, max_ms, say }: UploadChaosOptions, random: Random): Promise<void> {
  const end = performance.now() + max_ms;
  while (result.kills < kills && performance.now() < end) {
    await sleep(random.between(50, 2500));
    await cloud.kill('controller');
    result.kills++;
    cloud.launch('controller');
    if (random.chance(0.85)) await cloud.waitReady(90_000);
    if (result.kills % 20 === 0) say(`${result.kills} kills, ${JSON.stringify(result.acknowledged)}`);
  }
}

async function upload(work: Work, random: Random, number: number, signal: AbortSignal): Promise<void> {
  let token = '';
  for (let turn = 0; !signal.aborted; turn++) {
    try {
      if (token === '' || turn % 50 === 0) token = await tokenOf(work.cloud);
      if (random.chance(0.2)) await forget(work, token, random);
      else if (random.chance(0.5)) await byUpload(work, token, `upload-${number}-${turn}`);
      else await byPush(work, `admin/chaos-${number}-${Math.floor(random.between(0, 5))}`, `t${turn}`);
    } catch (error) {
      if (!isExpected(error)) work.result.problems.push(`${(error as Error).stack}`);
      await sleep(random.between(10, 200), undefined, { signal }).catch(() => {});
    }
  }
}

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A controller that is gone, or just came back to what another request left half done, is what happens here. */
const isExpected = (error: unknown): boolean => (error instanceof Refused || error instanceof RegistryRefusal) && [0, 404, 409, 503].includes(error.status);

async function call(cloud: RealCloud, token: string, method: string, path: string, body?: Buffer | object): Promise<Response> {
  const bytes = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json';
  const answer = await fetch(cloud.url + path, { method, headers: { 'x-auth-token': token, 'content-type': type }, signal: AbortSignal.timeout(60_000), ...(bytes === undefined ? {} : { body: bytes as never }) })
    .catch((error: Error) => { throw new Refused(0, error.message); });
  if (answer.ok) return answer;
  throw new Refused(answer.status, `${method} ${path}: ${answer.status} ${(await answer.text().catch(() => '')).slice(0, 300)}`);
}

async function tokenOf(cloud: RealCloud): Promise<string> {
  const domain = { id: 'default' };
  const auth = { identity: { methods: ['password'], password: { user: { name: 'admin', domain, password: cloud.admin_password } } }, scope: { project: { name: 'admin', domain } } };
  return (await call(cloud, '', 'POST', '/identity/v3/auth/tokens', { auth })).headers.get('x-subject-token')!;
}

async function byUpload({ cloud, make, kept, result }: Work, token: string, name: string): Promise<void> {
  const { archive } = make();
  const made = (await (await call(cloud, token, 'POST', '/image/v2/images', { name, container_format: 'docker', disk_format: 'raw' })).json()) as { id: string };
  await call(cloud, token, 'PUT', `/image/v2/images/${made.id}/file`, archive);
  result.acknowledged.uploads++;
  kept.push({ kind: 'upload', id: made.id, sha512: sha512(archive) });
}

async function byPush({ registry, make, kept, result }: Work, name: string, tag: string): Promise<void> {
  const digest = await registry.push(name, tag, make());
  result.acknowledged.pushes++;
  kept.push({ kind: 'push', name, tag, digest });
}

/** Once asked for, a deletion may have happened whatever the answer was. */
async function forget({ cloud, registry, kept, result }: Work, token: string, random: Random): Promise<void> {
  const [one] = kept.splice(Math.floor(random.between(0, kept.length)), 1);
  if (one === undefined) return;
  if (one.kind === 'upload') await call(cloud, token, 'DELETE', `/image/v2/images/${one.id}`);
  else await registry.remove(one.name, one.tag);
  result.acknowledged.deletions++;
}

interface Shown {
  id: string;
  status: string;
  os_hash_value: string | null;
}

async function listImages(cloud: RealCloud, token: string): Promise<Shown[]> {
  const pages = await Promise.all(['', '&os_hidden=true'].map(async (more) => ((await (await call(cloud, token, 'GET', `/image/v2/images?limit=1000${more}`)).json()) as { images: Shown[] }).images));
  return [...new Map(pages.flat().map((image) => [image.id, image])).values()];
}

/** A pushed image is hashed after the push, or after the restart that came in between. */
async function listHashed(cloud: RealCloud, token: string): Promise<Shown[]> {
  for (let tries = 0; ; tries += 1) {
    const images = await listImages(cloud, token);
    if (tries >= 300 || !images.some(({ status, os_hash_value }) => status === 'active' && os_hash_value === null)) return images;
    await sleep(100);
  }
}

/** What was acknowledged is there, and what is shown as active has the data it says it has. */
async function verify({ cloud, registry, kept, result }: Work): Promise<void> {
  const token = await tokenOf(cloud);
  const images = new Map((await listHashed(cloud, token)).map((image) => [image.id, image]));
  for (const one of kept) {
    if (one.kind === 'upload' && images.get(one.id)?.os_hash_value !== one.sha512) result.problems.push(`upload ${one.id} was acknowledged and is ${JSON.stringify(images.get(one.id))}`);
    if (one.kind === 'push') {
      const wrong = await registry.pull(one.name, `sha256:${one.digest}`).catch((error: Error) => [`push of ${one.name}:${one.tag} was acknowledged: ${error.message}`]);
      result.problems.push(...wrong);
    }
  }
  for (const { id, status, os_hash_value } of images.values()) {
    if (status === 'queued') continue;
    if (status !== 'active') result.problems.push(`image ${id} is ${status} with nobody at work on it`);
    else if (sha512(Buffer.from(await (await call(cloud, token, 'GET', `/image/v2/images/${id}/file`)).arrayBuffer())) !== os_hash_value) result.problems.push(`image ${id} is active, and its data are not those of its hash`);
  }
}

/** Files below the store, of which none may be left. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function removeAll({ cloud, result }: Work, say: (line: string) => void): Promise<void> {
  const token = await tokenOf(cloud);
  for (let images = await listImages(cloud, token); images.length > 0; images = await listImages(cloud, token)) {
    for (const { id } of images) await call(cloud, token, 'DELETE', `/image/v2/images/${id}`).catch((error: unknown) => { if (!isExpected(error)) throw error; });
  }
  const left = (): string[] => ['blobs', 'incoming', 'uploads', 'staging'].flatMap((name) => filesBelow(join(cloud.data_dir, 'controller', name)));
  try {
    await within(90_000, 'bytes are left over', () => left().slice(0, 10).join(', '), async () => left().length === 0);
    say('nothing is left over');
  } catch (error) {
    result.problems.push((error as Error).message);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '200' }, seed: { type: 'string', default: String(Date.now() % 100_000) }, workers: { type: 'string', default: '4' },
      'max-minutes': { type: 'string', default: '20' }, name: { type: 'string', default: 'gchaup' },
    },
  });
  const options: UploadChaosOptions = { kills: Number(values.kills), seed: Number(values.seed), workers: Number(values.workers), max_ms: Number(values['max-minutes']) * 60_000, say: (line) => console.log(line) };
  console.log(`seed ${options.seed}`);
  const cloud = await startRealCloud({ name: values.name, drivers: 'fake', with_agent: false, toml: UPLOAD_CHAOS_TOML });
  try {
    const result = await runUploadChaos(cloud, options);
    console.log(JSON.stringify(result, null, 2));
    return result.problems.length === 0 ? 0 : 1;
  } finally {
    await cloud.stop();
  }
}

if (import.meta.main) process.exitCode = await main();
