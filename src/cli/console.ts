/** `gantry console` and `gantry exec`: the same consoles as in the browser, in this terminal. */
import { WebSocket } from 'ws';
import type { ConsoleMode } from '../agents/compute/console-protocol.ts';
import { isUuid } from '../kernel/ids.ts';
import { type Session, ApiError } from './api.ts';
import { CliError } from './errors.ts';

/** Where a console reads and writes; tests hand in streams of their own. */
export interface ConsoleStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(on: boolean): unknown };
  output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };
  errors: NodeJS.WritableStream;
}

export interface ConsoleWish {
  mode: ConsoleMode;
  command?: string[];
  tty: boolean;
  environment?: Record<string, string>;
}

const PROTOCOL = 'gantry.console.v1';
/** Control-]: leaves what cannot be ended. */
const LEAVE = 0x1d;
const MAX_MESSAGE = 64 * 1024;
const NOT_STARTED = 125;

/** @param name a server's name or id. @throws CliError when there is none, or more than one. */
export async function findServer(session: Session, name: string): Promise<string> {
  if (isUuid(name)) {
    try {
      return (await session.call('compute', 'GET', `/servers/${name}`)).server.id as string;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }
  const { servers } = (await session.call('compute', 'GET', '/servers?' + new URLSearchParams({ name: `^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$` }).toString())) as { servers: { id: string; name: string }[] };
  const found = servers.filter((one) => one.name === name);
  if (found.length === 1) return found[0]!.id;
  if (found.length > 1) throw new CliError('GY-CONSOLE-001', `${found.length} servers are called ${name}`, { next: `name one of them by its id: ${found.map(({ id }) => id).join(' ')}` });
  throw new CliError('GY-CONSOLE-002', `this project has no server ${name}`, { next: 'openstack server list' });
}

/** @returns the exit status: the program's own, or 125 when it could not be run. */
export async function runConsole(session: Session, server: string, wish: ConsoleWish, streams: ConsoleStreams): Promise<number> {
  const id = await findServer(session, server);
  const { console: made } = (await session.call('compute', 'POST', `/servers/${id}/action`, { 'os-getSerialConsole': { type: 'serial' } })) as { console: { url: string } };
  const socket = new WebSocket(made.url, [PROTOCOL], { perMessageDeflate: false });
  const undo: (() => void)[] = [];
  try {
    return await converse(socket, wish, streams, undo);
  } finally {
    undo.forEach((step) => step());
    socket.terminate();
  }
}

function converse(socket: WebSocket, wish: ConsoleWish, streams: ConsoleStreams, undo: (() => void)[]): Promise<number> {
  const { output, errors } = streams;
  return new Promise((resolve, reject) => {
    let code: number | undefined;
    const hear = (word: { opened?: { tty: boolean; input: boolean }; error?: { message: string }; exit?: { code: number | null }; skipped?: number }): void => {
      if (word.opened !== undefined) undo.push(...connect(socket, wish, word.opened, streams));
      else if (word.exit !== undefined) code = word.exit.code ?? 0;
      else if (word.error !== undefined) errors.write(`gantry: ${word.error.message}\n`);
      else if (word.skipped !== undefined) errors.write(`\ngantry: ${word.skipped} bytes came too fast\n`);
    };
    socket.once('open', () => socket.send(JSON.stringify({ open: { mode: wish.mode, tty: wish.tty, size: sizeOf(output), environment: wish.environment ?? {}, ...(wish.command === undefined ? {} : { command: wish.command }) } })));
    socket.on('message', (data: Buffer, binary) => {
      if (!binary) return hear(JSON.parse(data.toString()) as Parameters<typeof hear>[0]);
      const to = data[0] === 2 ? errors : output;
      if (to.write(data.subarray(1))) return;
      socket.pause();
      to.once('drain', () => socket.resume());
    });
    socket.once('close', (closed, reason) => {
      if (code === undefined && closed !== 1005) errors.write(`gantry: ${reason.toString() || 'the connection is lost'}\n`);
      resolve(code ?? (closed === 1005 ? 0 : NOT_STARTED));
    });
    socket.once('error', (error) => reject(new CliError('GY-CONSOLE-003', `the console cannot be reached: ${error.message}`)));
  });
}

/** Joins the keyboard. @returns what puts the terminal back. */
function connect(socket: WebSocket, wish: ConsoleWish, opened: { tty: boolean; input: boolean }, { input, output }: ConsoleStreams): (() => void)[] {
  const raw = input.isTTY === true && (opened.tty || wish.mode === 'attach');
  if (raw) input.setRawMode?.(true);
  const type = (bytes: Buffer): void => {
    if (raw && wish.mode !== 'exec' && bytes.includes(LEAVE)) return socket.close();
    if (!opened.input) return;
    for (let at = 0; at < bytes.length; at += MAX_MESSAGE) socket.send(bytes.subarray(at, at + MAX_MESSAGE));
  };
  const end = (): void => socket.send('{"eof":true}');
  const resize = (): void => socket.send(JSON.stringify({ resize: sizeOf(output) }));
  input.on('data', type);
  input.once('end', end);
  output.on('resize', resize);
  input.resume();
  return [
    () => {
      input.off('data', type).off('end', end);
      output.off('resize', resize);
      if (raw) input.setRawMode?.(false);
      input.pause();
    },
  ];
}

function sizeOf({ columns = 80, rows = 24 }: ConsoleStreams['output']): { cols: number; rows: number } {
  const bound = (side: number): number => Math.min(1000, Math.max(1, side));
  return { cols: bound(columns), rows: bound(rows) };
}
