import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { notFound, unavailable, type Fault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { fetchFromController, type FetchOptions } from './agent-fetch.ts';
import { sendToController } from './agent-send.ts';
import { openStreamToController } from './agent-stream.ts';
import { openChannel, type Channel } from './channel.ts';
import type { Dialled } from './dial.ts';
import { LINK_PATH, PROTOCOL_VERSION, type Hello } from './frames.ts';
import { defaultHeartbeat, type HeartbeatOptions } from './heartbeat.ts';
import { loadIdentity, saveIdentity, type Identity } from './identity-file.ts';
import { keepLinked, type Backoff } from './keep-linked.ts';
import type { CallOptions } from './pending-calls.ts';
import type { Pipe } from './pipe.ts';

export interface AgentLinkOptions {
  /** `ws://`, `wss://`, `http://` or `https://`; a path other than `/` replaces `/agent/v1`. */
  url: string;
  /** Holds id and key of the node, mode 0600; made when missing. */
  identityFile: string;
  /** Needed until the node has joined. */
  joinToken?: string;
  hostname: string;
  roles: string[];
  tunnel_ip?: string;
  host_ip?: string;
  /** PEM file of the authority that signed the controller's certificate. */
  caFile?: string;
  /** What the controller may call. */
  handlers: Record<string, (params: any) => unknown>;
  log: Log;
  /** Between attempts: doubles from `min_ms` to `max_ms`, half of it by chance. */
  backoff?: Backoff;
  heartbeat?: HeartbeatOptions;
}

/** An agent's end of its link to the controller: reconnects for ever, repeats no call. */
export interface AgentLink {
  readonly node_id: string;
  connected(): boolean;
  /** @throws Fault of the controller; 503 `bus.controller-unavailable`, 504 `bus.timeout` (`retryable`). */
  call<T = unknown>(method: string, params?: unknown, options?: CallOptions): Promise<T>;
  /** False when there is no link: the event is lost, and what it told must be in the next inventory. */
  emit(event: string, params?: unknown): boolean;
  /** GET of a path of the controller with the node's own authorization. */
  fetch(path: string, options?: FetchOptions): Promise<Readable>;
  /** PUT to a path of the controller, likewise. @returns the JSON it answers with. */
  send(path: string, body: Readable, options?: FetchOptions): Promise<unknown>;
  /** Opens the stream that a call of the controller named. @throws Fault 503 `bus.controller-unavailable`, 409 `bus.stream-refused`. */
  openStream(stream_id: string): Promise<Pipe>;
  /** Runs after every (re)connection; a failure is logged. Runs at once when the link is up. */
  onConnect(hook: () => void | Promise<void>): () => void;
  close(): Promise<void>;
}

export function connectToController(options: AgentLinkOptions): AgentLink {
  const { log } = options;
  const target = targetOf(options.url);
  const identity = loadIdentity(options.identityFile);
  if (!identity.joined && (options.joinToken ?? '') === '') throw new Error('the node has not joined a cloud yet: a join token is needed');
  const ca = options.caFile === undefined ? undefined : readFileSync(options.caFile);
  const hooks = createHooks(log);
  const stop = new AbortController();
  const streams = new Set<Pipe>();
  let channel: Channel | undefined;

  const onWelcome = (dialled: Dialled): Promise<number> =>
    new Promise((resolve) => {
      channel = openAgentChannel(options, dialled, (code) => {
        channel = undefined;
        resolve(code);
      });
      if (!identity.joined) {
        identity.joined = true;
        saveIdentity(options.identityFile, identity);
      }
      log.info({ url: target.url, node_id: identity.node_id }, 'linked to the controller');
      hooks.runAll();
    });
  const ended = keepLinked({
    url: target.url,
    hello: () => helloOf(options, identity),
    ca,
    backoff: options.backoff ?? { min_ms: 200, max_ms: 15_000 },
    log,
    signal: stop.signal,
    onWelcome,
  });
  return {
    node_id: identity.node_id,
    connected: () => channel !== undefined,
    async call<T>(method: string, params?: unknown, callOptions?: CallOptions): Promise<T> {
      if (channel === undefined) throw controllerAway();
      return (await channel.call(method, params, callOptions)) as T;
    },
    emit: (event, params) => channel?.emit(event, params) ?? false,
    fetch: (path, fetchOptions = {}) =>
      fetchFromController(target.origin, path, `Gantry-Node ${identity.node_id}:${identity.key}`, ca, fetchOptions),
    send: (path, body, fetchOptions = {}) =>
      sendToController(target.origin, path, `Gantry-Node ${identity.node_id}:${identity.key}`, ca, body, fetchOptions),
    async openStream(stream_id) {
      const pipe = await openStreamToController(target.origin, `Gantry-Node ${identity.node_id}:${identity.key}`, ca, stream_id);
      streams.add(pipe);
      pipe.onClose(() => streams.delete(pipe));
      return pipe;
    },
    onConnect: (hook) => hooks.add(hook, channel !== undefined),
    async close() {
      stop.abort();
      for (const pipe of streams) pipe.close(1001, 'the agent stops');
      channel?.close(1000, 'the agent stops');
      await ended;
    },
  };
}

function openAgentChannel(options: AgentLinkOptions, { socket, transport }: Dialled, onClose: (code: number) => void): Channel {
  const { log, handlers } = options;
  return openChannel({
    socket,
    transport,
    peer: 'the controller',
    log,
    heartbeat: options.heartbeat ?? defaultHeartbeat,
    unavailable: controllerAway,
    onCall: (method, params) => dispatch(handlers, method, params),
    onEvent: (event) => log.debug({ event }, 'an event that no one here waits for'),
    onClose: (code, reason) => {
      log.warn({ code, reason }, 'the link to the controller is gone');
      onClose(code);
    },
  });
}

function helloOf(options: AgentLinkOptions, identity: Identity): Hello {
  return {
    protocol: PROTOCOL_VERSION,
    node_id: identity.node_id,
    key: identity.key,
    ...(!identity.joined && options.joinToken !== undefined && { join_token: options.joinToken }),
    hostname: options.hostname,
    roles: options.roles,
    tunnel_ip: options.tunnel_ip ?? null,
    host_ip: options.host_ip ?? null,
  };
}

type Hook = () => void | Promise<void>;

function createHooks(log: Log): { add(hook: Hook, now: boolean): () => void; runAll(): void } {
  const hooks = new Set<{ hook: Hook }>();
  const run = async (hook: Hook): Promise<void> => {
    try {
      await hook();
    } catch (error) {
      log.error({ err: error }, 'what was to follow the connection failed');
    }
  };
  return {
    add(hook, now) {
      const entry = { hook };
      hooks.add(entry);
      if (now) void run(hook);
      return () => hooks.delete(entry);
    },
    runAll() {
      for (const { hook } of hooks) void run(hook);
    },
  };
}

const controllerAway = (): Fault => unavailable('bus.controller-unavailable', 'The controller can’t be reached.', { retryable: true });

function dispatch(handlers: AgentLinkOptions['handlers'], method: string, params: unknown): unknown {
  const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
  if (handler === undefined) throw notFound('bus.no-such-method', `The node has no method ${method}.`);
  return handler(params);
}

function targetOf(text: string): { url: string; origin: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(ws|http)s?:$/.test(url.protocol)) throw new Error(`${text} is not the URL of a controller (ws://host:port)`);
  if (url.pathname === '/') url.pathname = LINK_PATH;
  const secure = url.protocol === 'wss:' || url.protocol === 'https:';
  return { url: `${secure ? 'wss' : 'ws'}://${url.host}${url.pathname}`, origin: `${secure ? 'https' : 'http'}://${url.host}` };
}
