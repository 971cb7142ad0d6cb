import type { WebSocket } from 'ws';

/** Above this much unsent, frames wait here, where a call that was given up can still be dropped. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** Above this much waiting, the peer is too slow to be served. */
const LIMIT_CHARACTERS = 256 * 1024 * 1024;

export interface Waiting {
  text: string;
  dropped: boolean;
}

export interface Outbox {
  /** False when too much is waiting already: nothing was queued. */
  push(text: string): Waiting | false;
  clear(): void;
}

/** Frames on their way to one peer, in order. */
export function createOutbox(socket: WebSocket): Outbox {
  const queue: Waiting[] = [];
  let characters = 0;

  const write = (text: string): void => socket.send(text, drain);
  const drain = (): void => {
    while (queue.length > 0 && socket.bufferedAmount < HIGH_WATER_BYTES) {
      const next = queue.shift() as Waiting;
      characters -= next.text.length;
      if (!next.dropped) write(next.text);
    }
  };
  return {
    push(text) {
      const frame = { text, dropped: false };
      if (queue.length === 0 && socket.bufferedAmount < HIGH_WATER_BYTES) {
        write(text);
        return frame;
      }
      if (characters + text.length > LIMIT_CHARACTERS) return false;
      queue.push(frame);
      characters += text.length;
      return frame;
    },
    clear() {
      queue.length = 0;
      characters = 0;
    },
  };
}
