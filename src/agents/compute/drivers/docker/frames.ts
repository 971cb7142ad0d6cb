/** The engine's multiplexed log stream: frames of `[stream, 0, 0, 0, length as 32 bits big endian] payload`. */

export interface FrameReader {
  /** @returns the payloads that are whole or have begun, in order. */
  push(chunk: Buffer): Buffer[];
}

export interface Piece {
  /** 1: stdout, 2: stderr. */
  stream: number;
  payload: Buffer;
}

/** Payloads of stdout (1) and stderr (2) in the order in which they came; chunks may cut frames anywhere. */
export function createFrameReader(): FrameReader {
  const pieces = createPieceReader();
  return { push: (chunk) => pieces.push(chunk).map(({ payload }) => payload) };
}

export function createPieceReader(): { push(chunk: Buffer): Piece[] } {
  let stream = 1;
  let head = Buffer.alloc(0);
  let left = 0;
  return {
    push(chunk) {
      const out: Piece[] = [];
      let rest = chunk;
      while (rest.length > 0) {
        if (left > 0) {
          const payload = rest.subarray(0, left);
          out.push({ stream, payload });
          left -= payload.length;
          rest = rest.subarray(payload.length);
          continue;
        }
        const wanted = 8 - head.length;
        head = Buffer.concat([head, rest.subarray(0, wanted)]);
        rest = rest.subarray(wanted);
        if (head.length < 8) break;
        left = head.readUInt32BE(4);
        stream = head[0] === 2 ? 2 : 1;
        head = Buffer.alloc(0);
      }
      return out;
    },
  };
}

export interface Tail {
  push(chunk: Buffer): void;
  text(): string;
}

/** Keeps the last `limit` bytes, begun at a character. */
export function createTail(limit: number): Tail {
  let chunks: Buffer[] = [];
  let size = 0;
  return {
    push(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      while (chunks.length > 1 && size - chunks[0]!.length >= limit) size -= chunks.shift()!.length;
      if (chunks.length > 4096) chunks = [Buffer.concat(chunks)];
    },
    text() {
      const all = Buffer.concat(chunks);
      let from = Math.max(0, all.length - limit);
      while (from > 0 && from < all.length && (all[from]! & 0xc0) === 0x80) from += 1;
      return all.subarray(from).toString('utf8');
    },
  };
}
