/** Manifests of the OCI image specification and of Docker's schema 2: read, made, and shown to nodes. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { notFound } from '../../../kernel/fault.ts';
import type { ImageManifest } from '../client.ts';
import type { TaskDeps } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import { heldManifest } from '../store/holds.ts';
import { findImage } from '../store/images.ts';
import { findManifestBlob, listManifestBlobs } from '../store/manifests.ts';
import type { ManifestBlobRow, ManifestRow } from '../store/tables.ts';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';

export interface NewManifest {
  row: ManifestRow;
  links: ManifestBlobRow[];
}

export interface ParsedManifest extends NewManifest {
  kind: 'image' | 'index';
}

export interface ContainerForm {
  config: { digest: string; size: number };
  layers: { digest: string; size: number; diff_id: string | null; media_type: string }[];
}

/** An OCI manifest for blobs that are there. The same blobs make the same bytes. */
export function composeManifest({ config, layers }: ContainerForm, now: string): NewManifest {
  const descriptors = layers.map(({ digest, size, media_type }) => ({ mediaType: media_type, digest: `sha256:${digest}`, size }));
  const body = JSON.stringify({
    schemaVersion: 2, mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: `sha256:${config.digest}`, size: config.size }, layers: descriptors,
  });
  const digest = createHash('sha256').update(body).digest('hex');
  const common = { manifest: digest, platform: null };
  return {
    row: { digest, media_type: OCI_MANIFEST, artifact_type: null, subject: null, annotations: null, size: Buffer.byteLength(body), body, touched_at: now },
    links: [
      { ...common, position: 0, role: 'config', digest: config.digest, size: config.size, media_type: OCI_CONFIG, diff_id: null },
      ...layers.map((layer, at) => ({ ...common, position: at + 1, role: 'layer' as const, ...layer })),
    ],
  };
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os?: unknown; architecture?: unknown };
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

function descriptorOf(value: unknown): Descriptor | undefined {
  if (!isObject(value)) return undefined;
  const { mediaType, digest, size } = value;
  const match = typeof digest === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(digest) : null;
  if (!match || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (mediaType !== undefined && typeof mediaType !== 'string') return undefined;
  return { mediaType: mediaType ?? 'application/octet-stream', digest: match[1]!, size, ...(isObject(value['platform']) ? { platform: value['platform'] } : {}) };
}

function descriptorsOf(value: unknown): Descriptor[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const found = value.map(descriptorOf);
  return found.every((one) => one !== undefined) ? found : undefined;
}

/**
 * @param declared media type that came with it; undefined: what it says itself counts.
 * @returns undefined when it is none, or of a kind that is not known.
 */
export function parseManifest(body: Buffer, digest: string, declared: string | undefined, now: string): ParsedManifest | undefined {
  const text = body.toString('utf8');
  const value = Buffer.from(text, 'utf8').equals(body) ? tryJson(text) : undefined;
  if (value?.['schemaVersion'] !== 2) return undefined;
  const own = value['mediaType'];
  // Only the bytes decide what they are: of one digest there is one manifest, whoever brings it first.
  const media_type = own ?? (Array.isArray(value['manifests']) ? OCI_INDEX : OCI_MANIFEST);
  if (typeof media_type !== 'string' || (declared !== undefined && media_type !== declared)) return undefined;
  const links = linksOf(value, media_type, digest);
  const subject = value['subject'] === undefined ? null : descriptorOf(value['subject']);
  const annotations = value['annotations'];
  if (links === undefined || subject === undefined || (annotations !== undefined && !isObject(annotations))) return undefined;
  const artifact_type = typeof value['artifactType'] === 'string' && value['artifactType'] !== '' ? value['artifactType'] : (links.find(({ role }) => role === 'config')?.media_type ?? null);
  return {
    kind: media_type === OCI_INDEX || media_type === DOCKER_LIST ? 'index' : 'image',
    links,
    row: { digest, media_type, artifact_type, subject: subject?.digest ?? null, annotations: annotations === undefined ? null : JSON.stringify(annotations), size: body.length, body: text, touched_at: now },
  };
}

function tryJson(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function linksOf(value: Json, media_type: string, manifest: string): ManifestBlobRow[] | undefined {
  const link = (role: ManifestBlobRow['role']) => ({ digest, size, mediaType, platform }: Descriptor, position: number): ManifestBlobRow => ({
    manifest, role, position, digest, size, media_type: mediaType, diff_id: null, platform: platform ? `${String(platform.os)}/${String(platform.architecture)}` : null,
  });
  if (media_type === OCI_INDEX || media_type === DOCKER_LIST) return descriptorsOf(value['manifests'])?.map(link('manifest'));
  if (media_type !== OCI_MANIFEST && media_type !== DOCKER_MANIFEST) return undefined;
  const config = descriptorOf(value['config']);
  const layers = descriptorsOf(value['layers']);
  if (!config || !layers) return undefined;
  return [link('config')(config, 0), ...layers.map((layer, at) => link('layer')(layer, at + 1))];
}

/** Also of an image that is gone but held. Faults: 404 no such image. */
export async function openManifest(deps: TaskDeps, image_id: string): Promise<ImageManifest | undefined> {
  const digest = await manifestDigest(deps, image_id);
  if (digest === null) return undefined;
  const links = await listManifestBlobs(deps.db.read, digest);
  const config = links.find(({ role }) => role === 'config');
  if (config === undefined) return undefined;
  const layers = links.filter(({ role }) => role === 'layer').map(({ digest: layer, size, diff_id, media_type }) => ({ digest: layer, size, diff_id, media_type }));
  return { digest, config: { digest: config.digest, size: config.size }, layers };
}

async function manifestDigest(deps: TaskDeps, image_id: string): Promise<string | null> {
  const row = await findImage(deps.db.read, image_id);
  if (row) return row.manifest_digest;
  const held = await heldManifest(deps.db.read, image_id);
  if (held === undefined) throw imageNotFound(image_id);
  return held;
}

/** A blob of the image's container form. Faults: 404 no such image, or none of its blobs. */
export async function openBlob(deps: TaskDeps, image_id: string, digest: string): Promise<{ stream: Readable; size: number }> {
  const manifest = await manifestDigest(deps, image_id);
  const link = manifest === null ? undefined : await findManifestBlob(deps.db.read, manifest, digest);
  if (!link) throw notFound('image.blob-not-found', `Image ${image_id} has no blob ${digest}.`);
  return { stream: deps.blobs.open(digest), size: link.size };
}
