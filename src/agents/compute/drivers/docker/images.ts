/** Images on this node: one tag per Glance id and digest, loaded once however many servers wait for it. */
import { Readable } from 'node:stream';
import { join } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import { badRequest, Fault, isFault, unavailable } from '../../../../kernel/fault.ts';
import type { Log } from '../../../../kernel/log/log.ts';
import type { DropOutcome, ImageFetch, ImageRef, KeptImage } from '../../protocol.ts';
import { imageTag } from './container-config.ts';
import { EngineError, isEngineStatus } from './engine-error.ts';
import { createEngineLayers, createVerifiedLayers } from './engine-layers.ts';
import type { Engine } from './engine.ts';
import { reasonOf, toFault } from './faults.ts';
import { rewriteImageArchive } from './image-archive.ts';
import { createKeptImages } from './kept-images.ts';
import { createLayerSpool } from './layer-spool.ts';
import { LayerMissing, loadByLayers, type Fetched, type LayerSource } from './load-layers.ts';
import { TarError } from '../../../../kernel/tar.ts';

export interface Images {
  /** After it, `imageTag(cloud, ref)` is on the node. Throws faults: `compute.image-invalid`, `compute.disk-full` … */
  ensure(ref: ImageRef): Promise<ImageFetch>;
  list(): Promise<KeptImage[]>;
  /** Those of an image that a container was made from stay. */
  drop(image_id: string): Promise<DropOutcome>;
}

export interface ImageStore {
  /** The stored archive of an image, from its first byte. */
  archive(ref: ImageRef): Promise<Readable>;
  /** Without it, or without a manifest, images come as whole archives. */
  layers?: LayerSource | undefined;
}

export interface ImagesOptions {
  engine: Engine;
  cloud: string;
  store: ImageStore;
  /** Keeps what is on its way, and what was verified. */
  state_dir: string;
  log: Log;
  clock: Clock;
}

const LOAD_SILENCE_MS = 15 * 60_000;
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ppc64: 'ppc64le', s390x: 's390x', riscv64: 'riscv64' };
const NOTHING = { bytes_fetched: 0, layers_fetched: 0, layers_reused: 0, bytes_reused: 0 };

export function createImages({ engine, cloud, store, state_dir, log, clock }: ImagesOptions): Images {
  const loading = new Map<string, Promise<ImageFetch>>();
  const kept = createKeptImages(engine, cloud, clock);
  const parts = {
    engine_layers: createEngineLayers(engine),
    verified: createVerifiedLayers(join(state_dir, 'verified-layers.json')),
    spool: createLayerSpool(join(state_dir, 'layers')),
    load: (archive: Readable) => loadArchive(engine, archive),
    log,
  };

  async function ensure(ref: ImageRef): Promise<ImageFetch> {
    checkRef(ref);
    const tag = imageTag(cloud, ref);
    let load = loading.get(tag);
    if (load === undefined) {
      load = present(engine, tag).then(async (there) => (there ? { ...NOTHING, present: true, ms: 0 } : await bring(ref, tag)));
      loading.set(tag, load);
      void load.catch(() => {}).finally(() => loading.delete(tag));
    }
    const fetched = await load;
    if (fetched.present) kept.used(ref.id);
    return fetched;
  }

  async function bring(ref: ImageRef, tag: string): Promise<ImageFetch> {
    const began = performance.now();
    let fetched: Fetched;
    try {
      const manifest = await store.layers?.manifest(ref);
      fetched = manifest === undefined || store.layers === undefined ? await bringArchive(ref, tag) : await loadByLayers({ ...parts, source: store.layers }, ref, manifest, tag);
    } catch (error) {
      throw loadFault(error, ref);
    }
    if (!(await present(engine, tag))) throw badRequest('compute.image-invalid', 'The image cannot be used: the engine took it without keeping it.');
    kept.brought(ref.id);
    const result = { ...fetched, present: false, ms: Math.round(performance.now() - began) };
    log.info({ image_id: ref.id, ...result }, 'image loaded');
    return result;
  }

  async function bringArchive(ref: ImageRef, tag: string): Promise<Fetched> {
    checkFormat(ref);
    const source = await store.archive(ref);
    const count = { bytes_fetched: 0 };
    const platform = { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
    const archive = Readable.from(rewriteImageArchive(counted(source, count), { tag, digest: ref.digest, size: ref.size, platform }), { objectMode: false });
    try {
      await parts.load(archive);
    } finally {
      archive.destroy();
      source.destroy();
    }
    return { ...NOTHING, ...count };
  }

  return { ensure, list: kept.list, drop: kept.drop };
}

async function* counted(source: AsyncIterable<Buffer>, count: { bytes_fetched: number }): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    count.bytes_fetched += chunk.length;
    yield chunk;
  }
}

function checkRef(ref: ImageRef): void {
  if (!/^[0-9a-f]{64}$/.test(ref.digest)) throw badRequest('compute.image-invalid', `The image ${ref.id} has no sha-256 digest.`);
  if (!/^[0-9a-f-]{32,36}$/i.test(ref.id)) throw badRequest('compute.image-invalid', 'The image has no usable id.');
}

function checkFormat(ref: ImageRef): void {
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

async function loadArchive(engine: Engine, archive: Readable): Promise<void> {
  const reply = await engine.stream('POST', '/images/load', { query: { quiet: 1 }, stream: archive, timeout_ms: LOAD_SILENCE_MS });
  await checkLoad(reply);
}

/** The engine answers 200 before it has unpacked: the verdict is in the body, one JSON object a line. */
async function checkLoad(reply: Readable): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply) chunks.push(chunk as Buffer);
  for (const line of Buffer.concat(chunks).toString('utf8').split('\n')) {
    if (!line.trim().startsWith('{')) continue;
    const message = JSON.parse(line) as { error?: string };
    if (message.error === undefined) continue;
    if (/docker-import-[^/]*\/[0-9a-f]{64}\.tar: no such file/.test(message.error)) throw new LayerMissing(message.error);
    throw new EngineError('refused', 500, message.error);
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
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return new Fault(507, 'compute.disk-full', "Could not fetch the image: the node's disk is full.", { cause: error });
  return unavailable('compute.image-fetch-failed', `Could not fetch image ${ref.id} from the image store.`, { cause: error });
}
