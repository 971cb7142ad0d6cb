/** An image by its manifest: only what the engine lacks crosses the network, several layers at once. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Log } from '../../../../kernel/log/log.ts';
import { endOfArchive, paddingOf, TarError, writeEntry, writeHeader } from '../../../../kernel/tar.ts';
import type { BlobRef, ImageManifest, ImageRef } from '../../protocol.ts';
import type { EngineLayers, VerifiedLayers } from './engine-layers.ts';
import { tamedConfig } from './image-manifest.ts';
import { keyOf, type LayerSpool, type SpooledLayer } from './layer-spool.ts';

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
/** The kernel stacks no more for an overlay. */
const MAX_LAYERS = 127;
const FETCHES_AT_ONCE = 4;

/** Where images come from. */
export interface LayerSource {
  /** Undefined: this image is only kept as an archive. */
  manifest(ref: ImageRef): Promise<ImageManifest | undefined>;
  /** A blob of that image, from its first byte, as it is stored. */
  blob(ref: ImageRef, digest: string): Promise<Readable>;
}

export interface LayerLoader {
  source: LayerSource;
  engine_layers: EngineLayers;
  verified: VerifiedLayers;
  spool: LayerSpool;
  /** Gives the archive to the engine. @throws LayerMissing */
  load(archive: Readable): Promise<void>;
  log: Log;
}

/** The engine looks for a layer in the archive which was left out of it: it has lost it meanwhile. */
export class LayerMissing extends Error {}

export interface Fetched {
  bytes_fetched: number;
  layers_fetched: number;
  layers_reused: number;
  bytes_reused: number;
}

interface Layer extends BlobRef {
  /** Lower-case hex. */
  diff_id: string;
}

interface Contents {
  /** As the engine gets it. */
  config: Buffer;
  layers: Layer[];
}

export async function loadByLayers(loader: LayerLoader, ref: ImageRef, manifest: ImageManifest, tag: string): Promise<Fetched> {
  checkManifest(manifest);
  const contents = contentsOf(await fetchConfig(loader.source, ref, manifest), manifest);
  const present = await loader.engine_layers.countPresent(contents.layers.map((layer) => layer.diff_id));
  const config_bytes = manifest.config.size;
  try {
    return await fetchAndLoad(loader, ref, { ...contents, tag, present, config_bytes });
  } catch (error) {
    if (!(error instanceof LayerMissing)) throw error;
    loader.log.info({ image_id: ref.id }, 'the engine lost layers that it had; the whole image is fetched');
    return await fetchAndLoad(loader, ref, { ...contents, tag, present: 0, config_bytes });
  }
}

interface Plan extends Contents {
  tag: string;
  config_bytes: number;
  /** How many of the lowest layers the engine has. */
  present: number;
}

async function fetchAndLoad(loader: LayerLoader, ref: ImageRef, plan: Plan): Promise<Fetched> {
  const needed: Layer[] = [];
  for (const [at, layer] of plan.layers.entries()) {
    if (at >= plan.present || !(await loader.verified.isVerified(layer))) needed.push(layer);
  }
  const wanted = [...new Map(needed.map((layer) => [keyOf(layer), layer])).values()];
  const spooled = new Map<string, SpooledLayer>();
  try {
    await fetchAll(loader, ref, wanted, spooled);
    const archive = Readable.from(layerArchive(plan, spooled), { objectMode: false });
    try {
      await loader.load(archive);
    } finally {
      archive.destroy();
    }
  } finally {
    await Promise.all([...spooled.values()].map((one) => one.release()));
  }
  await loader.verified.add(wanted, await loader.engine_layers.all());
  const reused = plan.layers.filter((layer) => !spooled.has(keyOf(layer)));
  return {
    bytes_fetched: plan.config_bytes + sum([...spooled.values()].map((one) => one.bytes_fetched)),
    layers_fetched: wanted.length,
    layers_reused: reused.length,
    bytes_reused: sum(reused.map((layer) => layer.size)),
  };
}

