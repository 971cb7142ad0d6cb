/** Images by their layers, served out of memory, with every blob that was asked for written down. */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { LayerSource } from '../../../src/agents/compute/drivers/docker/load-layers.ts';
import type { ImageManifest, ImageRef } from '../../../src/agents/compute/protocol.ts';
import { endOfArchive, writeEntry } from '../../../src/kernel/tar.ts';
import { chunked, makeImage, sha256 } from './harness.ts';
import { singleLayerOf } from './layer-of.ts';

export interface TestLayer {
  blob: Buffer;
  digest: string;
  diff_id: string;
}

export interface LayerImage {
  ref: ImageRef;
  manifest: ImageManifest;
}

export interface LayerStore extends LayerSource {
  /** Digests in the order in which they were asked for. */
  asked: string[];
  bytes: number;
  /** Most blobs on their way at a time. */
  widest: number;
  /** In place of the blob, once or for ever. */
  instead: Map<string, () => Readable>;
  add(layers: TestLayer[], change?: { config?: Buffer; manifest?: Partial<ImageManifest>; marker?: string }): LayerImage;
}

export type Packing = 'none' | 'gzip' | 'zstd';

/** The busybox layer that servers of tests run from. */
export async function baseLayer(packing: Packing, marker: string): Promise<TestLayer> {
  return asLayer(await singleLayerOf(await makeImage({ marker })), packing);
}

/** One more layer with one file in it. */
export function fileLayer(name: string, content: Buffer | string, packing: Packing = 'none'): TestLayer {
  return asLayer(Buffer.concat([writeEntry({ name, content: Buffer.from(content as string) }), endOfArchive()]), packing);
}

/** A whole layer as it is stored. */
export function asLayer(plain: Buffer, packing: Packing): TestLayer {
  const blob = packing === 'gzip' ? gzipSync(plain) : packing === 'zstd' ? zstdCompressSync(plain) : plain;
  return { blob, digest: sha256(blob), diff_id: sha256(plain) };
}

export function configOf(diffIds: string[], marker = ''): Buffer {
  return Buffer.from(JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2026-01-01T00:00:00Z',
    config: { Cmd: ['/bin/sleep', '1000'], Env: ['PATH=/bin'], Labels: { 'gtc.pid': String(process.pid), marker } },
    rootfs: { type: 'layers', diff_ids: diffIds.map((id) => `sha256:${id}`) },
    history: diffIds.map(() => ({ created: '2026-01-01T00:00:00Z' })),
  }));
}

export function createLayerStore(): LayerStore {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, ImageManifest>();
  let underWay = 0;
  const self: LayerStore = {
    asked: [],
    bytes: 0,
    widest: 0,
    instead: new Map(),
    add(layers, { config = configOf(layers.map((one) => one.diff_id), randomUUID()), manifest: change = {} } = {}) {
      for (const { digest, blob } of layers) blobs.set(digest, blob);
      blobs.set(sha256(config), config);
      const manifest: ImageManifest = {
        digest: sha256(Buffer.from(randomUUID())),
        config: { digest: sha256(config), size: config.length },
        layers: layers.map(({ digest, diff_id, blob }) => ({ digest, diff_id: `sha256:${diff_id}`, size: blob.length, media_type: 'application/vnd.oci.image.layer.v1.tar' })),
        ...change,
      };
      const ref = { id: randomUUID(), digest: manifest.digest, size: 1, container_format: 'docker', disk_format: 'raw' };
      manifests.set(ref.id, manifest);
      return { ref, manifest };
    },
    manifest: async (ref) => manifests.get(ref.id),
    async blob(_ref, digest) {
      self.asked.push(digest);
      const other = self.instead.get(digest);
      if (other !== undefined) return other();
      const blob = blobs.get(digest);
      if (blob === undefined) throw new Error('no such test blob');
      underWay += 1;
      self.widest = Math.max(self.widest, underWay);
      const stream = Readable.from(
        (async function* () {
          for (const chunk of chunked(blob, 32_749)) {
            self.bytes += chunk.length;
            yield chunk;
            await new Promise((resolve) => setImmediate(resolve));
          }
        })(),
        { objectMode: false },
      );
      stream.once('close', () => (underWay -= 1));
      return stream;
    },
  };
  return self;
}
