/**
 * Is a split archive really what `docker save` writes? Reads its small JSON members only.
 * Docker's layout (`manifest.json`) and the OCI layout (`oci-layout`, `index.json`, `blobs/`) are known.
 */
import { posix } from 'node:path';
import { badRequest } from '../../../kernel/fault.ts';
import type { Member } from './split-archive.ts';

const MAX_JSON = 4 << 20;

type Members = Map<string, Member>;

/** The one image of an archive. */
export interface ArchivedImage {
  config: Member;
  layers: Member[];
  /** Digests of the uncompressed layers, as the configuration names them: not proven for compressed ones. */
  diff_ids: string[];
  /** Its own manifest, in the OCI layout. */
  manifest: Member | undefined;
}

export const badArchive = (why: string) => badRequest('image.archive-invalid', `This is not an archive of a container image as docker save writes it: ${why}.`);

/** Faults: 400 with the reason. */
export async function readArchivedImage(all: readonly Member[]): Promise<ArchivedImage> {
  const members: Members = new Map();
  for (const member of all) addMember(members, member);
  if (all.length === 0) throw badArchive('it has no members');
  if (members.has('manifest.json')) return readDockerLayout(members);
  if (members.has('index.json')) return readOciLayout(members);
  throw badArchive('it has neither manifest.json nor index.json');
}

function addMember(members: Members, member: Member): void {
  const name = member.name.replace(/^\.\//, '').replace(/\/$/, '');
  if (escapes(name)) throw badArchive(`the member ${member.name.slice(0, 100)} lies outside of it`);
  if (!['0', '1', '2', '5'].includes(member.type)) throw badArchive(`the member ${member.name.slice(0, 100)} is neither file, link nor folder`);
  if (member.type === '2' && (member.link.startsWith('/') || escapes(posix.join(posix.dirname(name), member.link)))) throw badArchive(`the link ${name} points outside of it`);
  if (member.type === '1' && escapes(member.link)) throw badArchive(`the link ${name} points outside of it`);
  if (name !== '' && name !== '.') members.set(posix.normalize(name), { ...member, name });
}

const escapes = (path: string): boolean => path.startsWith('/') || posix.normalize(path).split('/')[0] === '..';

/** The file of that name; layers may be links to one another. */
function fileOf(members: Members, name: string, what: string): Member {
  let path = posix.normalize(name);
  for (let hops = 0; hops < 10; hops += 1) {
    const member = members.get(path);
    if (member === undefined) break;
    if (member.type === '0') return member;
    if (member.type === '5') throw badArchive(`${what} is a folder`);
    path = member.type === '1' ? posix.normalize(member.link) : posix.join(posix.dirname(path), member.link);
  }
  throw badArchive(`${what} is missing`);
}

async function readJson(members: Members, name: string): Promise<unknown> {
  if (!members.has(posix.normalize(name))) throw badArchive(`it lacks ${name.slice(0, 100)}`);
  const member = fileOf(members, name, name.slice(0, 100));
  if (member.size > MAX_JSON) throw badArchive(`${member.name} is too large`);
  try {
    return JSON.parse((await member.read()).toString('utf8')) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw badArchive(`${name} is not JSON`);
    throw error;
  }
}

/** A field of whatever JSON stands there. */
function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

async function readDockerLayout(members: Members): Promise<ArchivedImage> {
  const manifest = await readJson(members, 'manifest.json');
  if (!Array.isArray(manifest) || manifest.length !== 1) throw badArchive('manifest.json must describe exactly one image');
  const [Config, Layers] = [field(manifest[0], 'Config'), field(manifest[0], 'Layers')];
  if (typeof Config !== 'string') throw badArchive('manifest.json names no Config');
  if (!Array.isArray(Layers) || !Layers.every((layer) => typeof layer === 'string')) throw badArchive('manifest.json names no Layers');
  const diff_ids = await readDiffIds(members, Config);
  if (diff_ids.length !== Layers.length) throw badArchive('its configuration and its manifest count different layers');
  const layers = (Layers as string[]).map((layer) => fileOf(members, layer, `the layer ${layer.slice(0, 100)}`));
  await checkDigests(layers, diff_ids);
  return { config: fileOf(members, Config, Config.slice(0, 100)), layers, diff_ids, manifest: undefined };
}

async function readDiffIds(members: Members, config: string): Promise<string[]> {
  const facts = await readJson(members, config);
  const found = field(field(facts, 'rootfs'), 'diff_ids');
  if (!Array.isArray(found)) throw badArchive(`${config.slice(0, 100)} describes no root file system`);
  if (found.length === 0) throw badArchive('it has no layers, so there is nothing in it to run');
  const os = field(facts, 'os');
  if (typeof os === 'string' && os !== '' && os !== 'linux') throw badArchive(`it is made for ${os.slice(0, 100)}, and servers here run Linux`);
  return found.map(String);
}

/** A layer that is not compressed is what its configuration says, or the engine of a node would refuse the image. */
async function checkDigests(layers: readonly Member[], diff_ids: readonly string[]): Promise<void> {
  for (const [at, layer] of layers.entries()) {
    if (compressionOf(layer.head) !== '') continue;
    if (`sha256:${await layer.digest()}` !== diff_ids[at]) throw badArchive(`the layer ${layer.name.slice(0, 100)} is not what its digest says`);
  }
}

async function readOciLayout(members: Members): Promise<ArchivedImage> {
  const manifests = field(await readJson(members, 'index.json'), 'manifests');
  if (!Array.isArray(manifests) || manifests.length !== 1) throw badArchive('index.json must describe exactly one image');
  const named = blobPath(field(manifests[0], 'digest'));
  const manifest = await readJson(members, named);
  const config = blobPath(field(field(manifest, 'config'), 'digest'));
  await readJson(members, config);
  const found = field(manifest, 'layers');
  if (!Array.isArray(found)) throw badArchive('its manifest names no layers');
  const digests = found.map((layer) => field(layer, 'digest'));
  const layers = digests.map((digest) => fileOf(members, blobPath(digest), `the layer ${String(digest)}`));
  for (const path of [named, config, ...digests.map(blobPath)]) await checkBlob(path, fileOf(members, path, path));
  const diff_ids = await readDiffIds(members, config);
  if (diff_ids.length !== layers.length) throw badArchive('its configuration and its manifest count different layers');
  await checkDigests(layers, diff_ids);
  return { config: fileOf(members, config, config), layers, diff_ids, manifest: fileOf(members, named, named) };
}

/** By the name that the manifest gives it, wherever a link leads: that name is what the image will be allowed to read. */
async function checkBlob(path: string, member: Member): Promise<void> {
  if ((await member.digest()) !== posix.basename(path)) throw badArchive(`${path} is not what its digest says`);
}

function blobPath(digest: unknown): string {
  const match = typeof digest === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(digest) : null;
  if (!match) throw badArchive('a digest in it is not a sha256');
  return `blobs/sha256/${match[1]}`;
}

/** By the first bytes: the end of a layer's media type. */
export function compressionOf(head: Buffer): '' | '+gzip' | '+zstd' {
  const magic = head.toString('hex', 0, 4);
  if (magic.startsWith('1f8b')) return '+gzip';
  return magic === '28b52ffd' ? '+zstd' : '';
}
