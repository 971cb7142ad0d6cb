/** A stream as a few large pieces of shared memory that are used again: threads read them without a copy. */
import { IncomingMessage } from 'node:http';

export interface Slab {
  /** What came; valid until every promise given to `uses` has resolved. */
  readonly bytes: Buffer;
  /** Somebody still reads it. */
  uses(done: Promise<unknown>): void;
}

const SLAB = 1 << 20;
const MOST = 8;

/**
 * @param source chunks of any size. Each slab but the last is full. The consumer is done with a slab when it asks for the next,
 * but for the `uses` it named; a use that fails, fails the stream.
 */
export async function* slabsOf(source: AsyncIterable<Buffer>): AsyncGenerator<Slab> {
  const free: SharedArrayBuffer[] = [];
  const busy = new Set<Promise<void>>();
  const failure: { error?: unknown } = {};
  let made = 0;

  async function take(): Promise<Buffer> {
    while (free.length === 0 && made >= MOST && !('error' in failure)) await Promise.race(busy);
    if ('error' in failure) throw failure.error;
    const memory = free.pop();
    if (memory !== undefined) return Buffer.from(memory);
    made += 1;
    return Buffer.from(new SharedArrayBuffer(SLAB));
  }

  async function* hand(memory: Buffer, length: number): AsyncGenerator<Slab> {
    const uses: Promise<unknown>[] = [];
    const note = (done: Promise<unknown>): void => {
      done.catch((error: unknown) => (failure.error ??= error));
      uses.push(done);
    };
    yield { bytes: memory.subarray(0, length), uses: note };
    const done = setFree(memory, uses);
    busy.add(done);
    void done.finally(() => busy.delete(done));
  }

  async function setFree(memory: Buffer, uses: Promise<unknown>[]): Promise<void> {
    await Promise.allSettled(uses);
    free.push(memory.buffer as unknown as SharedArrayBuffer);
  }

  let slab: Buffer | undefined;
  let filled = 0;
  for await (const chunk of chunksOf(source)) {
    for (let at = 0; at < chunk.length; ) {
      slab ??= await take();
      const part = chunk.copy(slab, filled, at);
      at += part;
      filled += part;
      if (filled < slab.length) continue;
      yield* hand(slab, filled);
      slab = undefined;
      filled = 0;
    }
  }
  if (slab !== undefined && filled > 0) yield* hand(slab, filled);
  await Promise.all(busy);
  if ('error' in failure) throw failure.error;
}

/** A request whose reader gives up is not destroyed: its answer is still to be sent, and the rest of its body to be thrown away. */
export function chunksOf(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return source instanceof IncomingMessage ? (source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) : source;
}
