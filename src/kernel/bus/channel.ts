import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { isFault, tooLarge, unavailable, type Fault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { closeCode, MAX_MESSAGE_BYTES, parseFrame, toWireError, type Frame } from './frames.ts';
import { startHeartbeat, type HeartbeatOptions } from './heartbeat.ts';
import { createOutbox } from './outbox.ts';
import { createPendingCalls, type CallOptions } from './pending-calls.ts';

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

/** Takes over a socket whose handshake is done. */
export function openChannel(options: ChannelOptions): Channel {
  const { socket, peer, log } = options;
  const outbox = createOutbox(socket);
  const calls = createPendingCalls(peer);
  let open = true;

  const end = (code: number, reason: string): void => {
    if (!open) return;
    open = false;
    stopHeartbeat();
    outbox.clear();
    calls.failAll(options.unavailable);
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
  socket.on('message', (data) => {
    if (open) receive(data, options, post, calls.settle);
  });
  socket.on('error', (error) => log.debug({ err: error, peer }, 'the link failed'));
  socket.on('close', (code, reason) => end(code, reason.toString()));

  return {
    call: (method, params, callOptions = {}) =>
      calls.start(method, callOptions, (id) => {
        if (!open) throw options.unavailable();
        const waiting = outbox.push(encode({ id, call: method, params }));
        if (waiting === false) throw unavailable('bus.congested', `The link to ${peer} is congested.`, { retryable: true });
        return waiting;
      }),
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

type Post = (frame: Frame) => void;

function receive(data: RawData, options: ChannelOptions, post: Post, settle: (id: number, frame: Record<string, unknown>) => void): void {
  const { socket } = options;
  let frame: Record<string, unknown>;
  try {
    frame = parseFrame((data as Buffer).toString());
  } catch {
    socket.close(closeCode.malformed, 'a frame is not a JSON object');
    return;
  }
  const { id, event, call, params } = frame;
  if (typeof event === 'string') options.onEvent(event, params);
  else if (typeof id !== 'number') socket.close(closeCode.malformed, 'a frame has neither id nor event');
  else if (typeof call === 'string') void answer(options, post, id, call, params);
  else settle(id, frame);
}

async function answer({ onCall, log, peer }: ChannelOptions, post: Post, id: number, method: string, params: unknown): Promise<void> {
  try {
    post({ id, result: await onCall(method, params) });
  } catch (error) {
    if (!isFault(error)) log.error({ err: error, peer, method }, 'a call over the link failed');
    post({ id, fault: toWireError(error) });
  }
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
