/** Hashes of streams: of small ones at once, of large ones on threads of their own beside the event loop. */
import { createHash } from 'node:crypto';
import { type Algorithm, createLanes, type Lane } from './digest-lanes.ts';

export type { Algorithm } from './digest-lanes.ts';

export interface Digester {
  /** @param bytes must stay as they are until the promise resolves. */
  update(bytes: Buffer): Promise<void>;
  /** Lower-case hex. */
  digest(): Promise<string>;
  /** Ends it without a result. */
  forget(): void;
}

/** Up to here a thread is not worth its start. */
const SMALL = 512 * 1024;
const lanes = createLanes();
const lanesBehind = createLanes(10);

/** @param behind of what nobody waits for: all other work goes first */
export function createDigester(algorithm: Algorithm, behind = false): Digester {
  let held: Buffer[] = [];
  let size = 0;
  let lane: Lane | undefined;
  const send = (bytes: Buffer): Promise<void> => {
    const shared = bytes.buffer instanceof SharedArrayBuffer ? bytes : sharedCopy(bytes);
    return lane!.update(shared.buffer as unknown as SharedArrayBuffer, shared.byteOffset, shared.length);
  };
  return {
    async update(bytes) {
      if (bytes.length === 0) return;
      size += bytes.length;
      if (lane === undefined && size <= SMALL) {
        held.push(Buffer.from(bytes));
        return;
      }
      lane ??= (behind ? lanesBehind : lanes).open(algorithm);
      const first = held;
      held = [];
      await Promise.all([...first, bytes].map(send));
    },
    async digest() {
      if (lane !== undefined) return lane.digest();
      const hash = createHash(algorithm);
      for (const bytes of held) hash.update(bytes);
      return hash.digest('hex');
    },
    forget: () => lane?.forget(),
  };
}

function sharedCopy(bytes: Buffer): Buffer {
  const copy = Buffer.from(new SharedArrayBuffer(bytes.length));
  bytes.copy(copy);
  return copy;
}
