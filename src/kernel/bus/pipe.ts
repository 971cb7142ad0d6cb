/** Messages both ways over a WebSocket, with a bound on what waits in memory: bytes as a Buffer, words as a string. */
import type { RawData, WebSocket } from 'ws';

export type Message = Buffer | string;

export interface Pipe {
  /** False: enough is waiting, send no more before `onDrain`. What is sent to a closed pipe is lost. */
  send(message: Message): boolean;
  /** Once, when there is room again or the pipe is closed; at once if there is. */
  onDrain(listener: () => void): void;
  /** One listener, which replaces the one before. Messages that came before it was there are kept for it. */
  onMessage(listener: (message: Message) => void): void;
  /** Lets the other side wait; no message comes meanwhile. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  /** Once, also when it is closed already. */
  onClose(listener: (code: number, reason: string) => void): void;
  isOpen(): boolean;
}

/** Above this much unsent, whoever sends is asked to wait; a quarter of it, and it may go on. */
const HIGH_WATER_BYTES = 1024 * 1024;
const PING_MS = 20_000;
/** A peer that does not answer the closing gets this long. */
const CLOSE_MS = 5_000;

/** Takes over an open socket. A peer that answers no ping is cut off after two of them. */
export function openPipe(socket: WebSocket): Pipe {
  const closing: ((code: number, reason: string) => void)[] = [];
  const draining: (() => void)[] = [];
  let ended: { code: number; reason: string } | undefined;
  let missed = 0;
  const inbox = createInbox(socket);

  const drained = (): void => {
    if (socket.bufferedAmount > HIGH_WATER_BYTES / 4 && ended === undefined) return;
    for (const listener of draining.splice(0)) listener();
  };
  const beat = setInterval(() => {
    missed += 1;
    if (missed > 2) socket.terminate();
    // Nobody reads pongs of a socket that is paused
    else if (socket.isPaused) missed = 0;
    else if (socket.readyState === socket.OPEN) socket.ping();
  }, PING_MS);
  beat.unref();
  socket.on('pong', () => { missed = 0; });
  socket.on('error', () => {});
  socket.once('close', (code, reason) => {
    clearInterval(beat);
    ended = { code, reason: reason.toString() };
    drained();
    for (const listener of closing.splice(0)) listener(code, ended.reason);
  });
  return {
    send(message) {
      if (socket.readyState !== socket.OPEN) return true;
      socket.send(message, { binary: typeof message !== 'string' }, drained);
      return socket.bufferedAmount < HIGH_WATER_BYTES;
    },
    onDrain(listener) {
      draining.push(listener);
      drained();
    },
    onMessage: inbox.listen,
    pause: inbox.pause,
    resume: inbox.resume,
    close(code, reason) {
      if (socket.readyState === socket.CLOSING || socket.readyState === socket.CLOSED) return;
      socket.close(code, cut(reason));
      // the answer to the closing has to be read
      socket.resume();
      setTimeout(() => socket.terminate(), CLOSE_MS).unref();
    },
    onClose(listener) {
      if (ended === undefined) closing.push(listener);
      else listener(ended.code, ended.reason);
    },
    isOpen: () => socket.readyState === socket.OPEN,
  };
}

/** What has been read of the socket already may come after it was paused: it waits here. */
function createInbox(socket: WebSocket): Pick<Pipe, 'pause' | 'resume'> & { listen: Pipe['onMessage'] } {
  const waiting: Message[] = [];
  let listener: ((message: Message) => void) | undefined;
  let paused = true;
  socket.pause();
  socket.on('message', (data: RawData, binary: boolean) => {
    const message = binary ? (data as Buffer) : (data as Buffer).toString();
    if (paused || waiting.length > 0) waiting.push(message);
    else listener?.(message);
  });
  const resume = (): void => {
    paused = false;
    while (!paused && waiting.length > 0) listener?.(waiting.shift()!);
    // Its listener may have paused it again
    if (!paused) socket.resume();
  };
  return {
    pause() {
      paused = true;
      socket.pause();
    },
    resume,
    listen(next) {
      listener = next;
      resume();
    },
  };
}

/** A close frame has room for 123 bytes. */
function cut(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1);
  return text;
}

/** Hands on what comes, as fast as the other side takes it. @param change undefined: the message is dropped. */
export function forward(from: Pipe, to: Pipe, change: (message: Message) => Message | undefined): void {
  from.onMessage((message) => {
    const changed = change(message);
    if (changed === undefined || to.send(changed)) return;
    from.pause();
    to.onDrain(() => from.resume());
  });
}
