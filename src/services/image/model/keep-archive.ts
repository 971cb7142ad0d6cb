/** An uploaded archive becomes layers, a manifest that names them, and the recipe by which it comes back byte for byte. */
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { TaskDeps } from '../deps.ts';
import { insertManifest } from '../store/manifests.ts';
import { insertRecipe } from '../store/recipes.ts';
import type { ImageTables, RecipeRow } from '../store/tables.ts';
import { keepBlob } from './blobs.ts';
import { type ArchivedImage, badArchive, compressionOf, readArchivedImage } from './image-archive.ts';
import { composeManifest, type NewManifest, parseManifest } from './manifests.ts';
import { makeRecipe, type Piece } from './recipes.ts';
import type { Member, SplitArchive } from './split-archive.ts';

export interface KeptArchive {
  recipe: RecipeRow;
  manifest_digest: string;
  /** Of all blobs that the rows name. */
  digests: string[];
  insert(tx: Transaction<ImageTables>): Promise<void>;
}

/** Keeps the blobs; the rows are written by `insert`. Faults: 400 not an image, 413, 503. */
export async function keepArchive(deps: TaskDeps, split: SplitArchive, digest: string, now: string): Promise<KeptArchive> {
  const image = await readArchivedImage(split.members);
  const own = new Set<string>();
  for (const member of [image.config, ...image.layers]) own.add(await keepMember(deps, member, own));
  const manifest = await manifestOf(image, now);
  const pieces: Piece[] = [];
  for (const piece of split.pieces) pieces.push(Buffer.isBuffer(piece) ? piece : await pieceOf(deps, piece, own));
  const recipe = makeRecipe(digest, pieces, now);
  return {
    recipe: recipe.row,
    manifest_digest: manifest.row.digest,
    digests: [...new Set([...own, ...recipe.digests])],
    async insert(tx) {
      await insertRecipe(tx, recipe.row, recipe.digests);
      await insertManifest(tx, manifest.row, manifest.links);
    },
  };
}

/** @returns its digest. */
async function keepMember(deps: TaskDeps, member: Member, known: Set<string>): Promise<string> {
  const digest = await member.digest();
  if (known.has(digest)) return digest;
  if (member.file !== undefined) await keepBlob(deps, { digest, size: member.size, path: member.file.path });
  else await keepBytes(deps, digest, await member.read());
  return digest;
}

export async function keepBytes(deps: TaskDeps, digest: string, bytes: Buffer): Promise<void> {
  const file = await deps.scratch.create();
  try {
    await file.write(bytes);
    await file.finish();
    await keepBlob(deps, { digest, size: bytes.length, path: file.path });
  } finally {
    await file.discard();
  }
}

/** What is a blob anyway is not kept twice. */
async function pieceOf(deps: TaskDeps, member: Member, own: Set<string>): Promise<Piece> {
  if (member.size === 0) return Buffer.alloc(0);
  const digest = await member.digest();
  if (member.file === undefined && !own.has(digest)) return member.read();
  await keepMember(deps, member, own);
  own.add(digest);
  return { digest, size: member.size };
}

async function manifestOf(image: ArchivedImage, now: string): Promise<NewManifest> {
  if (image.manifest !== undefined) return parseOwn(await image.manifest.read(), image, now);
  const layers = await Promise.all(image.layers.map(async (layer, at) => ({
    digest: await layer.digest(), size: layer.size, diff_id: image.diff_ids[at] ?? null, media_type: `application/vnd.oci.image.layer.v1.tar${compressionOf(layer.head)}`,
  })));
  return composeManifest({ config: { digest: await image.config.digest(), size: image.config.size }, layers }, now);
}

/** The archive brought its own: the image keeps the digest that it has elsewhere. */
function parseOwn(body: Buffer, image: ArchivedImage, now: string): NewManifest {
  const digest = createHash('sha256').update(body).digest('hex');
  const parsed = parseManifest(body, digest, undefined, now);
  if (parsed === undefined || parsed.kind !== 'image') throw badArchive('its manifest is not one of an image');
  for (const [at, member] of [image.config, ...image.layers].entries()) {
    const link = parsed.links[at];
    if (link?.size !== member.size) throw badArchive(`its manifest gives ${link?.digest ?? member.name} ${link?.size ?? 0} bytes, and there are ${member.size}`);
  }
  let layer = 0;
  const links = parsed.links.map((link) => (link.role === 'layer' ? { ...link, diff_id: image.diff_ids[layer++] ?? null } : link));
  return { row: parsed.row, links };
}
