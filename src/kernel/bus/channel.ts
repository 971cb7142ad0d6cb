import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { Fault, isFault, tooLarge, unavailable } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { closeCode, fromWireError, MAX_MESSAGE_BYTES, parseFrame, toWireError, type Frame } from './frames.ts';
import { startHeartbeat, type HeartbeatOptions } from './heartbeat.ts';
import { createOutbox, type Waiting } from './outbox.ts';

export interface CallOptions {
  /** Default: two minutes. */
  timeout_ms?: number;
  /** Gives up waiting; what the other side began it finishes. */
  signal?: AbortSignal;
}

export const DEFAULT_TIMEOUT_MS = 120_000;

export interface ChannelOptions {
  socket: WebSocket;
  transport: Socket;
  /** Who is at the other end, for messages: `node compute-1`. */
  peer: string;
  log: Log;
  heartbeat: HeartbeatOptions;
  /** The fault for calls that no one can answer. */
  unavailable: () => Fault;
  /** @throws Fault, which crosses the wire. */
  onCall(method: string, params: unknown): unknown;
  onEvent(event: string, params: unknown): void;
  /** Once, after all pending calls have failed. */
  onClose(code: number, reason: string): void;
}

/** One live link: calls, answers and events both ways. */
export interface Channel {
  /** @throws Fault from the other side; 504 `bus.timeout`; what `unavailable` makes; 413 `bus.message-too-large`; the signal's reason. */
  call(method: string, params: unknown, options?: CallOptions): Promise<unknown>;
  /** False when the link is gone. */
  emit(event: string, params: unknown): boolean;
  /** Ends the link with a code of `closeCode` or 1000/1001. Pending calls fail at once. */
  close(code: number, reason: string): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Takes over a socket whose handshake is done. */
export function openChannel(options: ChannelOptions): Channel {
  const { socket, peer, log } = options;
  const outbox = createOutbox(socket);
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let open = true;

  const end = (code: number, reason: string): void => {
    if (!open) return;
    open = false;
    stopHeartbeat();
    outbox.clear();
    for (const call of pending.values()) call.reject(options.unavailable());
    pending.clear();
    options.onClose(code, reason);
  };
  const stopHeartbeat = startHeartbeat(socket, options.transport, options.heartbeat, () => {
    log.warn({ peer }, 'the link is silent: taken for dead');
    socket.terminate();
    end(1006, 'silent');
  });
  const post = (frame: Frame): void => {
    if (open && outbox.push(encode(frame)) === false) {
      log.error({ peer }, 'the link is too slow for what it has to carry: cut');
      socket.terminate();
    }
  };
  const answer = async (id: number, method: string, params: unknown): Promise<void> => {
    try {
      post({ id, result: await options.onCall(method, params) });
    } catch (error) {
      if (!isFault(error)) log.error({ err: error, peer, method }, 'a call over the link failed');
      post({ id, fault: toWireError(error) });
    }
  };
  const settle = (id: number, frame: Record<string, unknown>): void => {
    const call = pending.get(id);
    if (call === undefined) return; // given up meanwhile
    if ('fault' in frame) call.reject(fromWireError(frame['fault']));
    else call.resolve(frame['result']);
  };
  const settled = (id: number, done: () => void, waiting: Waiting): void => {
    pending.delete(id);
    waiting.dropped = true;
    done();
  };
  const receive = (data: RawData): void => {
    let frame: Record<string, unknown>;
    try {
      frame = parseFrame((data as Buffer).toString());
    } catch {
      socket.close(closeCode.malformed, 'a frame is not a JSON object');
      return;
    }
    if (typeof frame['event'] === 'string') options.onEvent(frame['event'], frame['params']);
    else if (typeof frame['id'] !== 'number') socket.close(closeCode.malformed, 'a frame has neither id nor event');
    else if (typeof frame['call'] === 'string') void answer(frame['id'], frame['call'], frame['params']);
    else settle(frame['id'], frame);
  };
  socket.on('message', (data) => {
    if (open) receive(data);
  });
  socket.on('error', (error) => log.debug({ err: error, peer }, 'the link failed'));
  socket.on('close', (code, reason) => end(code, reason.toString()));

  return {
    call(method, params, { timeout_ms = DEFAULT_TIMEOUT_MS, signal } = {}) {
      return new Promise((resolve, reject) => {
        if (!open) throw options.unavailable();
        signal?.throwIfAborted();
        const id = (lastId += 1);
        const waiting = outbox.push(encode({ id, call: method, params }));
        if (waiting === false) throw unavailable('bus.congested', `The link to ${peer} is congested.`, { retryable: true });
        const done = watch(signal, timeout_ms, (error) => pending.get(id)?.reject(error), peer, method);
        pending.set(id, {
          resolve: (result) => (settled(id, done, waiting), resolve(result)),
          reject: (error) => (settled(id, done, waiting), reject(error)),
        });
      });
    },
    emit(event, params) {
      post({ event, params });
      return open;
    },
    close(code, reason) {
      socket.close(code, reason);
      end(code, reason);
    },
  };
}

/** @returns how to stop watching. */
function watch(signal: AbortSignal | undefined, timeout_ms: number, give_up: (error: unknown) => void, peer: string, method: string): () => void {
  const timer = setTimeout(() => {
    give_up(new Fault(504, 'bus.timeout', `There was no answer from ${peer} to ${method} within ${timeout_ms} ms.`, { retryable: true }));
  }, timeout_ms);
  if (signal === undefined) return () => clearTimeout(timer);
  const abort = (): void => give_up(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  };
}

/** @throws Fault 413 for what the other side would refuse. */
function encode(frame: Frame): string {
  const text = JSON.stringify(frame);
  // Only a text of a quarter of the limit can reach it: no need to measure the small ones.
  if (text.length > MAX_MESSAGE_BYTES / 4 && Buffer.byteLength(text) > MAX_MESSAGE_BYTES) {
    throw tooLarge('bus.message-too-large', `A message between controller and node may have ${MAX_MESSAGE_BYTES} bytes at most.`);
  }
  return text;
}
