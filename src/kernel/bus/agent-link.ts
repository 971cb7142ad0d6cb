import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { notFound, unavailable, type Fault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { fetchFromController, type FetchOptions } from './agent-fetch.ts';
import { openChannel, type CallOptions, type Channel } from './channel.ts';
import { closeCode, LINK_PATH, PROTOCOL_VERSION, type Hello } from './frames.ts';
import { dial, Refused, type Dialled } from './dial.ts';
import { defaultHeartbeat, type HeartbeatOptions } from './heartbeat.ts';
import { loadIdentity, saveIdentity } from './identity-file.ts';

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
  backoff?: { min_ms: number; max_ms: number };
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
  const backoff = options.backoff ?? { min_ms: 200, max_ms: 15_000 };
  const hooks = new Set<{ hook: () => void | Promise<void> }>();
  const stop = new AbortController();
  let channel: Channel | undefined;
  let failures = 0;
  let ended: Promise<void> | undefined;

  const hello = (): Hello => ({
    protocol: PROTOCOL_VERSION,
    node_id: identity.node_id,
    key: identity.key,
    ...(!identity.joined && options.joinToken !== undefined && { join_token: options.joinToken }),
    hostname: options.hostname,
    roles: options.roles,
    tunnel_ip: options.tunnel_ip ?? null,
    host_ip: options.host_ip ?? null,
  });
  const runHook = async (hook: () => void | Promise<void>): Promise<void> => {
    try {
      await hook();
    } catch (error) {
      log.error({ err: error }, 'what was to follow the connection failed');
    }
  };
  const welcomed = ({ socket, transport }: Dialled): Promise<void> =>
    new Promise((resolve) => {
      channel = openChannel({
        socket,
        transport,
        peer: 'the controller',
        log,
        heartbeat: options.heartbeat ?? defaultHeartbeat,
        unavailable: controllerAway,
        onCall: (method, params) => dispatch(options.handlers, method, params),
        onEvent: (event) => log.debug({ event }, 'an event that no one here waits for'),
        onClose: (code, reason) => {
          channel = undefined;
          // Two agents with one identity would chase each other at full speed.
          failures = code === closeCode.replaced ? 8 : 0;
          log.warn({ code, reason }, 'the link to the controller is gone');
          resolve();
        },
      });
      if (!identity.joined) {
        identity.joined = true;
        saveIdentity(options.identityFile, identity);
      }
      log.info({ url: target.url, node_id: identity.node_id }, 'linked to the controller');
      for (const { hook } of hooks) void runHook(hook);
    });
  const live = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await dial(target.url, hello(), ca, stop.signal, welcomed);
      } catch (error) {
        if (stop.signal.aborted) break;
        // What was refused once will be refused again until someone acts.
        failures = error instanceof Refused && error.code !== closeCode.failed ? 8 : failures + 1;
        const fields = error instanceof Refused ? { code: error.code, reason: error.message } : { err: error };
        log.warn({ url: target.url, ...fields }, 'no link to the controller');
      }
      await pause(delay(backoff, failures), stop.signal);
    }
  };

  ended = live();
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
    onConnect(hook) {
      const entry = { hook };
      hooks.add(entry);
      if (channel !== undefined) void runHook(hook);
      return () => hooks.delete(entry);
    },
    async close() {
      stop.abort();
      channel?.close(1000, 'the agent stops');
      await ended;
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

function delay({ min_ms, max_ms }: { min_ms: number; max_ms: number }, failures: number): number {
  const whole = Math.min(max_ms, min_ms * 2 ** failures);
  return whole / 2 + (Math.random() * whole) / 2;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
