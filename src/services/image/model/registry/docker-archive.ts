/** The data of a pushed image: an archive as `docker save` writes it, the same for the same manifest and name. */
import { endOfArchive, paddingOf, writeEntry, writeHeader } from '../../../../kernel/tar.ts';
import type { RecipeRow } from '../../store/tables.ts';
import { type NewManifest, OCI_MANIFEST } from '../manifests.ts';
import { makeRecipe, type Piece } from '../recipes.ts';

/** @param ref `demo/hello:latest`, the name that the archive gives the image where it is loaded */
export function archiveOf({ row, links }: NewManifest, ref: string, now: string): { row: RecipeRow; digests: string[] } {
  const path = (digest: string): string => `blobs/sha256/${digest}`;
  const layers = links.filter(({ role }) => role === 'layer');
  const config = links.find(({ role }) => role === 'config');
  const pieces: Piece[] = [];
  const written = new Set<string>();
  for (const { digest, size } of links) {
    if (written.has(digest)) continue;
    written.add(digest);
    pieces.push(writeHeader({ name: path(digest) }, size), { digest, size }, Buffer.alloc(paddingOf(size)));
  }
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [{ mediaType: row.media_type, digest: `sha256:${row.digest}`, size: row.size, annotations: annotationsOf(ref) }] };
  const manifest = [{ Config: path(config?.digest ?? ''), RepoTags: [ref], Layers: layers.map(({ digest }) => path(digest)) }];
  const members: [string, string][] = [[path(row.digest), row.body], ['index.json', JSON.stringify(index)], ['manifest.json', JSON.stringify(manifest)], ['oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })]];
  for (const [name, text] of members) pieces.push(writeEntry({ name, content: Buffer.from(text) }));
  return makeRecipe(`${row.digest}:${ref}`, [...pieces, endOfArchive()], now);
}

const annotationsOf = (ref: string): Record<string, string> => ({ 'io.containerd.image.name': ref, 'org.opencontainers.image.ref.name': ref.slice(ref.lastIndexOf(':') + 1) });

/** Whether there is something to run in it. */
export const isRunnable = ({ row, links }: NewManifest): boolean =>
  (row.media_type === OCI_MANIFEST || row.media_type.startsWith('application/vnd.docker.')) && links.some(({ role, media_type }) => role === 'config' && IMAGE_CONFIGS.includes(media_type));

const IMAGE_CONFIGS = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
