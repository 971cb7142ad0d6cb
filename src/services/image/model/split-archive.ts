/** Reads an archive as it comes: large members go to files of their own and are hashed, all else is kept as it stands. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createDigester } from '../../../kernel/digest/digester.ts';
import type { Slab } from '../../../kernel/digest/slabs.ts';
import { type ByteReader, createByteReader, paddingOf, readEntry, TarError, type TarEntry } from '../../../kernel/tar.ts';
import type { ScratchFile, Scratch } from '../store/scratch.ts';
import { badArchive } from './image-archive.ts';

/** A member of the archive. */
export interface Member extends TarEntry {
  /** Its first bytes. */
  head: Buffer;
  /** Reads it whole; for small ones. */
  read(): Promise<Buffer>;
  /** Lower-case hex sha-256. */
  digest(): Promise<string>;
  /** Where a large one is. */
  file: ScratchFile | undefined;
}

export interface SplitArchive {
  /** In their order; of two of one name the later counts. */
  members: Member[];
  /** The whole archive. */
  pieces: (Buffer | Member)[];
  /** All files are whole and durable after it. */
  finish(): Promise<void>;
  discard(): Promise<void>;
}

/** What is larger gets a file. */
const SMALL = 128 * 1024;
const MAX_LITERALS = 16 << 20;
const MAX_ENTRIES = 100_000;

/** Faults: 400 not a tar. */
export async function splitArchive(slabs: AsyncIterable<Slab>, scratch: Scratch): Promise<SplitArchive> {
  const splitter = createSplitter(slabs, scratch);
  try {
    await splitter.run();
  } catch (error) {
    await splitter.archive.discard();
    throw error instanceof TarError ? badArchive(error.message) : error;
  }
  return splitter.archive;
}

function createSplitter(slabs: AsyncIterable<Slab>, scratch: Scratch) {
  const members: Member[] = [];
  const pieces: (Buffer | Member)[] = [];
  const files: ScratchFile[] = [];
  const finishing: Promise<unknown>[] = [];
  let literals = 0;
  let current: Slab | undefined;

  async function* chunks(): AsyncGenerator<Buffer> {
    for await (current of slabs) yield current.bytes;
  }
  const reader = createByteReader(chunks());

  function keep(bytes: Buffer): Buffer {
    literals += bytes.length;
    if (literals > MAX_LITERALS) throw badArchive('it holds too much beside its layers');
    return Buffer.from(bytes);
  }
  /** What is read through it, is kept. */
  const noting: Pick<ByteReader, 'read'> = {
    async read(size) {
      const bytes = await reader.read(size);
      if (bytes !== undefined) pieces.push(keep(bytes));
      return bytes;
    },
  };

  async function take(entry: TarEntry): Promise<void> {
    const member = entry.size > SMALL && entry.type === '0' ? await takeLarge(entry) : smallMember(entry, keep(await readSmall(reader, entry)));
    if (members.push(member) > MAX_ENTRIES) throw badArchive('it has too many members');
    pieces.push(member);
    const padding = paddingOf(entry.size);
    if (padding > 0 && (await noting.read(padding)) === undefined) throw endsWithin(entry);
  }

  async function takeLarge(entry: TarEntry): Promise<Member> {
    const file = await scratch.create();
    files.push(file);
    const { member, done } = await largeMember(entry, file, reader, (use) => current?.uses(use));
    finishing.push(done);
    return member;
  }

  return {
    archive: {
      members,
      pieces,
      finish: async () => void (await Promise.all(finishing)),
      discard: () => discardAll(files, finishing),
    } satisfies SplitArchive,
    async run() {
      for (let entry = await readEntry(noting); entry !== undefined; entry = await readEntry(noting)) await take(entry);
      for await (const part of reader.rest()) pieces.push(keep(part));
    },
  };
}

async function discardAll(files: readonly ScratchFile[], finishing: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(finishing);
  for (const file of files) await file.discard();
}

async function readSmall(reader: ByteReader, entry: TarEntry): Promise<Buffer> {
  if (entry.size > SMALL) throw badArchive(`the member ${entry.name.slice(0, 100)} has a content that it should not have`);
  const bytes = await reader.read(entry.size).catch((error: unknown) => {
    if (!(error instanceof TarError)) throw error;
  });
  if (bytes === undefined) throw endsWithin(entry);
  return bytes;
}

function smallMember(entry: TarEntry, content: Buffer): Member {
  return { ...entry, head: content.subarray(0, 8), file: undefined, read: async () => content, digest: async () => createHash('sha256').update(content).digest('hex') };
}

/** Writes and hashes while it comes; `done` when the file is whole. */
async function largeMember(entry: TarEntry, file: ScratchFile, reader: ByteReader, uses: (use: Promise<void>) => void): Promise<{ member: Member; done: Promise<unknown> }> {
  const hash = createDigester('sha256');
  const writes: Promise<void>[] = [];
  let head = Buffer.alloc(0);
  try {
    for await (const part of reader.pass(entry.size)) {
      if (head.length < 8) head = Buffer.concat([head, part.subarray(0, 8)]);
      const written = file.write(part);
      writes.push(written);
      for (const use of [written, hash.update(part)]) uses(use);
    }
  } catch (error) {
    hash.forget();
    throw error;
  }
  const digest = hash.digest();
  const whole = Promise.all(writes).then(() => file.finish());
  const done = Promise.all([whole, digest]);
  done.catch(() => {});
  const read = async (): Promise<Buffer> => {
    await whole;
    return readFile(file.path);
  };
  return { member: { ...entry, head, file, digest: () => digest, read }, done };
}

const endsWithin = (entry: TarEntry): Error => badArchive(`it ends within ${entry.name.slice(0, 100)}`);
