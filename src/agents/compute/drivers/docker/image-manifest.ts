/** From what an image archive says of itself to the one `manifest.json` and the configuration that the engine shall read. Pure. */
import { TarError } from '../../../../kernel/tar.ts';

export interface ArchiveContents {
  /** The files at the root that name images: `manifest.json`, `index.json`, `repositories`, `oci-layout`. */
  descriptors: Map<string, Buffer>;
  /** Names of all other files and links. */
  names: Set<string>;
  /** Contents of the small files that look like JSON. */
  blobs: Map<string, Buffer>;
}

export interface Platform {
  os: string;
  architecture: string;
}

interface Descriptor {
  mediaType?: string;
  digest?: string;
  platform?: Partial<Platform>;
  annotations?: Record<string, string>;
}

/** A text of a manifest.json that names one image with one tag and nothing else, and the configuration that belongs to it. */
export interface SingleImage {
  manifest: string;
  config: { name: string; content: Buffer };
}

export function singleImage(contents: ArchiveContents, tag: string, platform: Platform): SingleImage {
  const found = contents.descriptors.has('manifest.json') ? fromDockerSave(contents) : fromOciLayout(contents, platform);
  for (const name of [found.Config, ...found.Layers]) {
    if (!contents.names.has(name)) throw new TarError(`it names ${shown(name)}, which it does not hold`);
  }
  return {
    manifest: JSON.stringify([{ Config: found.Config, RepoTags: [tag], Layers: found.Layers }]),
    config: { name: found.Config, content: tamedConfig(contents.blobs.get(found.Config)) },
  };
}

/**
 * What the engine would do for an image on its own account stays out: probes that it starts as often as the image says, outside
 * of the server's limits, and volumes beside the server's disk, which no snapshot has. Names in any case, as Go reads them.
 */
const UNTAMED = new Set(['healthcheck', 'volumes', 'onbuild']);

export function tamedConfig(bytes: Buffer | undefined): Buffer {
  const config = bytes === undefined ? undefined : tryParse(bytes);
  if (config === undefined || Array.isArray(config)) throw new TarError('its configuration is not JSON, or too large');
  const tamed = Object.entries(config).flatMap(([key, value]: [string, unknown]) => {
    if (key.toLowerCase() === 'container_config') return [];
    const inner = key.toLowerCase() === 'config' && typeof value === 'object' && value !== null;
    return [[key, inner ? Object.fromEntries(Object.entries(value).filter(([name]) => !UNTAMED.has(name.toLowerCase()))) : value]];
  });
  return Buffer.from(JSON.stringify(Object.fromEntries(tamed)));
}

interface Found {
  Config: string;
  Layers: string[];
}

function fromDockerSave(contents: ArchiveContents): Found {
  const images = parse(contents.descriptors.get('manifest.json')!, 'manifest.json');
  if (!Array.isArray(images) || images.length === 0) throw new TarError('its manifest.json names no image');
  const configs = new Set(images.map((image: Partial<Found> | null) => image?.Config));
  if (configs.size > 1) throw new TarError(`it holds ${configs.size} images; save one`);
  const image = images[0] as Partial<Found> | null;
  if (typeof image?.Config !== 'string' || !Array.isArray(image.Layers) || !image.Layers.every((layer) => typeof layer === 'string')) {
    throw new TarError('its manifest.json is broken');
  }
  return { Config: canonicalName(image.Config), Layers: image.Layers.map(canonicalName) };
}

function fromOciLayout(contents: ArchiveContents, platform: Platform): Found {
  const index = contents.descriptors.get('index.json');
  if (index === undefined) {
    const old = contents.descriptors.has('repositories');
    throw new TarError(old ? 'it was saved by a Docker older than 1.10' : 'it holds neither manifest.json nor index.json');
  }
  let current = parse(index, 'index.json') as { manifests?: Descriptor[]; config?: Descriptor; layers?: Descriptor[] };
  for (let depth = 0; depth < 4 && Array.isArray(current.manifests); depth += 1) {
    const name = blobName(choose(current.manifests, platform));
    const blob = contents.blobs.get(name);
    if (blob === undefined) throw new TarError(`it names ${shown(name)}, which it does not hold as JSON`);
    current = parse(blob, name) as typeof current;
  }
  if (current.config === undefined || !Array.isArray(current.layers)) throw new TarError('its manifest names no configuration or no layers');
  return { Config: blobName(current.config), Layers: current.layers.map(blobName) };
}

function choose(manifests: Descriptor[], platform: Platform): Descriptor {
  const images = manifests.filter((one) => one.annotations?.['vnd.docker.reference.type'] !== 'attestation-manifest');
  const fitting = images.filter((one) => one.platform?.os === platform.os && one.platform.architecture === platform.architecture);
  const [only] = images.length === 1 ? images : fitting;
  if (only === undefined) throw new TarError(`it holds no image for ${platform.os}/${platform.architecture}`);
  if (images.length > 1 && new Set(fitting.map((one) => one.digest)).size > 1) throw new TarError(`it holds ${fitting.length} images; save one`);
  return only;
}

function blobName(descriptor: Descriptor): string {
  const match = /^(sha256|sha512):([0-9a-f]{64,128})$/.exec(descriptor.digest ?? '');
  if (match === null) throw new TarError('a digest in it is broken');
  return `blobs/${match[1]}/${match[2]}`;
}

function parse(bytes: Buffer, name: string): unknown {
  const value = tryParse(bytes);
  if (value === undefined) throw new TarError(`its ${shown(name)} is not JSON`);
  return value;
}

function tryParse(bytes: Buffer): object | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `./a//b/` → `a/b`; a name that leaves the archive is refused. */
export function canonicalName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..') || name.includes('\0')) throw new TarError(`it holds an unsafe name (${shown(name)})`);
  return parts.join('/');
}

export function shown(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]/g, '?');
  return plain.length > 80 ? `${plain.slice(0, 77)}...` : plain;
}
