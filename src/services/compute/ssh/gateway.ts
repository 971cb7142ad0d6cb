/**
 * SSH to servers whose images have no ssh server: a session becomes a program beside the server's own, as the console's shell is.
 * It is spoken here, in the process without privileges; nodes only carry the bytes.
 */
import type { Server as NetServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer } from 'node:net';
import ssh2, { type AuthContext, type Connection } from 'ssh2';
import type { JobDeps } from '../deps.ts';
import { serverOfKey } from '../model/ssh-access.ts';
import type { ServerRow } from '../store/tables.ts';
import { hostKey } from './host-key.ts';
import { serveSession } from './session.ts';

export type SshDeps = Pick<JobDeps, 'db' | 'log' | 'config' | 'nodes'>;

export interface SshGateway {
  /** Serves a connection to one server, in which the user is one of the server's. */
  take(stream: Duplex, server_id: string, remote_address: string): void;
  /** Serves connections to any server, in which the user is the server's name or id. @returns the port. */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
}

const LOGIN_MS = 30_000;
const MAX_ATTEMPTS = 12;
const MAX_CONNECTIONS = 500;
const MAX_SESSIONS = 10;

interface Visit {
  /** Undefined: the user's name says which. */
  server_id: string | undefined;
  remote_address: string;
}

export function createSshGateway(deps: SshDeps, key_file: string): SshGateway {
  const key = hostKey(key_file, () => ssh2.utils.generateKeyPairSync('ed25519').private);
  const streams = new Set<Duplex>();
  const listeners = new Set<NetServer>();

  const serve = (stream: Duplex, visit: Visit): void => {
    if (streams.size >= MAX_CONNECTIONS) return void stream.destroy();
    streams.add(stream);
    stream.on('error', () => {});
    stream.once('close', () => streams.delete(stream));
    const server = new ssh2.Server({ hostKeys: [key], ident: 'Gantry', keepaliveInterval: 30_000, keepaliveCountMax: 3 }, (connection) => serveConnection(deps, connection, visit, () => stream.destroy()));
    server.injectSocket(stream as Socket);
  };
  return {
    take: (stream, server_id, remote_address) => serve(stream, { server_id, remote_address }),
    async listen(host, port) {
      const server = createServer((socket) => serve(socket, { server_id: undefined, remote_address: socket.remoteAddress ?? '' }));
      server.maxConnections = MAX_CONNECTIONS;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, resolve);
      });
      listeners.add(server);
      return (server.address() as { port: number }).port;
    },
    async close() {
      for (const stream of streams) stream.destroy();
      await Promise.all([...listeners].map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    },
  };
}

function serveConnection(deps: SshDeps, connection: Connection, visit: Visit, cut: () => void): void {
  let server: ServerRow | undefined;
  let user = '';
  let attempts = 0;
  let sessions = 0;
  const late = setTimeout(cut, LOGIN_MS);
  connection.on('error', (error: Error) => deps.log.debug({ err: error, remote_address: visit.remote_address }, 'a connection by ssh failed'));
  connection.on('close', () => clearTimeout(late));
  connection.on('authentication', (context) => {
    attempts += 1;
    if (attempts > MAX_ATTEMPTS) return cut();
    judge(deps, context, visit).then(
      (found) => {
        if (found === undefined) return context.reject(['publickey']);
        server = found;
        user = context.username;
        context.accept();
      },
      (error: unknown) => {
        deps.log.error({ err: error }, 'a login by ssh could not be judged');
        cut();
      },
    );
  });
  connection.on('ready', () => {
    clearTimeout(late);
    deps.log.info({ server_id: server?.id, remote_address: visit.remote_address }, 'a login by ssh');
  });
  connection.on('session', (accept, reject) => {
    if (server === undefined || sessions >= MAX_SESSIONS) return reject();
    sessions += 1;
    const session = accept();
    session.on('close', () => { sessions -= 1; });
    serveSession(deps, session, server.id, visit.server_id === undefined ? null : user);
  });
}

/** The server that this login is for; undefined: it is no login, or not yet one. */
async function judge(deps: SshDeps, context: AuthContext, visit: Visit): Promise<ServerRow | undefined> {
  if (context.method !== 'publickey') return undefined;
  const presented = ssh2.utils.parseKey(Buffer.concat([Buffer.from(`${context.key.algo} `), Buffer.from(context.key.data.toString('base64'))]));
  if (presented instanceof Error) return undefined;
  const key = Array.isArray(presented) ? presented[0] : presented;
  const server = await serverOfKey(deps, visit.server_id ?? context.username, context.key.data);
  if (server === undefined || key === undefined) return undefined;
  // Without a signature it only asks whether the key would do.
  if (context.signature === undefined || context.blob === undefined) return server;
  return key.verify(context.blob, context.signature, context.hashAlgo) === true ? server : undefined;
}
