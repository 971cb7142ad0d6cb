/** A manifest arrives: judged, kept, and its tag made an image of glance. */
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../../kernel/clock.ts';
import { badRequest, type Fault } from '../../../../kernel/fault.ts';
import type { RegistryDeps } from '../../deps.ts';
import { findBlob } from '../../store/blob-rows.ts';
import { findManifest, insertManifest, listManifestBlobs } from '../../store/manifests.ts';
import { ensureRepository, findRepository, findTag, hasManifest, linkBlobs, linkedBlobs, linkManifest, setTag } from '../../store/registry/repositories.ts';
import type { ImageTables, ManifestBlobRow } from '../../store/tables.ts';
import { touchBlobs } from '../blobs.ts';
import { type NewManifest, type ParsedManifest, parseManifest } from '../manifests.ts';
import { quotaCheck } from '../quotas.ts';
import { archiveOf, isRunnable } from './docker-archive.ts';
import { isTag, parseDigest } from './names.ts';
import { publishImage, type Published } from './pushed-images.ts';

export interface Pushed {
  digest: string;
  subject: string | null;
}

interface Target {
  project: { id: string; name: string };
  name: string;
  full: string;
}

const MAX_CONFIG = 4 << 20;
const MAX_LINKS = 1000;
const invalid = (why: string, type = 'MANIFEST_INVALID', detail?: unknown): Fault => badRequest('registry.manifest-invalid', `The manifest cannot be taken: ${why}.`, { type, detail });

/** @param media_type as the request says. Faults: 400 with the specification's codes, 413 quota. */
export async function putManifest(deps: RegistryDeps, target: Target, reference: string, body: Buffer, media_type: string | undefined): Promise<Pushed> {
  const digest = createHash('sha256').update(body).digest('hex');
  const by_digest = reference.includes(':');
  if (by_digest && parseDigest(reference) !== digest) throw badRequest('registry.digest-wrong', 'The manifest is not what its digest says.', { type: 'DIGEST_INVALID', detail: { digest: `sha256:${digest}` } });
  if (!by_digest && !isTag(reference)) throw badRequest('registry.tag-invalid', 'This is no name for a tag.', { type: 'TAG_INVALID', detail: { tag: reference.slice(0, 200) } });
  const now = isoMicros(deps.clock.now());
  const parsed = parseManifest(body, digest, media_type, now);
  if (parsed === undefined) throw invalid('it is no image manifest or index of the OCI or of Docker (schema 2), or its media type is not the one it came with');
  if (parsed.links.length > MAX_LINKS) throw invalid(`it names more than ${MAX_LINKS} others`);
  const found = await checkLinks(deps, target, parsed);
  const runnable = by_digest ? undefined : await runnableOf(deps, found);
  const published = runnable && { manifest: runnable, archive: archiveOf(runnable, `${target.full}:${reference}`, now), covers: [digest, ...parsed.links.filter(({ role }) => role === 'manifest').map((link) => link.digest), runnable.row.digest] };
  await keep(deps, target, reference, { ...parsed, links: found.links }, by_digest, published, now);
  if (published) deps.hashing.poke();
  return { digest, subject: parsed.row.subject };
}

async function keep(deps: RegistryDeps, target: Target, reference: string, manifest: NewManifest, by_digest: boolean, published: Published | undefined, now: string): Promise<void> {
  const project_id = target.project.id;
  const is_new = published !== undefined && !(await knownTag(deps, target, reference));
  // judged once it is written: what was pushed before counts already, and becomes a part of an image now
  const within_quota = await quotaCheck(deps, project_id, { image_size_total: 0, ...(is_new ? { image_count_total: 0 } : {}) });
  await deps.db.transaction(async (tx) => {
    const blobs = manifest.links.filter(({ role }) => role !== 'manifest').map((link) => link.digest);
    await touchBlobs(deps, tx, blobs);
    const repository = await ensureRepository(tx, project_id, target.name, now);
    await insertManifest(tx, manifest.row, manifest.links);
    await linkManifest(tx, repository.id, manifest.row.digest, now);
    await linkBlobs(tx, repository.id, blobs, now);
    if (!by_digest) await tag(deps, tx, repository.id, target, reference, manifest, published, now);
    await within_quota(tx);
  });
}

