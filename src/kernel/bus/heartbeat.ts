import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

export interface HeartbeatOptions {
  interval_ms: number;
  /** Silence after which a peer is dead; up to two intervals more may pass before it is noticed. */
  limit_ms: number;
}

/** Notices a dead peer within 10 s. */
export const defaultHeartbeat: HeartbeatOptions = { interval_ms: 2000, limit_ms: 5900 };

/**
 * Pings, and ends the link of a peer from which no byte came and to which none went.
 * Bytes count, not messages: a large frame on a slow line is life too.
 */
export function startHeartbeat(socket: WebSocket, transport: Socket, options: HeartbeatOptions, onDead: () => void): () => void {
  let received = transport.bytesRead;
  let unsent = socket.bufferedAmount;
  let aliveAt = performance.now();
  let tickedAt = aliveAt;
  const timer = setInterval(() => {
    const now = performance.now();
    // When this process itself was held up, what the peer sent is still unread: judge at the next tick.
    const heldUp = now - tickedAt > 2 * options.interval_ms;
    const moved = transport.bytesRead !== received || socket.bufferedAmount < unsent;
    tickedAt = now;
    received = transport.bytesRead;
    unsent = socket.bufferedAmount;
    if (moved || heldUp) aliveAt = now;
    else if (now - aliveAt >= options.limit_ms) {
      onDead();
      return;
    }
    if (socket.readyState === socket.OPEN) socket.ping();
  }, options.interval_ms);
  timer.unref();
  return () => clearInterval(timer);
}