/** All or none: the first failure ends the others before it is told. */
async function fetchAll(loader: LayerLoader, ref: ImageRef, layers: readonly Layer[], into: Map<string, SpooledLayer>): Promise<void> {
  const waiting = [...layers];
  const streams = new Set<Readable>();
  let failed = false;
  const fetch = async (digest: string): Promise<Readable> => {
    const stream = await loader.source.blob(ref, digest);
    streams.add(stream);
    if (failed) stream.destroy();
    return stream;
  };
  const worker = async (): Promise<void> => {
    for (let layer = waiting.shift(); layer !== undefined && !failed; layer = waiting.shift()) {
      const { digest } = layer;
      into.set(keyOf(layer), await loader.spool.acquire(layer, () => fetch(digest)));
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: FETCHES_AT_ONCE }, () => worker().catch((error: unknown) => {
    failed = true;
    for (const stream of streams) stream.destroy();
    throw error;
  })));
  const broken = ended.filter((one) => one.status === 'rejected').map((one) => one.reason as unknown);
  // A stream that we cut says nothing of the cause.
  if (broken.length > 0) throw broken.find((error) => error instanceof TarError) ?? broken[0];
}

async function fetchConfig(source: LayerSource, ref: ImageRef, manifest: ImageManifest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of await source.blob(ref, manifest.config.digest)) {
    size += (chunk as Buffer).length;
    if (size > manifest.config.size) throw new TarError('its configuration is longer than its manifest says');
    chunks.push(chunk as Buffer);
  }
  const config = Buffer.concat(chunks);
  if (createHash('sha256').update(config).digest('hex') !== manifest.config.digest) throw new TarError('its configuration is not what its digest says');
  return config;
}

/** The engine goes by the configuration: what the manifest says of the same layers may not differ. */
function contentsOf(bytes: Buffer, manifest: ImageManifest): Contents {
  const config = tamedConfig(bytes);
  const { rootfs } = JSON.parse(config.toString('utf8')) as { rootfs?: { diff_ids?: unknown } };
  const named: unknown[] = Array.isArray(rootfs?.diff_ids) ? rootfs.diff_ids : [];
  const same = named.length === manifest.layers.length && manifest.layers.every(({ diff_id }, at) => diff_id === null || diff_id === named[at]);
  if (!same) throw new TarError('its configuration and its manifest name different layers');
  const layers = manifest.layers.map(({ digest, size }, at) => {
    const diff_id = /^sha256:([0-9a-f]{64})$/.exec(String(named[at]))?.[1];
    if (diff_id === undefined) throw new TarError('a digest in its configuration is broken');
    return { digest, size, diff_id };
  });
  return { config, layers };
}

function checkManifest({ config, layers }: ImageManifest): void {
  const good = [config, ...layers].every(({ digest }) => /^[0-9a-f]{64}$/.test(digest));
  if (!good) throw new TarError('a digest in its manifest is broken');
  if (![config, ...layers].every(({ size }) => Number.isSafeInteger(size) && size >= 0)) throw new TarError('a size in its manifest is broken');
  if (config.size > MAX_CONFIG_BYTES) throw new TarError('its configuration is too large');
  if (layers.length === 0) throw new TarError('it has no layer');
  if (layers.length > MAX_LAYERS) throw new TarError(`it has more than ${MAX_LAYERS} layers`);
}

/** What `load` reads: the engine looks for a file only of those layers that it does not have. */
async function* layerArchive({ layers, tag, config, present }: Plan, spooled: ReadonlyMap<string, SpooledLayer>): AsyncGenerator<Buffer> {
  const nameOf = ({ diff_id }: Layer): string => `${diff_id}.tar`;
  const written = new Set<string>();
  for (const layer of layers.slice(present)) {
    const file = spooled.get(keyOf(layer))!;
    if (written.has(layer.diff_id)) continue;
    written.add(layer.diff_id);
    yield writeHeader({ name: nameOf(layer) }, file.size);
    yield* createReadStream(file.path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
    yield Buffer.alloc(paddingOf(file.size));
  }
  yield writeEntry({ name: 'config.json', content: config });
  yield writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify([{ Config: 'config.json', RepoTags: [tag], Layers: layers.map(nameOf) }])) });
  yield endOfArchive();
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
