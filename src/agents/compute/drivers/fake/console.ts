/** A console that simulates: a shell that says what it hears. `exit 3` ends it, `size` tells how large its terminal is, `flood N` writes N KiB. */
import { PassThrough, Writable } from 'node:stream';
import { conflict } from '../../../../kernel/fault.ts';
import { consoleChannel, type ConsoleRequest, type GuestConsole, type TerminalSize } from '../../console-protocol.ts';
import { consoleOf, type FakeGuests } from './guests.ts';

/** @throws Fault as the Docker driver does. */
export function openFakeConsole(guests: FakeGuests, serverId: string, request: ConsoleRequest): GuestConsole {
  const guest = guests.need(serverId);
  const output = new PassThrough({ objectMode: true });
  const say = (text: string, channel: number = consoleChannel.stdout): void => {
    if (!output.writableEnded) output.write(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
  };
  let size = request.size;
  let code: number | null = null;
  const end = (with_code: number | null): void => {
    if (output.writableEnded) return;
    code = with_code;
    output.end();
  };
  const common = {
    output, lossy: request.mode === 'attach',
    resize: async (to: TerminalSize) => { size = to; },
    signal: async (name: string) => say(`signal ${name}\n`),
    exitCode: async () => code,
    close: () => void output.destroy(),
  };
  if (request.mode === 'log') {
    say(consoleOf(guest, request.tail));
    if (guest.report.power_state !== 'running') end(null);
    else watch(guests, serverId, output, () => end(null));
    return { ...common, tty: false, input: false, stdin: null };
  }
  if (guest.report.power_state !== 'running') throw conflict('compute.wrong-state', `The server ${serverId} does not run: it is ${guest.report.power_state}.`);
  watch(guests, serverId, output, () => end(null));
  const tty = request.mode === 'attach' || request.tty;
  if (request.command !== null) {
    run(lineOf(request.command), () => size, say, end);
    end(0);
    return { ...common, tty, input: false, stdin: null };
  }
  const prompt = `${guest.spec.name}$ `;
  say(prompt);
  const stdin = shell((line) => {
    run(line, () => size, say, end);
    say(prompt);
  }, end);
  return { ...common, tty, input: true, stdin };
}

const lineOf = (command: string[]): string => (command[0] === '/bin/sh' && command[1] === '-c' ? (command[2] ?? '') : command.join(' '));

function watch(guests: FakeGuests, serverId: string, output: PassThrough, gone: () => void): void {
  const cut = guests.listen((report) => {
    if (report.server_id === serverId && report.power_state !== 'running') gone();
  });
  output.once('close', cut);
}

function shell(hear: (line: string) => void, end: (code: number) => void): Writable {
  let pending = '';
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const lines = (pending + chunk.toString()).split(/\r\n|\r|\n/);
      pending = lines.pop() ?? '';
      lines.forEach(hear);
      done();
    },
    final(done) {
      end(0);
      done();
    },
  });
}

function run(line: string, size: () => TerminalSize, say: (text: string, channel?: number) => void, end: (code: number | null) => void): void {
  const [word, argument = '0'] = line.trim().split(/\s+/);
  if (word === 'exit') end(Number(argument));
  else if (word === 'size') say(`${size().cols}x${size().rows}\r\n`);
  else if (word === 'complain') say('no\n', consoleChannel.stderr);
  else if (word === 'flood') for (let kib = 0; kib < Number(argument); kib += 64) say('x'.repeat(65_536));
  else say(`${line}\r\n`);
}
