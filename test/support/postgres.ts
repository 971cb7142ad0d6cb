import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.ts';

export interface PostgresCluster {
  /** Of the database `postgres`, over a Unix socket. */
  readonly url: string;
  /** As a crash does. */
  kill(): Promise<void>;
  /** On the same data and address, after `kill`. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A throw-away server of its own, reachable over a Unix socket only. A shell holds it: when this process goes, however,
 * the pipe to the shell closes, and it stops the server and removes the directory.
 */
export async function startPostgres(): Promise<PostgresCluster> {
  const bin = findBinaries();
  const owner = unprivilegedUser();
  // Short, since a socket's path may have 107 bytes; its own root, since that user must reach it.
  const directory = mkdtempSync(join(tmpdir(), 'gantry-pg-'));
  chmodSync(directory, 0o755);
  if (owner.uid !== undefined) chownSync(directory, owner.uid, owner.gid as number);
  const data = join(directory, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'gantry', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], {
    ...owner,
    cwd: directory,
    stdio: 'pipe',
  });
  const port = await freePort();
  const url = `postgres://gantry@localhost:${port}/postgres?host=${encodeURIComponent(directory)}`;
  const launch = (): Promise<ChildProcess> => launchServer(join(bin, 'postgres'), directory, port, url, owner);
  let server = await launch();
  return {
    url,
    kill: () => endServer(server, 'kill'),
    async restart() {
      server = await launch();
    },
    async stop() {
      await endServer(server, 'stop');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface User {
  uid?: number;
  gid?: number;
}

/** The server refuses to run as root. */
function unprivilegedUser(): User {
  if (process.getuid?.() !== 0) return {};
  const id = (option: string): number => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function findBinaries(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(root, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
  if (found === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return found;
}

const SETTINGS = [
  'fsync=off', 'full_page_writes=off', 'autovacuum=off', 'listen_addresses=',
  'max_connections=200', 'shared_buffers=32MB', 'lc_messages=C',
];

// Reads a word or the end of the pipe; `kill` leaves the directory for a restart.
const HOLD = `
"$0" "$@" & server=$!
read -r word
if [ "$word" = kill ]; then kill -9 "$server" $(pgrep -P "$server"); else kill -INT "$server"; fi
wait "$server"
if [ -z "$word" ]; then rm -rf "$DIRECTORY"; fi
`;

async function launchServer(postgres: string, directory: string, port: number, url: string, owner: User): Promise<ChildProcess> {
  const settings = [...SETTINGS, `unix_socket_directories=${directory}`, `port=${port}`].flatMap((setting) => ['-c', setting]);
  const holder = spawn('/bin/sh', ['-c', HOLD, postgres, '-D', join(directory, 'data'), ...settings], {
    ...owner,
    cwd: directory,
    detached: true,
    env: { PATH: process.env['PATH'], DIRECTORY: directory },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  holder.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
  await untilAnswering(url, () => {
    if (holder.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${said}`);
  });
  holder.unref();
  for (const stream of [holder.stdin, holder.stderr]) (stream as unknown as { unref(): void }).unref();
  return holder;
}

async function untilAnswering(url: string, check: () => void): Promise<void> {
  for (;;) {
    check();
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.end();
    } catch {
      await delay(20);
    }
  }
}

async function endServer(holder: ChildProcess, word: 'kill' | 'stop'): Promise<void> {
  if (holder.exitCode !== null) return;
  holder.ref();
  const ended = new Promise((resolve) => holder.once('exit', resolve));
  holder.stdin?.end(`${word}\n`);
  await ended;
}

