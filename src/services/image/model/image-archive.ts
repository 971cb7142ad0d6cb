/**
 * Is a file really what `docker save` writes? Reads the tar's headers and its small JSON members only; the layers are
 * seeked over. Docker's layout (`manifest.json`) and the OCI layout (`oci-layout`, `index.json`, `blobs/`) are known.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { posix } from 'node:path';
import { badRequest } from '../../../kernel/fault.ts';
import { paddingOf, readEntry, TarError, type TarEntry } from '../../../kernel/tar.ts';

const MAX_ENTRIES = 100_000;
const MAX_JSON = 4 << 20;

interface Member extends TarEntry {
  /** Where its bytes begin. */
  at: number;
}

const bad = (why: string) => badRequest('image.archive-invalid', `This is not an archive of a container image as docker save writes it: ${why}.`);

/** Faults: 400 with the reason. */
export async function checkImageArchive(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const members = await readMembers(file, (await file.stat()).size);
    if (members.has('manifest.json')) await checkDockerLayout(file, members);
    else if (members.has('index.json')) await checkOciLayout(file, members);
    else throw bad('it has neither manifest.json nor index.json');
  } catch (error) {
    throw error instanceof TarError ? bad(error.message) : error;
  } finally {
    await file.close();
  }
}

async function readMembers(file: FileHandle, size: number): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  const cursor = createCursor(file);
  for (let entry = await readEntry(cursor); entry; entry = await readEntry(cursor)) {
    if (cursor.at + entry.size > size) throw bad(`it ends within ${entry.name.slice(0, 100)}`);
    addMember(members, { ...entry, at: cursor.at });
    cursor.at += entry.size + paddingOf(entry.size);
  }
  if (members.size === 0) throw bad('it has no members');
  return members;
}

/** Reads headers only: contents are seeked over by moving `at`. */
function createCursor(file: FileHandle): { at: number; read(size: number): Promise<Buffer | undefined> } {
  let reads = 0;
  return {
    at: 0,
    async read(size) {
      // an extended header costs two reads beside the member's own
      if (++reads > 3 * MAX_ENTRIES) throw bad('it has too many members');
      const bytes = await readAt(file, this.at, size);
      this.at += size;
      return bytes;
    },
  };
}

/** Undefined at a clean end. */
async function readAt(file: FileHandle, at: number, size: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await file.read(bytes, 0, size, at);
  if (bytesRead === 0 && size > 0) return undefined;
  if (bytesRead < size) throw new TarError('it ends in the middle of an entry');
  return bytes;
}

function addMember(members: Map<string, Member>, member: Member): void {
  const name = member.name.replace(/^\.\//, '').replace(/\/$/, '');
  if (escapes(name)) throw bad(`the member ${member.name.slice(0, 100)} lies outside of it`);
  if (!['0', '1', '2', '5'].includes(member.type)) throw bad(`the member ${member.name.slice(0, 100)} is neither file, link nor folder`);
  if (member.type === '2' && (member.link.startsWith('/') || escapes(posix.join(posix.dirname(name), member.link)))) throw bad(`the link ${name} points outside of it`);
  if (member.type === '1' && escapes(member.link)) throw bad(`the link ${name} points outside of it`);
  if (name !== '' && name !== '.') members.set(name, { ...member, name });
}

const escapes = (path: string): boolean => path.startsWith('/') || posix.normalize(path).split('/')[0] === '..';

async function readText(file: FileHandle, member: Member): Promise<string> {
  if (member.size > MAX_JSON) throw bad(`${member.name} is too large`);
  return (await readAt(file, member.at, member.size))?.toString('utf8') ?? '';
}

async function readJson(file: FileHandle, members: Map<string, Member>, name: string): Promise<unknown> {
  const member = members.get(name);
  if (!member) throw bad(`it lacks ${name.slice(0, 100)}`);
  try {
    return JSON.parse(await readText(file, member)) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw bad(`${name} is not JSON`);
    throw error;
  }
}

/** A field of whatever JSON stands there. */
function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

async function checkDockerLayout(file: FileHandle, members: Map<string, Member>): Promise<void> {
  const manifest = await readJson(file, members, 'manifest.json');
  if (!Array.isArray(manifest) || manifest.length !== 1) throw bad('manifest.json must describe exactly one image');
  const [Config, Layers] = [field(manifest[0], 'Config'), field(manifest[0], 'Layers')];
  if (typeof Config !== 'string') throw bad('manifest.json names no Config');
  if (!Array.isArray(Layers) || !Layers.every((layer) => typeof layer === 'string')) throw bad('manifest.json names no Layers');
  const layers = field(field(await readJson(file, members, Config), 'rootfs'), 'diff_ids');
  if (!Array.isArray(layers)) throw bad(`${Config.slice(0, 100)} describes no root file system`);
  if (layers.length !== Layers.length) throw bad('its configuration and its manifest count different layers');
  for (const layer of Layers as string[]) if (!members.has(layer)) throw bad(`the layer ${layer.slice(0, 100)} is missing`);
}

async function checkOciLayout(file: FileHandle, members: Map<string, Member>): Promise<void> {
  const manifests = field(await readJson(file, members, 'index.json'), 'manifests');
  if (!Array.isArray(manifests) || manifests.length !== 1) throw bad('index.json must describe exactly one image');
  const manifest = await readJson(file, members, blobPath(field(manifests[0], 'digest')));
  await readJson(file, members, blobPath(field(field(manifest, 'config'), 'digest')));
  const layers = field(manifest, 'layers');
  if (!Array.isArray(layers)) throw bad('its manifest names no layers');
  for (const digest of layers.map((layer) => field(layer, 'digest'))) if (!members.has(blobPath(digest))) throw bad(`the layer ${String(digest)} is missing`);
}

function blobPath(digest: unknown): string {
  const match = typeof digest === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(digest) : null;
  if (!match) throw bad('a digest in it is not a sha256');
  return `blobs/sha256/${match[1]}`;
}
