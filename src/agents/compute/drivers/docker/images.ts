/** Images on this node: one tag per Glance id and digest, loaded once however many servers wait for it. */
import { Readable } from 'node:stream';
import { badRequest, isFault, unavailable } from '../../../../kernel/fault.ts';
import type { Log } from '../../../../kernel/log/log.ts';
import type { ImageRef } from '../../protocol.ts';
import { imageTag } from './container-config.ts';
import { EngineError, isEngineStatus } from './engine-error.ts';
import type { Engine } from './engine.ts';
import { reasonOf, toFault } from './faults.ts';
import { rewriteImageArchive } from './image-archive.ts';
import { TarError } from '../../../../kernel/tar.ts';

export interface Images {
  /** After it, `imageTag(cloud, ref)` is on the node. Throws faults: `compute.image-invalid`, `compute.disk-full` … */
  ensure(ref: ImageRef): Promise<void>;
}

const LOAD_SILENCE_MS = 15 * 60_000;
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ppc64: 'ppc64le', s390x: 's390x', riscv64: 'riscv64' };

export function createImages(engine: Engine, cloud: string, fetchImage: (ref: ImageRef) => Promise<Readable>, log: Log): Images {
  const loading = new Map<string, Promise<void>>();

  async function ensure(ref: ImageRef): Promise<void> {
    checkRef(ref);
    const tag = imageTag(cloud, ref);
    let load = loading.get(tag);
    if (load === undefined) {
      load = present(engine, tag).then(async (there) => {
        if (!there) await loadImage(ref, tag);
      });
      loading.set(tag, load);
      void load.catch(() => {}).finally(() => loading.delete(tag));
    }
    await load;
  }

  async function loadImage(ref: ImageRef, tag: string): Promise<void> {
    const began = performance.now();
    const source = await fetchImage(ref).catch((error: unknown) => {
      throw fetchFault(error, ref);
    });
    const platform = { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
    const archive = Readable.from(rewriteImageArchive(source, { tag, digest: ref.digest, size: ref.size, platform }), { objectMode: false });
    try {
      const reply = await engine.stream('POST', '/images/load', { query: { quiet: 1 }, stream: archive, timeout_ms: LOAD_SILENCE_MS });
      await checkLoad(reply);
    } catch (error) {
      throw loadFault(error, ref);
    } finally {
      archive.destroy();
      source.destroy();
    }
    if (!(await present(engine, tag))) throw badRequest('compute.image-invalid', 'The image cannot be used: the engine took it without keeping it.');
    log.info({ image_id: ref.id, ms: Math.round(performance.now() - began) }, 'image loaded');
  }

  return { ensure };
}

function checkRef(ref: ImageRef): void {
  if (!/^[0-9a-f]{64}$/.test(ref.digest)) throw badRequest('compute.image-invalid', `The image ${ref.id} has no sha-256 digest.`);
  if (!/^[0-9a-f-]{32,36}$/i.test(ref.id)) throw badRequest('compute.image-invalid', 'The image has no usable id.');
  if (ref.container_format !== 'docker') {
    throw badRequest('compute.image-invalid', `The image ${ref.id} has container format "${ref.container_format}"; a server needs "docker".`);
  }
}

async function present(engine: Engine, tag: string): Promise<boolean> {
  try {
    await engine.json('GET', `/images/${tag}/json`);
    return true;
  } catch (error) {
    if (isEngineStatus(error, 404)) return false;
    throw toFault(error, 'compute.image-failed', 'look for the image');
  }
}

/** The engine answers 200 before it has unpacked: the verdict is in the body, one JSON object a line. */
async function checkLoad(reply: Readable): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply) chunks.push(chunk as Buffer);
  for (const line of Buffer.concat(chunks).toString('utf8').split('\n')) {
    if (!line.trim().startsWith('{')) continue;
    const message = JSON.parse(line) as { error?: string };
    if (message.error !== undefined) throw new EngineError('refused', 500, message.error);
  }
}

function loadFault(error: unknown, ref: ImageRef): Error {
  if (!(error instanceof EngineError) && !(error instanceof TarError)) return fetchFault(error, ref);
  const fault = toFault(error, 'compute.image-invalid', 'load the image');
  const refused = error instanceof EngineError && error.reason === 'refused' && fault.code === 'compute.image-invalid';
  return refused ? toFault(new TarError(`the engine refuses it (${reasonOf(error.message)})`), '', '') : fault;
}

/** The way from the store broke: nothing is said of the image itself. */
function fetchFault(error: unknown, ref: ImageRef): Error {
  if (isFault(error)) return error;
  return unavailable('compute.image-fetch-failed', `Could not fetch image ${ref.id} from the image store.`, { cause: error });
}
