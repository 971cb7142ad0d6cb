/** Joins a guest's console with the stream on which the controller waits for it. */
import { badRequest } from '../../kernel/fault.ts';
import type { Message, Pipe } from '../../kernel/bus/pipe.ts';
import type { ConsoleRequest, ConsoleWord, GuestConsole, GuestWord, OpenedConsole, TerminalSize } from './console-protocol.ts';
import type { ComputeDriver } from './protocol.ts';

export type OpenStream = (stream_id: string) => Promise<Pipe>;

const MODES = ['log', 'attach', 'exec'];
const SIGNALS = new Set(['HUP', 'INT', 'QUIT', 'KILL', 'USR1', 'USR2', 'TERM', 'ALRM', 'PIPE', 'CONT', 'STOP', 'TSTP', 'WINCH']);
const MAX_SIDE = 1000;

/** @returns what was opened, once its stream is there. */
export async function serveConsole(driver: Pick<ComputeDriver, 'openConsole'>, openStream: OpenStream, server_id: string, stream_id: string, request: ConsoleRequest): Promise<OpenedConsole> {
  if (!MODES.includes(request.mode) || !isSize(request.size)) throw badRequest('compute.call-invalid', 'The call asks for no console that there is.');
  const guest = await driver.openConsole(server_id, request);
  try {
    join(guest, await openStream(stream_id));
  } catch (error) {
    guest.close();
    throw error;
  }
  return { tty: guest.tty, input: guest.input };
}

function join(guest: GuestConsole, pipe: Pipe): void {
  const tell = (word: GuestWord): void => void pipe.send(JSON.stringify(word));
  let skipped = 0;
  let full = false;
  const drained = (): void => {
    full = false;
    if (skipped > 0) tell({ skipped });
    skipped = 0;
    guest.output.resume();
  };
  guest.output.on('data', (message: Buffer) => {
    if (full && guest.lossy) {
      skipped += message.length - 1;
      return;
    }
    if (pipe.send(message)) return;
    full = true;
    if (!guest.lossy) guest.output.pause();
    pipe.onDrain(drained);
  });
  guest.output.once('end', () => void finish(guest, pipe, tell));
  guest.output.on('error', () => pipe.close(1011, 'The engine ended the console.'));
  guest.stdin?.on('error', () => {});
  pipe.onMessage((message) => take(guest, pipe, message));
  pipe.onClose(() => guest.close());
}

async function finish(guest: GuestConsole, pipe: Pipe, tell: (word: GuestWord) => void): Promise<void> {
  const code = await guest.exitCode().catch(() => null);
  tell({ exit: { code } });
  pipe.close(1000, 'the console has ended');
}

function take(guest: GuestConsole, pipe: Pipe, message: Message): void {
  if (typeof message !== 'string') {
    if (guest.stdin === null || guest.stdin.writableEnded || guest.stdin.write(message)) return;
    pipe.pause();
    guest.stdin.once('drain', () => pipe.resume());
    return;
  }
  const word = readWord(message);
  if (word === undefined) return;
  if ('eof' in word) guest.stdin?.end();
  // One that has ended meanwhile needs neither.
  else if ('resize' in word) guest.resize(word.resize).catch(() => {});
  else guest.signal(word.signal).catch(() => {});
}

/** Undefined for anything else: the other end may be newer. */
function readWord(text: string): ConsoleWord | undefined {
  let word: Partial<Record<string, unknown>>;
  try {
    word = (JSON.parse(text) ?? {}) as Partial<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  if (word['eof'] === true) return { eof: true };
  if (isSize(word['resize'])) return { resize: word['resize'] };
  const { signal } = word;
  return typeof signal === 'string' && SIGNALS.has(signal) ? { signal } : undefined;
}

export function isSize(value: unknown): value is TerminalSize {
  const { cols, rows } = (value ?? {}) as Partial<TerminalSize>;
  return [cols, rows].every((side) => Number.isInteger(side) && side! >= 1 && side! <= MAX_SIDE);
}
