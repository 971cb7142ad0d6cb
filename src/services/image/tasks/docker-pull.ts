/** web-download from a registry: the OCI distribution protocol, every digest checked, into one archive as `docker save` writes it. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { badRequest, tooLarge } from '../../../kernel/fault.ts';
import { endOfArchive, paddingOf, writeEntry, writeHeader } from '../../../kernel/tar.ts';
import type { TaskDeps } from '../deps.ts';
import { type DockerReference, parseDockerUri } from '../model/import-source.ts';
import { counted, type FetchOptions } from './fetch-options.ts';
import { type RegistryClient, registryClient } from './registry-client.ts';

const INDEXES = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];
const MANIFESTS = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];
const MAX_JSON = 4 * 2 ** 20;
const MAX_LAYERS = 127;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

interface Pull {
  client: RegistryClient;
  folder: string;
  options: FetchOptions;
  /** Bytes on disk so far, unpacked. */
  unpacked: number;
}

const bad = (why: string) => badRequest('image.import-registry', `The image from the registry cannot be used: ${why}.`);

/** @returns bytes of the archive. Faults: 400 refused, not there, damaged, 413 */
export async function pullImage(deps: TaskDeps, image_id: string, uri: string, options: FetchOptions): Promise<number> {
  const reference = parseDockerUri(uri, deps.config);
  const pull: Pull = { client: registryClient(deps, reference, options.signal), folder: await deps.staging.folder(image_id), options, unpacked: 0 };
  const manifest = await findManifest(pull, reference);
  const config = await readJson(pull, 'blobs', manifest.config.digest, []);
  const diffs = (config.json as { rootfs?: { diff_ids?: unknown } }).rootfs?.diff_ids;
  if (!Array.isArray(diffs) || diffs.length !== manifest.layers.length) throw bad('its configuration and its manifest count different layers');
  for (const [at, layer] of manifest.layers.entries()) await fetchLayer(pull, layer, String(diffs[at]));
  return await deps.staging.receive(image_id, archive(pull, config.bytes, diffs as string[], uri.replace(/^docker:\/\//i, '')), options.limit);
}

/** The manifest for this machine's kind of processor. */
async function findManifest(pull: Pull, { reference }: DockerReference, depth = 0): Promise<{ config: Descriptor; layers: Descriptor[] }> {
  const { json } = await readJson(pull, 'manifests', reference, [...MANIFESTS, ...INDEXES]);
  const { manifests, config, layers } = json as { manifests?: unknown; config?: unknown; layers?: unknown };
  if (Array.isArray(manifests) && depth === 0) {
    const chosen = manifests.find((one: { platform?: { os?: string; architecture?: string } }) => one.platform?.os === 'linux' && one.platform.architecture === architecture());
    if (!isDescriptor(chosen)) throw bad(`it has no variant for linux/${architecture()}`);
    return await findManifest(pull, { reference: chosen.digest } as DockerReference, 1);
  }
  if (!isDescriptor(config) || !Array.isArray(layers) || !layers.every(isDescriptor)) throw bad('its manifest is none');
  if (layers.length > MAX_LAYERS) throw bad(`it has more than ${MAX_LAYERS} layers`);
  const total = layers.reduce((sum: number, { size }: Descriptor) => sum + size, 0);
  if (total > pull.options.limit) throw tooLarge('image.too-large', `Image exceeds the size limit of ${pull.options.limit} bytes.`);
  return { config, layers };
}

const architecture = (): string => ({ x64: 'amd64', ia32: '386' })[process.arch as string] ?? process.arch;

function isDescriptor(value: unknown): value is Descriptor {
  const { digest, size } = (value ?? {}) as Partial<Descriptor>;
  return typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest) && Number.isSafeInteger(size) && size! >= 0;
}

/** By tag there is nothing to compare with but what the registry says itself. */
async function readJson(pull: Pull, kind: 'manifests' | 'blobs', reference: string, accept: string[]): Promise<{ bytes: Buffer; json: object }> {
  const { body, headers } = await pull.client.get(`${kind}/${reference}`, accept);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_JSON) throw bad(`${reference} is too large`);
    parts.push(part);
  }
  const bytes = Buffer.concat(parts);
  const told = reference.startsWith('sha256:') ? reference : headers['docker-content-digest'];
  if (typeof told === 'string' && told.startsWith('sha256:')) checkDigest(createHash('sha256').update(bytes).digest('hex'), told);
  try {
    const json = JSON.parse(bytes.toString('utf8')) as unknown;
    if (typeof json === 'object' && json !== null) return { bytes, json };
  } catch {
    // said below
  }
  throw bad(`${reference} is not JSON`);
}

