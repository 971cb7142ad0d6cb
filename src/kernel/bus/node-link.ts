import type { Server } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Database } from '../db/database.ts';
import { badRequest, notFound, unavailable, type Fault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { closeCode } from './frames.ts';
import { acceptAgents } from './handshake.ts';
import { defaultHeartbeat, type HeartbeatOptions } from './heartbeat.ts';
import { createLinkTable, type ConnectedNode, type LinkTable } from './link-table.ts';
import { createListeners } from './listeners.ts';
import { admitNode, readNodeHeader } from './node-auth.ts';
import { createNodeStreams, type NodeStreams } from './node-streams.ts';
import { createNodeStore, type NodeRow, type NodeStore } from './node-store.ts';
import type { CallOptions } from './pending-calls.ts';

export type { ConnectedNode } from './link-table.ts';

export interface NodeInfo extends ConnectedNode {
  state: 'up' | 'down';
  disabled: boolean;
  /** ISO instants. */
  created_at: string;
  last_seen_at: string;
  /** As the node reported it (`node.resources`); null before the first report. */
  resources: Record<string, unknown> | null;
}

/** The controller's end of the links to all its nodes. */
export interface NodeLink {
  /** Serves `/agent/v1` of an HTTP server; upgrades to other paths are left to other listeners. */
  attach(server: Server): void;
  /**
   * Asks a node. The call is not repeated here; it may have been carried out although it failed.
   * @throws Fault of the node; 503 `bus.node-unavailable`, 504 `bus.timeout`, 503 `bus.congested` (all `retryable`).
   */
  call<T = unknown>(node_id: string, method: string, params?: unknown, options?: CallOptions): Promise<T>;
  /** Asks a node for a stream of messages. */
  openStream: NodeStreams['open'];
  /** Lets a node open a stream that it asked for. */
  expectStream: NodeStreams['expect'];
  /** Answers a method that nodes call. */
  handle(method: string, handler: (node: ConnectedNode, params: any) => unknown): void;
  nodes(): Promise<NodeInfo[]>;
  node(id: string): Promise<NodeInfo | undefined>;
  isConnected(node_id: string): boolean;
  /** Listeners run in order and must not wait; their failures are logged. Each returns how to stop. */
  onConnect(listener: (node: ConnectedNode) => void): () => void;
  onDisconnect(listener: (node: ConnectedNode) => void): () => void;
  onEvent(listener: (node: ConnectedNode, event: string, params: any) => void): () => void;
  /** For HTTP requests by nodes. @returns the node's id, or undefined when it is none of ours. */
  authenticateNode(header: string | undefined): Promise<string | undefined>;
  /** A disabled node is cut off and not let in again. @throws Fault 404 `bus.node-not-found`. */
  setDisabled(node_id: string, disabled: boolean): Promise<void>;
  /** Forgets a node: its key is void and its hostname free. @throws Fault 404 `bus.node-not-found`. */
  remove(node_id: string): Promise<void>;
  close(): Promise<void>;
}

export interface NodeLinkOptions {
  log: Log;
  clock: Clock;
  db: Database;
  /** The secret that lets a new node join; empty: none may. */
  joinToken: () => string;
  heartbeat?: HeartbeatOptions;
  handshake_timeout_ms?: number;
  /** How often `last_seen_at` of connected nodes is written. */
  seen_interval_ms?: number;
}

type Handler = (node: ConnectedNode, params: any) => unknown;

export function createNodeLink(options: NodeLinkOptions): NodeLink {
  const { log } = options;
  const store = createNodeStore(options.db, options.clock);
  const handlers = new Map<string, Handler>([['node.resources', saveResources(store)]]);
  const connects = createListeners<[ConnectedNode]>(log);
  const disconnects = createListeners<[ConnectedNode]>(log);
  const events = createListeners<[ConnectedNode, string, any]>(log);
  const seen = recorder(store, log);
  const links = createLinkTable({
    log,
    heartbeat: options.heartbeat ?? defaultHeartbeat,
    away,
    onCall: (node, method, params) => {
      const handler = handlers.get(method);
      if (handler === undefined) throw notFound('bus.no-such-method', `The controller has no method ${method}.`);
      return handler(node, params);
    },
    onEvent: events.tell,
    onConnect: connects.tell,
    onDisconnect: (node) => {
      void seen([node.id]);
      disconnects.tell(node);
    },
  });
  const agents = acceptAgents({
    log,
    timeout_ms: options.handshake_timeout_ms ?? 10_000,
    admit: (frame) => admitNode(store, options.joinToken, frame),
    onAdmitted: links.add,
  });
  const streams = createNodeStreams({ log, links, authenticate: (header) => readNodeHeader(store, header) });
  const timer = setInterval(() => void seen(links.ids()), options.seen_interval_ms ?? 30_000);
  timer.unref();
  return {
    attach(server) {
      agents.attach(server);
      streams.attach(server);
    },
    call: links.call,
    openStream: streams.open,
    expectStream: streams.expect,
    handle(method, handler) {
      if (handlers.has(method)) throw new Error(`the method ${method} has a handler already`);
      handlers.set(method, handler);
    },
    ...administration(store, links),
    isConnected: links.has,
    onConnect: connects.add,
    onDisconnect: disconnects.add,
    onEvent: events.add,
    authenticateNode: (header) => readNodeHeader(store, header),
    async close() {
      clearInterval(timer);
      agents.close();
      streams.close();
      links.closeAll();
      await seen([]);
    },
  };
}

function administration(store: NodeStore, links: LinkTable): Pick<NodeLink, 'nodes' | 'node' | 'setDisabled' | 'remove'> {
  return {
    nodes: async () => (await store.list()).map((row) => toInfo(row, links.has(row.id))),
    async node(id) {
      const row = await store.find(id);
      return row === undefined ? undefined : toInfo(row, links.has(id));
    },
    async setDisabled(id, disabled) {
      if (!(await store.setDisabled(id, disabled))) throw noSuchNode(id);
      if (disabled) links.cut(id, closeCode.disabled, 'the node was disabled');
    },
    async remove(id) {
      if (!(await store.remove(id))) throw noSuchNode(id);
      links.cut(id, closeCode.unknown_node, 'the node was removed');
    },
  };
}

function saveResources(store: NodeStore): Handler {
  return async (node, params: unknown) => {
    if (typeof params !== 'object' || params === null) throw badRequest('bus.bad-resources', 'Resources are an object.');
    await store.saveResources(node.id, JSON.stringify(params));
  };
}

const away = (name: string): Fault => unavailable('bus.node-unavailable', `The node ${name} is not connected.`, { retryable: true });
const noSuchNode = (id: string): Fault => notFound('bus.node-not-found', `There is no node ${id}.`);

function toInfo(row: NodeRow, connected: boolean): NodeInfo {
  const { id, hostname, tunnel_ip, host_ip, created_at, last_seen_at } = row;
  return {
    id, hostname, tunnel_ip, host_ip, created_at, last_seen_at,
    roles: JSON.parse(row.roles) as string[],
    state: connected ? 'up' : 'down',
    disabled: row.disabled !== 0,
    resources: row.resources === null ? null : (JSON.parse(row.resources) as Record<string, unknown>),
  };
}

/** Writes who was seen, one write at a time; resolves when this one and all before it are done. */
function recorder(store: NodeStore, log: Log): (ids: readonly string[]) => Promise<void> {
  let last = Promise.resolve();
  return (ids) => {
    last = last.then(() => store.seen(ids)).catch((error: unknown) => log.warn({ err: error }, 'when nodes were last seen could not be written'));
    return last;
  };
}
