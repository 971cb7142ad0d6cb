/** An archive as literal bytes and whole blobs: each layer is kept once, and the archive still comes back byte for byte. */
import { Readable } from 'node:stream';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type FilePart, fileStream, partsOf } from '../../../kernel/http/file-stream.ts';
import type { BlobStore, ByteRange } from '../store/blobs.ts';
import type { RecipeRow } from '../store/tables.ts';

export type Piece = Buffer | { digest: string; size: number };

/** @param pieces in the order of the archive. */
export function makeRecipe(id: string, pieces: readonly Piece[], now: string): { row: RecipeRow; digests: string[] } {
  const parts: (number | string)[] = [];
  const literals: Buffer[] = [];
  const digests: string[] = [];
  let size = 0;
  for (const piece of pieces) {
    const last = parts.at(-1);
    if (!Buffer.isBuffer(piece)) {
      digests.push(piece.digest);
      parts.push(`${piece.digest}:${piece.size}`);
      size += piece.size;
      continue;
    }
    literals.push(piece);
    size += piece.length;
    if (typeof last === 'number') parts[parts.length - 1] = last + piece.length;
    else parts.push(piece.length);
  }
  const row = { id, size, parts: JSON.stringify(parts), literals: deflateRawSync(Buffer.concat(literals)).toString('base64'), touched_at: now };
  return { row, digests };
}

function piecesOf(row: RecipeRow): Piece[] {
  const literals = inflateRawSync(Buffer.from(row.literals, 'base64'));
  let at = 0;
  return (JSON.parse(row.parts) as (number | string)[]).map((part) => {
    if (typeof part === 'number') return literals.subarray(at, (at += part));
    const [digest = '', size] = part.split(':');
    return { digest, size: Number(size) };
  });
}

const sizeOf = (piece: Piece): number => (Buffer.isBuffer(piece) ? piece.length : piece.size);

/** Plays the archive back, or a range of it. */
export function playRecipe(blobs: BlobStore, row: RecipeRow, range: ByteRange = { start: 0, end: row.size - 1 }): Readable {
  const sources = sourcesOf(blobs, piecesOf(row), range);
  const parts = sources.map((source): readonly (Buffer | FilePart)[] | undefined => (Buffer.isBuffer(source) ? [source] : partsOf(source())));
  if (parts.every((part) => part !== undefined)) return fileStream(parts.flat());
  return Readable.from(play(sources), { objectMode: false, highWaterMark: 1 << 20 });
}

async function* play(sources: readonly Source[]): AsyncGenerator<Buffer> {
  for (const source of sources) {
    if (Buffer.isBuffer(source)) yield source;
    else yield* source() as AsyncIterable<Buffer>;
  }
}

type Source = Buffer | (() => Readable);

function sourcesOf(blobs: BlobStore, pieces: readonly Piece[], range: ByteRange): Source[] {
  const sources: Source[] = [];
  let at = 0;
  for (const piece of pieces) {
    const size = sizeOf(piece);
    const start = Math.max(range.start - at, 0);
    const end = Math.min(range.end - at, size - 1);
    at += size;
    if (start > end) continue;
    sources.push(Buffer.isBuffer(piece) ? piece.subarray(start, end + 1) : () => blobs.open(piece.digest, { start, end }));
  }
  return sources;
}
