/**
 * An image archive on its way from the store to the engine, rewritten as it flows: it can set our one tag and no other,
 * and the engine sees its manifest, the last entry, only after the digest of all that came has been found right.
 */
import { createHash } from 'node:crypto';
import { bounded, decompressed } from './decompress.ts';
import { canonicalName, shown, singleImage, type ArchiveContents, type Platform } from './image-manifest.ts';
import { createByteReader, endOfArchive, paddingOf, readContent, readEntry, TarError, writeEntry, writeHeader, type ByteReader, type TarEntry } from '../../../../kernel/tar.ts';

const DESCRIPTORS = new Set(['manifest.json', 'index.json', 'repositories', 'oci-layout']);
const MAX_DESCRIPTOR_BYTES = 4 * 1024 * 1024;
const MAX_BLOB_BYTES = 1024 * 1024;
const MAX_BLOBS_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 100_000;

export interface RewriteOptions {
  /** `repository:tag`, the only name the image gets. */
  tag: string;
  /** Lower-case hex sha-256 of the source as it comes, compressed or not; undefined: its end is its proof, the source throws when it is wrong. */
  digest: string | undefined;
  /** The source may not be longer (0: unknown). */
  size: number;
  platform: Platform;
  /** Bound on the archive once decompressed. */
  max_expanded_bytes?: number;
}

/** Bytes for the engine's `load`. Throws TarError when the source is not an image or not the expected one. */
export async function* rewriteImageArchive(source: AsyncIterable<Buffer>, options: RewriteOptions): AsyncGenerator<Buffer> {
  const meter = createMeter(source, options.size);
  const reader = createByteReader(bounded(await decompressed(meter.chunks()), options.max_expanded_bytes ?? 256 * 1024 ** 3));
  const contents: ArchiveContents = { descriptors: new Map(), names: new Set(), blobs: new Map() };
  let held = 0;
  let count = 0;
  for (let entry = await readEntry(reader); entry !== undefined; entry = await readEntry(reader)) {
    count += 1;
    if (count > MAX_ENTRIES) throw new TarError(`it holds more than ${MAX_ENTRIES} entries`);
    const name = canonicalName(entry.name);
    checkEntry(entry, name);
    if (name === '') continue;
    if (DESCRIPTORS.has(name)) {
      if (entry.size > MAX_DESCRIPTOR_BYTES) throw new TarError(`its ${name} is too large`);
      contents.descriptors.set(name, await readContent(reader, entry.size));
      continue;
    }
    if (entry.type !== '5') contents.names.add(name);
    // Written anew: what we understood is what the engine reads, whatever its parser makes of odd headers.
    yield writeHeader({ name, type: entry.type as '0' | '2' | '5', link: entry.link, mode: entry.type === '5' ? 0o755 : 0o644 }, entry.size);
    // Of two entries of one name the engine keeps the later.
    contents.blobs.delete(name);
    if (entry.type === '0' && entry.size <= MAX_BLOB_BYTES) {
      const content = await readContent(reader, entry.size);
      if (looksLikeJson(content) && held + content.length <= MAX_BLOBS_BYTES) {
        held += content.length;
        contents.blobs.set(name, content);
      }
      yield Buffer.concat([content, Buffer.alloc(paddingOf(entry.size))]);
    } else {
      yield* copyContent(reader, entry);
    }
  }
  await reader.drain();
  if (options.digest !== undefined && (await meter.digest()) !== options.digest) throw new TarError('its content is not what its digest says');
  const { manifest, config } = singleImage(contents, options.tag, options.platform);
  // After the one it replaces: the engine unpacks in order.
  if (contents.blobs.get(config.name)?.equals(config.content) === false) yield writeEntry(config);
  yield writeEntry({ name: 'manifest.json', content: Buffer.from(manifest) });
  yield endOfArchive();
}

async function* copyContent(reader: ByteReader, entry: TarEntry): AsyncGenerator<Buffer> {
  yield* reader.pass(entry.size + paddingOf(entry.size));
}

function looksLikeJson(content: Buffer): boolean {
  return content.toString('latin1', 0, 16).trimStart().startsWith('{');
}

function checkEntry(entry: TarEntry, name: string): void {
  if (!'0125'.includes(entry.type)) throw new TarError(`it holds ${shown(name)}, which is no file, link or directory`);
  if ((entry.type === '5' || entry.type === '2') && entry.size !== 0) throw new TarError('a header is broken');
  if (entry.type === '0' || entry.type === '5') {
    if (entry.type === '5' && DESCRIPTORS.has(name)) throw new TarError(`its ${name} is a directory`);
    return;
  }
  // Only layers are ever linked, to one another; any other link could redirect what is unpacked after it.
  const plain = entry.link.endsWith('.tar') && !entry.link.startsWith('/') && name.endsWith('.tar') && entry.type === '2';
  if (!plain) throw new TarError(`it holds a link (${shown(name)}) that is not one of a layer`);
}

interface Meter {
  chunks(): AsyncGenerator<Buffer>;
  /** Hex sha-256 of everything, once the source has ended. */
  digest(): Promise<string>;
}

function createMeter(source: AsyncIterable<Buffer>, limit: number): Meter {
  const hash = createHash('sha256');
  const ended = Promise.withResolvers<string>();
  ended.promise.catch(() => {});
  let size = 0;
  return {
    digest: () => ended.promise,
    async *chunks() {
      try {
        for await (const chunk of source) {
          size += chunk.length;
          if (limit > 0 && size > limit) throw new TarError(`it is longer than the ${limit} bytes that were announced`);
          hash.update(chunk);
          yield chunk;
        }
        ended.resolve(hash.digest('hex'));
      } catch (error) {
        ended.reject(error);
        throw error;
      }
    },
  };
}
