/** `gantry image build`: a Dockerfile run by the engine of this host, within limits, and its result in the cloud under the caller's name. */
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Engine } from '../../agents/compute/drivers/docker/engine.ts';
import type { Session } from '../api.ts';
import { CliError } from '../errors.ts';
import type { Output } from '../output.ts';
import { contextArchive, listContext } from './context.ts';
import { jsonLines, saveImage } from './engine-images.ts';
import { createImage, hideFormer, type GlanceImage } from './glance.ts';
import { byteText, referenceText, type Reference } from './names.ts';

export interface BuildPlan {
  folder: string;
  dockerfile: string;
  reference: Reference;
  visibility: string;
  build_args: Record<string, string>;
  memory_bytes: number;
  cpus: number;
  /** Docker's word for the network of the steps: `none`, `bridge` … */
  network: string;
  use_cache: boolean;
  pull: boolean;
  max_context_bytes: number;
  timeout_ms: number;
}

export interface Published {
  image: GlanceImage;
  /** Images that had the name before. */
  hidden: string[];
}

const CPU_PERIOD = 100_000;

/** @throws CliError with the step that failed. */
export async function buildImage(engine: Engine, session: Session, cloud: string, plan: BuildPlan, output: Output): Promise<Published> {
  await checkQuota(session, plan);
  const entries = await listContext(plan.folder, plan.dockerfile);
  const bytes = entries.reduce((total, entry) => total + entry.size, 0);
  if (bytes > plan.max_context_bytes) {
    throw new CliError('GY-BUILD-004', `the folder holds ${byteText(bytes)}, more than ${byteText(plan.max_context_bytes)}`, { next: 'name in .dockerignore what the image does not need, or raise --max-context' });
  }
  output.note(`${entries.length} entries, ${byteText(bytes)}, to the engine`);
  // A name of its own for each project: it is also all that a later build takes its cache from.
  const tag = `gantry/${cloud}/build/${session.project_id}/${referenceText(plan.reference)}`;
  await runBuild(engine, plan, tag, Readable.from(contextArchive(plan.folder, entries), { objectMode: false }), output);
  output.note('into the cloud');
  return await publish(session, referenceText(plan.reference), plan.visibility, () => saveImage(engine, tag));
}

/** Into the image service, in place of what had the name. */
export async function publish(session: Session, name: string, visibility: string, data: () => Promise<Readable>): Promise<Published> {
  const image = await createImage(session, { name, container_format: 'docker', disk_format: 'raw', visibility, properties: {} }, data);
  return { image, hidden: await hideFormer(session, image) };
}

/** A build takes what one server of its size would: a project that has no room for that builds nothing. */
async function checkQuota(session: Session, plan: BuildPlan): Promise<void> {
  const { limits } = (await session.call('compute', 'GET', '/limits')) as { limits: { absolute: Record<string, number> } };
  const { maxTotalRAMSize = -1, totalRAMUsed = 0, maxTotalCores = -1, totalCoresUsed = 0 } = limits.absolute;
  const memory_mb = Math.ceil(plan.memory_bytes / 1024 ** 2);
  const next = 'smaller --memory or --cpus, or delete servers';
  if (maxTotalRAMSize >= 0 && totalRAMUsed + memory_mb > maxTotalRAMSize) {
    throw new CliError('GY-BUILD-005', `the project's quota has ${Math.max(0, maxTotalRAMSize - totalRAMUsed)} MiB of memory left, the build takes ${memory_mb}`, { next });
  }
  if (maxTotalCores >= 0 && totalCoresUsed + Math.ceil(plan.cpus) > maxTotalCores) {
    throw new CliError('GY-BUILD-005', `the project's quota has ${Math.max(0, maxTotalCores - totalCoresUsed)} cores left, the build takes ${Math.ceil(plan.cpus)}`, { next });
  }
}

async function runBuild(engine: Engine, plan: BuildPlan, tag: string, context: Readable, output: Output): Promise<void> {
  const query = {
    t: tag, dockerfile: plan.dockerfile, version: 1, rm: 1, forcerm: 1, nocache: plan.use_cache ? 0 : 1, pull: plan.pull ? 1 : 0,
    memory: plan.memory_bytes, memswap: plan.memory_bytes, cpuperiod: CPU_PERIOD, cpuquota: Math.max(1000, Math.round(plan.cpus * CPU_PERIOD)),
    networkmode: plan.network, buildargs: JSON.stringify(plan.build_args), cachefrom: JSON.stringify([tag]),
  };
  let reply: Readable | undefined;
  // The engine ends a build whose asker has gone.
  const end = setTimeout(() => (reply ?? context).destroy(new CliError('GY-BUILD-007', `the build was stopped after ${plan.timeout_ms / 1000} s`, { next: 'a longer --timeout' })), plan.timeout_ms);
  const tail: string[] = [];
  try {
    reply = await engine.stream('POST', '/build', { query, stream: context, timeout_ms: plan.timeout_ms });
    for await (const message of jsonLines(reply as AsyncIterable<Buffer>)) {
      if (typeof message['error'] === 'string') throw failed(message['error'], tail.join('\n'), plan);
      const text = String(message['stream'] ?? message['status'] ?? '').replace(/\n$/, '');
      if (text === '') continue;
      output.note(text);
      tail.push(text);
      if (tail.length > 50) tail.shift();
    }
  } finally {
    clearTimeout(end);
    context.destroy();
  }
}

const OFFLINE = /temporary failure in name resolution|could not resolve|bad address|network is unreachable|name does not resolve|temporary error/i;

function failed(message: string, log: string, plan: BuildPlan): CliError {
  const offline = plan.network === 'none' && OFFLINE.test(`${log}\n${message}`);
  const oom = /returned a non-zero code: 137/.test(message);
  const next = offline ? 'steps of a build have no network; --network bridge gives them that of the host' : oom ? `it may have wanted more memory than ${byteText(plan.memory_bytes)}: --memory` : undefined;
  return new CliError('GY-BUILD-006', `the build failed: ${message}`, next === undefined ? {} : { next });
}

/** `NAME=value`, or `NAME` for what the environment says. @throws CliError */
export function parseBuildArgs(texts: readonly string[], env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(texts.map((text) => {
    const at = text.indexOf('=');
    const name = at === -1 ? text : text.slice(0, at);
    const value = at === -1 ? env[name] : text.slice(at + 1);
    if (name === '' || value === undefined) throw new CliError('GY-BUILD-008', `--build-arg ${text} has no value`, { next: '--build-arg NAME=value' });
    return [name, value];
  }));
}

/** CPUs and memory of this host, for limits that are within it. */
export function hostMemory(): number {
  return Number(/^MemTotal:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
}
