import type { Socket } from 'node:net';
import { WebSocket, type RawData } from 'ws';
import { MAX_MESSAGE_BYTES, parseFrame, type Hello } from './frames.ts';

/** The controller said no, and why. */
export class Refused extends Error {
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason === '' ? `the controller ended the link (${code})` : reason);
    this.name = 'Refused';
    this.code = code;
  }
}

export interface Dialled {
  socket: WebSocket;
  transport: Socket;
}

const TIMEOUT_MS = 10_000;

/**
 * Connects and introduces the node. `onWelcome` takes the socket over in the same tick, since the controller's first call
 * may sit right behind its welcome; resolves with what it makes. @throws Refused, or why there is no connection.
 */
export function dial<T>(url: string, hello: Hello, ca: Buffer | undefined, signal: AbortSignal, onWelcome: (dialled: Dialled) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: TIMEOUT_MS,
      followRedirects: false,
      ...(ca !== undefined && { ca }),
    });
    let transport: Socket | undefined;
    const fail = (error: Error): void => {
      release();
      // A socket cut while it connects reports that too.
      socket.on('error', () => {});
      socket.terminate();
      reject(error);
    };
    const open = (): void => socket.send(JSON.stringify(hello));
    const message = (data: RawData): void => {
      if (transport === undefined || !isWelcome(data, hello.node_id)) return fail(new Error('the other side is not a controller'));
      release();
      resolve(onWelcome({ socket, transport }));
    };
    const close = (code: number, reason: Buffer): void => fail(new Refused(code, reason.toString()));
    const upgrade = (response: { socket: Socket }): void => {
      transport = response.socket;
      transport.setNoDelay(true);
    };
    const abort = (): void => fail(new Error('given up'));
    const timer = setTimeout(() => fail(new Error('the controller did not answer in time')), TIMEOUT_MS);
    const release = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off('open', open).off('message', message).off('close', close).off('error', fail).off('upgrade', upgrade);
    };
    socket.on('open', open).on('message', message).on('close', close).on('error', fail).on('upgrade', upgrade);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  });
}

function isWelcome(data: RawData, node_id: string): boolean {
  try {
    const { welcome } = parseFrame((data as Buffer).toString());
    return (welcome as { node_id?: unknown } | undefined)?.node_id === node_id;
  } catch {
    return false;
  }
}
