/** One session of ssh: a shell or a command, with or without a terminal. */
import type { PseudoTtyInfo, ServerChannel, Session } from 'ssh2';
import { consoleChannel, type ConsoleRequest, type GuestWord, type OpenedConsole } from '../../../agents/compute/console-protocol.ts';
import { computeMethods } from '../../../agents/compute/protocol.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { Pipe } from '../../../kernel/bus/pipe.ts';
import { findServer } from '../store/servers.ts';
import type { SshDeps } from './gateway.ts';

const OPEN_MS = 40_000;
const NOT_STARTED = 255;
const MAX_SIDE = 1000;
/** What OpenSSH's own server takes as well. */
const ENVIRONMENT = /^(LANG|LC_[A-Z]+|COLORTERM|TERM)$/;
const NO_SFTP = 'This server has no ssh server of its own, hence no sftp: use scp -O, or gantry exec.\n';

/** @param user of the server; null: the one that its image names. */
export function serveSession(deps: SshDeps, session: Session, server_id: string, user: string | null): void {
  const environment: Record<string, string> = {};
  let terminal: PseudoTtyInfo | undefined;
  let guest: Pipe | undefined;
  const begin = async (channel: ServerChannel, command: string[] | null): Promise<void> => {
    const size = { cols: side(terminal?.cols, 80), rows: side(terminal?.rows, 24) };
    const request: ConsoleRequest = { mode: 'exec', command, tty: terminal !== undefined, user, login: true, size, environment, tail: 0 };
    guest = await openGuest(deps, channel, server_id, request);
    if (guest !== undefined) join(channel, guest);
  };
  session.on('pty', (accept, _reject, info) => {
    terminal = info;
    const { term } = info as PseudoTtyInfo & { term?: string };
    if (term !== undefined && /^[A-Za-z0-9._+-]{1,64}$/.test(term)) environment['TERM'] = term;
    accept?.();
  });
  session.on('env', (accept, _reject, { key, val }) => {
    if (ENVIRONMENT.test(key) && String(val).length < 256) environment[key] = String(val);
    accept?.();
  });
  session.on('window-change', (accept, _reject, info) => {
    guest?.send(JSON.stringify({ resize: { cols: side(info.cols, 80), rows: side(info.rows, 24) } }));
    accept?.();
  });
  session.on('signal', (accept, _reject, { name }) => {
    guest?.send(JSON.stringify({ signal: name.replace(/^SIG/, '') }));
    accept?.();
  });
  session.once('shell', (accept) => void begin(accept(), null));
  session.once('exec', (accept, _reject, { command }) => void begin(accept(), ['/bin/sh', '-c', command]));
  session.on('subsystem', (accept) => {
    const channel = accept();
    channel.stderr.write(NO_SFTP);
    channel.exit(1);
    channel.end();
  });
}

const side = (asked: number | undefined, usual: number): number => (asked === undefined || asked < 1 ? usual : Math.min(MAX_SIDE, Math.trunc(asked)));

/** Undefined: the client was told why there is none. */
async function openGuest(deps: SshDeps, channel: ServerChannel, server_id: string, request: ConsoleRequest): Promise<Pipe | undefined> {
  const refuse = (why: string): undefined => {
    channel.stderr.write(`${why}\n`);
    channel.exit(NOT_STARTED);
    channel.end();
  };
  try {
    const server = await findServer(deps.db.read, server_id);
    if (server === undefined || server.deleted === 1 || server.node_id === null) return refuse('The server is gone.');
    const { pipe } = await deps.nodes.openStream<OpenedConsole>(server.node_id, computeMethods.openConsole, { server_id, request }, { timeout_ms: OPEN_MS });
    return pipe;
  } catch (error) {
    if (!isFault(error)) deps.log.error({ err: error, server_id }, 'a session by ssh could not be opened');
    return refuse(isFault(error) && error.status !== 500 ? error.message : 'The node could not open the session.');
  }
}

function join(channel: ServerChannel, guest: Pipe): void {
  let code: number | null = null;
  channel.on('data', (bytes: Buffer) => {
    if (guest.send(bytes)) return;
    channel.pause();
    guest.onDrain(() => channel.resume());
  });
  channel.on('end', () => void guest.send('{"eof":true}'));
  channel.on('close', () => guest.close(1000, 'the client has left'));
  channel.on('error', () => guest.close(1000, 'the client has left'));
  guest.onMessage((message) => {
    if (typeof message === 'string') {
      const word = JSON.parse(message) as GuestWord;
      if ('exit' in word) code = word.exit.code;
      return;
    }
    const to = message[0] === consoleChannel.stderr ? channel.stderr : channel;
    if (to.write(message.subarray(1))) return;
    guest.pause();
    to.once('drain', () => guest.resume());
  });
  guest.onClose(() => {
    if (channel.writable) channel.exit(code ?? NOT_STARTED);
    channel.end();
  });
}
