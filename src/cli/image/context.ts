/** A folder as the engine's `build` reads it: a tar without what `.dockerignore` names. */
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { endOfArchive, paddingOf, writeHeader } from '../../kernel/tar.ts';
import { CliError } from '../errors.ts';
import { parseIgnore, type Ignore } from './ignore.ts';

interface ContextEntry {
  /** Relative, with `/`. */
  name: string;
  type: '0' | '2' | '5';
  mode: number;
  size: number;
  mtime: number;
  link?: string;
}

/** Everything belongs to root, as with docker's own client. @throws CliError when there is no Dockerfile, or no such folder. */
export async function listContext(folder: string, dockerfile: string): Promise<ContextEntry[]> {
  const found = await lstat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new CliError('GY-BUILD-001', `${folder} is no folder`, { next: './gantry image build FOLDER' });
  const ignore = await readIgnore(folder);
  const keep = new Set([dockerfile, '.dockerignore']);
  const entries: ContextEntry[] = [];
  await walk(folder, '', entries, (name) => !keep.has(name) && ignore.excludes(name), ignore);
  if (!entries.some((entry) => entry.name === dockerfile)) throw new CliError('GY-BUILD-002', `${folder} has no ${dockerfile}`, { next: 'write one, or name it with -f' });
  return entries;
}

async function readIgnore(folder: string): Promise<Ignore> {
  const text = await readFile(join(folder, '.dockerignore'), 'utf8').catch(() => '');
  try {
    return parseIgnore(text);
  } catch (error) {
    throw new CliError('GY-BUILD-003', `.dockerignore cannot be used: ${(error as Error).message}`);
  }
}

async function walk(root: string, below: string, entries: ContextEntry[], skip: (name: string) => boolean, ignore: Ignore): Promise<void> {
  const names = (await readdir(join(root, below))).sort();
  for (const one of names) {
    const name = below === '' ? one : `${below}/${one}`;
    const stat = await lstat(join(root, name));
    const entry = { name, mode: stat.mode & 0o7777, mtime: Math.floor(stat.mtimeMs / 1000), size: 0 };
    const skipped = skip(name);
    if (stat.isDirectory()) {
      if (!skipped) entries.push({ ...entry, type: '5' });
      if (!skipped || ignore.mayHoldExceptions) await walk(root, name, entries, skip, ignore);
    } else if (!skipped && stat.isSymbolicLink()) entries.push({ ...entry, type: '2', link: await readlink(join(root, name)) });
    else if (!skipped && stat.isFile()) entries.push({ ...entry, type: '0', size: stat.size });
    // Sockets, pipes and devices are nothing for an image.
  }
}

/** The archive. @throws Error when a file changes its size meanwhile. */
export async function* contextArchive(folder: string, entries: readonly ContextEntry[]): AsyncGenerator<Buffer> {
  for (const { name, type, mode, size, mtime, link } of entries) {
    yield writeHeader({ name: type === '5' ? `${name}/` : name, type, mode, mtime, ...(link === undefined ? {} : { link }) }, size);
    if (type !== '0' || size === 0) continue;
    let sent = 0;
    for await (const chunk of createReadStream(join(folder, name), { highWaterMark: 256 * 1024, end: size - 1 })) {
      sent += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    if (sent !== size) throw new Error(`${name} changed while it was read`);
    yield Buffer.alloc(paddingOf(size));
  }
  yield endOfArchive();
}
