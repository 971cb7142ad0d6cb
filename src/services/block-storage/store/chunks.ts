/** The bytes of backups, as files by chain and checksum. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ChunkStore } from '../deps.ts';

const DIGEST = /^[0-9a-f]{64}$/;
const CHAIN = /^[0-9a-f-]{36}$/;

export function createChunkStore(directory: string): ChunkStore {
  const folder = (chain: string): string => {
    if (!CHAIN.test(chain)) throw badRequest('block-storage.chain-invalid', 'There is no such chain of backups.');
    return join(directory, chain);
  };
  const fileOf = (chain: string, digest: string): string => {
    if (!DIGEST.test(digest)) throw badRequest('block-storage.digest-invalid', 'A digest is 64 hex digits.');
    return join(folder(chain), digest);
  };
  return {
    async put(chain, digest, body) {
      const target = fileOf(chain, digest);
      await mkdir(folder(chain), { recursive: true, mode: 0o700 });
      const draft = `${target}.${uuid()}`;
      const hash = createHash('sha256');
      const hashing = new Transform({
        transform(part: Buffer, _encoding, done) {
          hash.update(part);
          done(null, part);
        },
      });
      try {
        await pipeline(body, hashing, createWriteStream(draft, { mode: 0o600, flush: true }));
        if (hash.digest('hex') !== digest) throw badRequest('block-storage.chunk-damaged', 'The bytes are not those that were announced.');
        await rename(draft, target);
      } finally {
        await rm(draft, { force: true });
      }
    },
    async open(chain, digest) {
      const path = fileOf(chain, digest);
      await access(path).catch((cause: unknown) => {
        throw notFound('block-storage.chunk-not-found', 'The backup lacks a part of its data.', { cause });
      });
      return createReadStream(path, { highWaterMark: 1 << 20 });
    },
    async retain(chain, digests) {
      const names = await readdir(folder(chain)).catch(() => []);
      for (const name of names) if (!digests.has(name.slice(0, 64))) await rm(join(folder(chain), name), { force: true });
      if (digests.size === 0) await rmdir(folder(chain)).catch(() => {});
    },
  };
}
