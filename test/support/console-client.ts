/** A client of consoles for tests: collects what comes, waits for what is expected. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

export interface ConsoleClient {
  socket: WebSocket;
  /** All bytes of a channel so far; of raw clients all are on channel 1. */
  text(channel?: number): string;
  words: any[];
  send(message: string | Buffer | object): void;
  /** Waits until the text has this, or the words one with this name. @throws when it is closed without. */
  until(wanted: string | RegExp | { word: string }): Promise<any>;
  closed: Promise<{ code: number; reason: string }>;
  close(): void;
}

export interface ConsoleClientOptions {
  /** Undefined: Gantry's own. */
  protocol?: string | null;
  open?: object;
  headers?: Record<string, string>;
}

const OWN = 'gantry.console.v1';

export async function openConsole(url: string, options: ConsoleClientOptions = {}): Promise<ConsoleClient> {
  const protocol = options.protocol === undefined ? OWN : options.protocol;
  const own = protocol === OWN;
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocol === null ? [] : [protocol], { headers: options.headers ?? {} });
  const texts: Record<number, Buffer[]> = { 1: [], 2: [] };
  const words: any[] = [];
  const waiting = new Set<() => void>();
  let end: { code: number; reason: string } | undefined;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve((end = { code, reason: reason.toString() })));
  });
  const tell = (): void => waiting.forEach((check) => check());
  socket.on('message', (data: Buffer, binary) => {
    if (!own) texts[1]!.push(protocol === 'base64' ? Buffer.from(data.toString(), 'base64') : data);
    else if (binary) texts[data[0]!]!.push(data.subarray(1));
    else words.push(JSON.parse(data.toString()));
    tell();
  });
  void closed.then(tell);
  const text = (channel = 1): string => Buffer.concat(texts[channel]!).toString();
  await once(socket, 'open');
  if (own) socket.send(JSON.stringify({ open: { mode: 'exec', ...options.open } }));
  return {
    socket, text, words, closed,
    send: (message) => socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message), { binary: own ? typeof message === 'string' || Buffer.isBuffer(message) : Buffer.isBuffer(message) }),
    close: () => socket.close(),
    until: (wanted) => new Promise((resolve, reject) => {
      const find = (): unknown => {
        if (typeof wanted === 'string') return text().includes(wanted);
        if (wanted instanceof RegExp) return wanted.exec(text());
        return words.find((word) => wanted.word in word)?.[wanted.word];
      };
      const check = (): void => {
        const found = find();
        if (found !== undefined && found !== null && found !== false) resolve(found);
        else if (end !== undefined) reject(new Error(`closed with ${end.code} ${end.reason} before ${String(typeof wanted === 'object' && 'word' in wanted ? wanted.word : wanted)} came; text: ${JSON.stringify(text().slice(-500))}`));
        else return;
        waiting.delete(check);
      };
      waiting.add(check);
      check();
    }),
  };
}
