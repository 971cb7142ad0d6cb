/** The root file system of a disk as a tar stream: what may be in an image passes as it is, and what the image is like is noted on the way. */
import { createByteReader, endOfArchive, paddingOf, readContent, readEntry, TarError, type ByteReader, type TarEntry } from '../../../kernel/tar.ts';
import type { RootFacts } from '../protocol.ts';
import { createFactFinder } from './root-facts.ts';

const MAX_ENTRIES = 4_000_000;
const MAX_NOTED_BYTES = 256 * 1024;
/** File, hard link, symbolic link, directory, pipe. A device node would be a way to somebody's disk. */
const KEPT = '01256';

export interface RootArchive {
  chunks: AsyncGenerator<Buffer>;
  /** Once the chunks have ended. @throws TarError when this cannot be a system's root. */
  facts(): RootFacts;
  /** Bytes that have passed. */
  passed(): number;
}

/** @param max_bytes a longer archive is refused. */
export function rootArchive(source: AsyncIterable<Buffer>, max_bytes: number): RootArchive {
  const finder = createFactFinder();
  const reader = createByteReader(source);
  let passed = 0;

  async function* all(): AsyncGenerator<Buffer> {
    for (let count = 0; ; count++) {
      const entry = await readEntry(reader);
      if (entry === undefined) break;
      if (count > MAX_ENTRIES) throw new TarError(`its root file system holds more than ${MAX_ENTRIES} files`);
      if (KEPT.includes(entry.type)) yield* pass(reader, entry, finder);
      else if (!'34'.includes(entry.type)) throw new TarError(`its root file system holds something of the unknown type ${entry.type}`);
    }
    await reader.drain();
    yield endOfArchive();
  }

  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of all()) {
      passed += chunk.length;
      if (passed > max_bytes) throw new TarError(`its root file system is larger than the ${max_bytes} bytes that are allowed`);
      yield chunk;
    }
  }

  return { chunks: counted(), facts: () => finder.facts(), passed: () => passed };
}

type Finder = ReturnType<typeof createFactFinder>;

async function* pass(reader: ByteReader, entry: TarEntry, finder: Finder): AsyncGenerator<Buffer> {
  const name = entry.name.replace(/^\.\//, '').replace(/\/$/, '');
  if (entry.type !== '0' && entry.size !== 0) throw new TarError('its root file system was not archived as expected');
  yield* entry.headers;
  if (entry.type === '0' && entry.size <= MAX_NOTED_BYTES && finder.wants(name)) {
    const content = await readContent(reader, entry.size);
    finder.file(name, content);
    yield content;
    yield Buffer.alloc(paddingOf(entry.size));
    return;
  }
  if ('012'.includes(entry.type)) finder.there(name, entry.link);
  const whole = entry.size + paddingOf(entry.size);
  let first = true;
  for await (const chunk of reader.pass(whole)) {
    if (first) finder.begins(name, chunk);
    first = false;
    yield chunk;
  }
}
