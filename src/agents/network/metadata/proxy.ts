/**
 * The metadata service of a node: one process, listening in as many namespaces as there are networks. A caller is known by the
 * network it came by and its address there, which the packet filter vouches for; what it says of itself does not count.
 */
import { fork } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as NetServer } from 'node:net';
import { createGate, type Gate } from '../../../kernel/gate.ts';
import type { MetadataReply, MetadataRequest } from '../../compute/protocol.ts';
import type { Log } from '../../../kernel/log/log.ts';
import type { MetadataNetworks } from '../drivers/linux/metadata.ts';
import { METADATA_V4, METADATA_V6 } from '../drivers/linux/routes.ts';
import { METADATA_LEG } from '../drivers/linux/names.ts';

export interface MetadataProxyOptions {
  networks: MetadataNetworks;
  ask(request: MetadataRequest): Promise<MetadataReply>;
  log: Log;
}

export interface MetadataProxy {
  close(): Promise<void>;
}

const MOST_BODY = 4096;
/** Requests of one server under way; further ones wait their turn, these many at most. */
const AT_ONCE = 4;
const WAITING = 32;
const HAND_OVER_MS = 20_000;

interface Listening {
  made: number;
  servers: Server[];
}

export function createMetadataProxy(options: MetadataProxyOptions): MetadataProxy {
  const { networks, log } = options;
  const listening = new Map<string, Listening>();
  const starting = createGate(2);
  const answer = createAnswerer(options);
  let closed = false;
  let busy: Promise<void> | undefined;
  let again = false;

  async function converge(): Promise<void> {
    const wanted = new Map(networks.list().map((one) => [one.network_id, one]));
    for (const [network_id, { made, servers }] of listening) {
      if (wanted.get(network_id)?.made === made) continue;
      listening.delete(network_id);
      closeAll(servers);
    }
    await Promise.all([...wanted].filter(([network_id]) => !listening.has(network_id)).map(([, one]) => starting.run(() => begin(one))));
  }

  async function begin({ network_id, netns, made }: ReturnType<MetadataNetworks['list']>[number]): Promise<void> {
    try {
      const sockets = await listenIn(netns);
      const servers = sockets.map((socket) => serve(network_id, socket, answer, log));
      if (closed) return closeAll(servers);
      listening.set(network_id, { made, servers });
    } catch (error) {
      log.error({ err: error, network_id }, 'the metadata service cannot listen in a network');
    }
  }

  function changed(): void {
    again = true;
    busy ??= (async () => {
      while (again && !closed) {
        again = false;
        await converge();
      }
    })().finally(() => {
      busy = undefined;
    });
  }

  networks.onChange(changed);
  changed();
  return {
    async close() {
      closed = true;
      networks.onChange(() => {});
      await busy;
      for (const { servers } of listening.values()) closeAll(servers);
      listening.clear();
    },
  };
}

type Answerer = (network_id: string, request: IncomingMessage, response: ServerResponse) => Promise<void>;

function createAnswerer({ networks, ask }: MetadataProxyOptions): Answerer {
  const callers = new Map<string, { gate: Gate; count: number }>();
  return async (network_id, request, response) => {
    const server_id = networks.deviceOf(network_id, plainAddress(request.socket.remoteAddress ?? ''));
    if (server_id === undefined) return send(response, 404, 'text/plain', Buffer.from('404 Not Found\n'));
    const body = await readBody(request);
    if (body === undefined) return send(response, 400, 'text/plain', Buffer.from('Request is too large.\n'));
    const caller = callers.get(server_id) ?? { gate: createGate(AT_ONCE), count: 0 };
    if (caller.count >= WAITING) return send(response, 503, 'text/plain', Buffer.from('Too many requests at once.\n'));
    callers.set(server_id, caller);
    caller.count += 1;
    try {
      const path = (request.url ?? '/').split('?')[0]!;
      const reply = await caller.gate.run(() => ask({ server_id, method: request.method ?? 'GET', path: decoded(path), ...(body.length > 0 && { body: body.toString('base64') }) }));
      send(response, reply.status, reply.type, Buffer.from(reply.body, 'base64'));
    } finally {
      caller.count -= 1;
      if (caller.count === 0) callers.delete(server_id);
    }
  };
}

function serve(network_id: string, socket: NetServer, answer: Answerer, log: Log): Server {
  const server = createServer({ requestTimeout: 15_000, headersTimeout: 10_000, keepAliveTimeout: 2_000 }, (request, response) => {
    answer(network_id, request, response).catch((error: unknown) => {
      log.warn({ err: error, network_id }, 'a server could not be told its metadata');
      send(response, 503, 'text/plain', Buffer.from('The metadata service cannot be reached now. Try again.\n'));
    });
  });
  server.listen(socket);
  return server;
}

function closeAll(servers: readonly Server[]): void {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
}

/** `::ffff:10.0.0.5`, `fe80::1%md0` → the address alone. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MOST_BODY) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, type: string, body: Buffer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': type, 'content-length': body.length });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** Two listening sockets, made inside the namespace by a process that hands them over and ends. */
async function listenIn(netns: string): Promise<NetServer[]> {
  const program = new URL('./listen-in.ts', import.meta.url).pathname;
  const child = fork(program, [METADATA_V4, METADATA_V6, METADATA_LEG], {
    execPath: 'nsenter', execArgv: [`--net=${netns}`, process.execPath], stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  const sockets: NetServer[] = [];
  let complaint = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  child.on('message', (_, socket) => {
    if (socket !== undefined) sockets.push(socket as NetServer);
    if (sockets.length === 2) child.kill('SIGKILL');
  });
  const overdue = setTimeout(() => child.kill('SIGKILL'), HAND_OVER_MS);
  const code = await new Promise<number | string>((resolve) => child.once('error', (error) => resolve(error.message)).once('close', (ended, signal) => resolve(ended ?? signal ?? 'lost')));
  clearTimeout(overdue);
  if (sockets.length === 2) return sockets;
  for (const socket of sockets) socket.close();
  throw new Error(`no sockets from ${netns} (${code}): ${complaint.trim().slice(-500)}`);
}
