/** Streams as they were before somebody packed them, told by their first bytes and not by what anybody says of them. */
import { Readable, pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { TarError } from '../../../../kernel/tar.ts';

/** gzip and zstd unpacked, anything else as it is. @throws TarError when it is empty, or packed with what is not supported. */
export async function decompressed(source: AsyncGenerator<Buffer>): Promise<AsyncIterable<Buffer>> {
  const first = await source.next();
  if (first.done === true) throw new TarError('it is empty');
  let head = first.value;
  while (head.length < 6) {
    const next = await source.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = withHead(head, source);
  const magic = head.subarray(0, 6).toString('hex');
  if (magic.startsWith('1f8b')) return through(whole, createGunzip());
  if (magic.startsWith('28b52ffd')) return through(whole, createZstdDecompress());
  if (magic.startsWith('425a68')) throw new TarError('it is compressed with bzip2; use gzip, zstd or nothing');
  if (magic === 'fd377a585a00') throw new TarError('it is compressed with xz; use gzip, zstd or nothing');
  return whole;
}

/** @throws TarError once more than `limit` bytes have come. */
export async function* bounded(source: AsyncIterable<Buffer>, limit: number): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) throw new TarError(`it unpacks to more than ${limit} bytes`);
    yield chunk;
  }
}

async function* withHead(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* rest;
}

async function* through(source: AsyncIterable<Buffer>, step: ReturnType<typeof createGunzip>): AsyncGenerator<Buffer> {
  const out = pipeline(Readable.from(source, { objectMode: false }), step, () => {});
  try {
    yield* out as AsyncIterable<Buffer>;
  } catch (error) {
    if (error instanceof Error && 'code' in error && /^(Z_|ERR_ZSTD|ZSTD)/.test(String(error.code))) throw new TarError('its compression is damaged');
    throw error;
  }
}
