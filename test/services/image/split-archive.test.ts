/** What was split comes back byte for byte, whole and in ranges. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { slabsOf } from '../../../src/kernel/digest/slabs.ts';
import { endOfArchive, writeEntry } from '../../../src/kernel/tar.ts';
import { makeRecipe, type Piece, playRecipe } from '../../../src/services/image/model/recipes.ts';
import { splitArchive } from '../../../src/services/image/model/split-archive.ts';
import { createFileBlobs } from '../../../src/services/image/store/file-blobs.ts';
import { createScratch } from '../../../src/services/image/store/scratch.ts';

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function read(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function* cut(bytes: Buffer, sizes: number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test('members of any size in chunks of any size', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-split-'));
  try {
    const scratch = await createScratch(folder);
    const blobs = createFileBlobs(folder);
    const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 130_000, max: 132_000 }), fc.constant(3 << 20)), { maxLength: 4 });
    await fc.assert(fc.asyncProperty(sizes, fc.array(fc.integer({ min: 1000, max: 400_000 }), { minLength: 1, maxLength: 5 }), fc.nat(), async (members, chunks, seed) => {
      const contents = members.map((size, at) => Buffer.alloc(size, `${seed}.${at}.`));
      const archive = Buffer.concat([...contents.map((content, at) => writeEntry({ name: `${'long/'.repeat(at * 12)}${at}`, content })), endOfArchive(), Buffer.alloc(8192)]);
      const split = await splitArchive(slabsOf(Readable.from(cut(archive, chunks))), scratch);
      await split.finish();
      assert.deepEqual(await Promise.all(split.members.map((member) => member.digest())), contents.map(sha));
      const pieces: Piece[] = [];
      for (const piece of split.pieces) {
        if (Buffer.isBuffer(piece)) pieces.push(piece);
        else if (piece.file === undefined) pieces.push(await piece.read());
        else {
          const digest = await piece.digest();
          await blobs.put(digest, piece.file.path);
          pieces.push({ digest, size: piece.size });
        }
      }
      const { row } = makeRecipe('x', pieces, '');
      assert.equal(row.size, archive.length);
      assert.ok((await read(playRecipe(blobs, row))).equals(archive));
      const start = seed % archive.length;
      const end = Math.min(start + 200_000, archive.length - 1);
      assert.ok((await read(playRecipe(blobs, row, { start, end }))).equals(archive.subarray(start, end + 1)));
    }), { numRuns: 25 });
  } finally {
    await rm(folder, { recursive: true });
  }
});
