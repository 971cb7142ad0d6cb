import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Fault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { openChannel, type Channel } from './channel.ts';
import { closeCode, type Hello } from './frames.ts';
import type { HeartbeatOptions } from './heartbeat.ts';
import type { CallOptions } from './pending-calls.ts';

/** A node that is connected: what handlers and listeners are told. */
export interface ConnectedNode {
  id: string;
  hostname: string;
  roles: readonly string[];
  tunnel_ip: string | null;
  host_ip: string | null;
}

export interface LinkTableOptions {
  log: Log;
  heartbeat: HeartbeatOptions;
  /** The fault for a node that is not there. */
  away: (name: string) => Fault;
  onCall(node: ConnectedNode, method: string, params: unknown): unknown;
  onEvent(node: ConnectedNode, event: string, params: unknown): void;
  onConnect(node: ConnectedNode): void;
  onDisconnect(node: ConnectedNode): void;
}

/** The live links of a controller, one per node. */
export interface LinkTable {
  add(hello: Hello, socket: WebSocket, transport: Socket): void;
  has(id: string): boolean;
  ids(): string[];
  call<T>(id: string, method: string, params?: unknown, options?: CallOptions): Promise<T>;
  cut(id: string, code: number, reason: string): void;
  closeAll(): void;
}

export function createLinkTable(options: LinkTableOptions): LinkTable {
  const { log } = options;
  const channels = new Map<string, Channel>();

  const gone = (node: ConnectedNode, code: number, reason: string): void => {
    channels.delete(node.id);
    log.info({ node_id: node.id, hostname: node.hostname, code, reason }, 'a node is gone');
    options.onDisconnect(node);
  };
  const cut = (id: string, code: number, reason: string): void => channels.get(id)?.close(code, reason);
  return {
    add({ node_id: id, hostname, roles, tunnel_ip, host_ip }, socket, transport) {
      const node: ConnectedNode = { id, hostname, roles, tunnel_ip, host_ip };
      // Of two links of one node the older is a dead one that no one has noticed yet.
      cut(id, closeCode.replaced, 'the node has connected again');
      const channel = openChannel({
        socket,
        transport,
        peer: `node ${hostname}`,
        log,
        heartbeat: options.heartbeat,
        unavailable: () => options.away(hostname),
        onCall: (method, params) => options.onCall(node, method, params),
        onEvent: (event, params) => options.onEvent(node, event, params),
        onClose: (code, reason) => gone(node, code, reason),
      });
      channels.set(id, channel);
      log.info({ node_id: id, hostname, roles }, 'a node is here');
      options.onConnect(node);
    },
    has: (id) => channels.has(id),
    ids: () => [...channels.keys()],
    async call<T>(id: string, method: string, params?: unknown, callOptions?: CallOptions): Promise<T> {
      const channel = channels.get(id);
      if (channel === undefined) throw options.away(id);
      return (await channel.call(method, params, callOptions)) as T;
    },
    cut,
    closeAll() {
      for (const id of channels.keys()) cut(id, 1001, 'the controller stops');
    },
  };
}