function checkDigest(found: string, wanted: string): void {
  if (`sha256:${found}` !== wanted) throw bad(`what came as ${wanted} has the digest sha256:${found}`);
}

/** One layer, unpacked to a file that its own digest names. */
async function fetchLayer(pull: Pull, layer: Descriptor, diff_id: string): Promise<void> {
  if (!/^sha256:[0-9a-f]{64}$/.test(diff_id)) throw bad('a digest in its configuration is no sha256');
  const { body } = await pull.client.get(`blobs/${layer.digest}`, []);
  const [packed, plain] = [createHash('sha256'), createHash('sha256')];
  const before = pull.unpacked;
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      plain.update(chunk);
      pull.unpacked += chunk.length;
      pull.options.onBytes(pull.unpacked);
      done(pull.unpacked > pull.options.limit ? tooLarge('image.too-large', `Image exceeds the size limit of ${pull.options.limit} bytes.`) : null, chunk);
    },
  });
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      packed.update(chunk);
      done(null, chunk);
    },
  });
  const target = createWriteStream(layerFile(pull, diff_id), { mode: 0o600 });
  const through = unpacker(layer.mediaType);
  await (through ? pipeline(body, hashing, through, watch, target) : pipeline(body, hashing, watch, target)).catch((error: unknown) => Promise.reject(readable(error)));
  checkDigest(packed.digest('hex'), layer.digest);
  if (pull.unpacked - before > 0 || layer.size > 0) checkDigest(plain.digest('hex'), diff_id);
}

/** A stream of a compressed layer that is none is the registry's fault. */
function readable(error: unknown): unknown {
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  if (/^Z_|^ZSTD_|ERR__?ZLIB|^ERR_ZSTD/.test(code)) return bad('a layer is damaged');
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') return bad('the registry hung up within a layer');
  if (code === 'ENOSPC' || code === 'EDQUOT') return tooLarge('image.storage-full', 'There is not enough disk space on the image storage media.', { cause: error });
  return error;
}

function unpacker(mediaType: string): Transform | undefined {
  if (mediaType.endsWith('gzip')) return createGunzip();
  if (mediaType.endsWith('zstd')) return createZstdDecompress();
  return undefined;
}

const layerFile = (pull: Pull, diff_id: string): string => join(pull.folder, diff_id.slice('sha256:'.length));

/** The same image gives the same bytes. */
async function* archive(pull: Pull, config: Buffer, diffs: readonly string[], tag: string): AsyncGenerator<Buffer> {
  const hex = (digest: string): string => digest.slice('sha256:'.length);
  const config_name = `${createHash('sha256').update(config).digest('hex')}.json`;
  for (const diff of new Set(diffs)) {
    const path = layerFile(pull, diff);
    const { size } = await stat(path);
    yield writeHeader({ name: `${hex(diff)}/layer.tar` }, size);
    yield* counted(createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>, () => {});
    yield Buffer.alloc(paddingOf(size));
  }
  yield writeEntry({ name: config_name, content: config });
  const manifest = [{ Config: config_name, RepoTags: tag.includes('@') ? [] : [tag], Layers: diffs.map((diff) => `${hex(diff)}/layer.tar`) }];
  yield writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) });
  yield endOfArchive();
}
