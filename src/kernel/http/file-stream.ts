/**
 * Streams of what lies in files. Whoever reads one gets bytes like from any other; the server sends it by a few buffers that
 * are used again and again, which takes half the CPU time of a buffer for each piece.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

export interface FilePart {
  path: string;
  /** The first byte, 0 when left out, and the last one, that of the file when left out. */
  start?: number;
  end?: number;
}

const PARTS = Symbol('parts');
const PIECE = 1 << 20;
const BUFFERS = 2;

/** @param parts literal bytes and files, in their order. A file that cannot be read fails the stream. */
export function fileStream(parts: readonly (Buffer | FilePart)[]): Readable {
  return Object.assign(Readable.from(read(parts), { objectMode: false, highWaterMark: PIECE }), { [PARTS]: parts });
}

/** Undefined: another kind of stream. */
export const partsOf = (stream: unknown): readonly (Buffer | FilePart)[] | undefined => (stream as { [PARTS]?: readonly (Buffer | FilePart)[] } | undefined | null)?.[PARTS];

async function* read(parts: readonly (Buffer | FilePart)[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    if (Buffer.isBuffer(part)) yield part;
    else yield* createReadStream(part.path, { highWaterMark: PIECE, ...part }) as AsyncIterable<Buffer>;
  }
}

/** @param begin sends the head, once the first file is open. Ends the connection when a file breaks off. */
export async function sendFiles(parts: readonly (Buffer | FilePart)[], out: ServerResponse, begin: () => void): Promise<void> {
  const [first] = parts;
  const opened = first === undefined || Buffer.isBuffer(first) ? undefined : await open(first.path);
  begin();
  const pump = createPump(out);
  try {
    for (const [at, part] of parts.entries()) {
      if (Buffer.isBuffer(part)) await pump.bytes(part);
      else await pump.file(at === 0 && opened ? opened : await open(part.path), part);
    }
    out.end();
  } catch (error) {
    out.destroy();
    if (!pump.left()) throw error;
  } finally {
    await opened?.close().catch(() => {});
  }
}

const receiverLeft = new Error('the receiver has left');

function createPump(out: ServerResponse) {
  const free: Buffer[] = [];
  let made = 0;
  let wake = (): void => {};
  const left = (): boolean => out.destroyed || out.writableFinished;
  out.once('close', () => wake());
  out.on('error', () => {});

  async function take(): Promise<Buffer> {
    for (;;) {
      if (left()) throw receiverLeft;
      const buffer = free.pop();
      if (buffer !== undefined) return buffer;
      if (made < BUFFERS) {
        made += 1;
        return Buffer.allocUnsafeSlow(PIECE);
      }
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  async function file(handle: FileHandle, { path, start = 0, end = Infinity }: FilePart): Promise<void> {
    try {
      for (let at = start; at <= end; ) {
        const buffer = await take();
        const { bytesRead } = await handle.read(buffer, 0, Math.min(PIECE, end - at + 1), at);
        if (bytesRead === 0 && end !== Infinity) throw new Error(`${path} ends at byte ${at}, before ${end}`);
        if (bytesRead === 0) return void free.push(buffer);
        at += bytesRead;
        out.write(buffer.subarray(0, bytesRead), () => {
          free.push(buffer);
          wake();
        });
      }
    } finally {
      await handle.close();
    }
  }

  return {
    left,
    file,
    bytes: (part: Buffer): Promise<void> => new Promise((resolve, reject) => void (left() ? reject(receiverLeft) : out.write(part, (error) => (error ? reject(error) : resolve())))),
  };
}