async function knownTag(deps: RegistryDeps, target: Target, tag_name: string): Promise<boolean> {
  const repository = await findRepository(deps.db.read, target.project.id, target.name);
  return repository !== undefined && (await findTag(deps.db.read, repository.id, tag_name, undefined))?.image_id != null;
}

async function tag(deps: RegistryDeps, tx: Transaction<ImageTables>, repository_id: string, target: Target, name: string, manifest: NewManifest, published: Published | undefined, now: string): Promise<void> {
  const old = await findTag(tx, repository_id, name, undefined);
  const context = { repository_id, project_id: target.project.id, ref: `${target.full}:${name}`, full: target.full, digest: manifest.row.digest, now };
  const image_id = await publishImage(deps, tx, context, old, published);
  await setTag(tx, { repository_id, tag: name, digest: manifest.row.digest, image_id, updated_at: now });
}

interface Found {
  parsed: ParsedManifest;
  /** With the digests of the uncompressed layers, where it is an image. */
  links: ManifestBlobRow[];
}

/** All that it names is in the repository already, as large as it says. */
async function checkLinks(deps: RegistryDeps, target: Target, parsed: ParsedManifest): Promise<Found> {
  const repository = await findRepository(deps.db.read, target.project.id, target.name);
  const unknown = (digest: string): Fault => invalid(`sha256:${digest} has not been pushed to this repository`, 'MANIFEST_BLOB_UNKNOWN', { digest: `sha256:${digest}` });
  const linked = repository ? await linkedBlobs(deps.db.read, repository.id, parsed.links.filter(({ role }) => role !== 'manifest').map(({ digest }) => digest)) : new Set<string>();
  for (const { digest, role, size } of parsed.links) {
    if (role === 'manifest') {
      if (!repository || !(await hasManifest(deps.db.read, repository.id, digest, undefined))) throw unknown(digest);
    } else if (!linked.has(digest)) throw unknown(digest);
    const there = role === 'manifest' ? await findManifest(deps.db.read, digest) : await findBlob(deps.db.read, digest);
    if (!there) throw unknown(digest);
    if (there.size !== size) throw invalid(`sha256:${digest} has ${there.size} bytes, not ${size}`, 'SIZE_INVALID');
  }
  return { parsed, links: parsed.kind === 'image' && isRunnable(parsed) ? await withDiffIds(deps, parsed.links) : parsed.links };
}

async function withDiffIds(deps: RegistryDeps, links: ManifestBlobRow[]): Promise<ManifestBlobRow[]> {
  const config = links.find(({ role }) => role === 'config');
  if (config === undefined || config.size > MAX_CONFIG) throw invalid('its configuration is too large');
  const chunks: Buffer[] = [];
  for await (const chunk of deps.blobs.open(config.digest)) chunks.push(chunk as Buffer);
  const diff_ids = diffIdsOf(Buffer.concat(chunks).toString('utf8'));
  if (diff_ids.length !== links.length - 1) throw invalid('it and its configuration count different layers');
  return links.map((link, at) => (link.role === 'layer' ? { ...link, diff_id: diff_ids[at - 1] ?? null } : link));
}

function diffIdsOf(text: string): string[] {
  try {
    const found: unknown = (JSON.parse(text) as { rootfs?: { diff_ids?: unknown } } | null)?.rootfs?.diff_ids ?? [];
    if (Array.isArray(found) && found.every((one) => typeof one === 'string' && /^sha256:[0-9a-f]{64}$/.test(one))) return found as string[];
  } catch {
    // said below
  }
  throw invalid('its configuration is not one of a container image');
}

const ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386' };

/** The manifest that a node would run: itself, or the one of an index for this kind of machine. */
async function runnableOf(deps: RegistryDeps, { parsed, links }: Found): Promise<NewManifest | undefined> {
  if (parsed.kind === 'image') return isRunnable(parsed) ? { row: parsed.row, links } : undefined;
  const platform = `linux/${ARCHITECTURES[process.arch] ?? process.arch}`;
  const chosen = links.find((link) => link.platform === platform) ?? links.find((link) => link.platform?.startsWith('linux/') === true) ?? (links.length === 1 ? links[0] : undefined);
  const row = chosen && (await findManifest(deps.db.read, chosen.digest));
  if (!row) return undefined;
  const manifest = { row, links: await listManifestBlobs(deps.db.read, row.digest) };
  return isRunnable(manifest) ? manifest : undefined;
}

