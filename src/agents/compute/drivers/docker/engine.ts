/**
 * A small client of the Docker Engine API over its unix socket: keep-alive, a bound on the time of every call,
 * errors with a type, version negotiated. Knows nothing of servers.
 */
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { once } from 'node:events';
import { EngineError } from './engine-error.ts';
import { hijack, type Hijacked } from './engine-hijack.ts';
import { negotiate } from './engine-version.ts';

export interface CallOptions {
  query?: Record<string, string | number | boolean>;
  /** Sent as JSON. Never given to `/start`: engines since API 1.24 refuse it. */
  body?: unknown;
  /** Sent as it is, a whole (`bytes`) or as it comes (`stream`). */
  bytes?: Buffer;
  stream?: Readable;
  content_type?: string;
  /** Bound on the whole call, or for streams on the silence between two chunks. */
  timeout_ms?: number;
}

export interface Engine {
  /** The reply's JSON; undefined when it has none. Throws EngineError on any status of 400 or more. */
  json<T>(method: string, path: string, options?: CallOptions): Promise<T>;
  /** The reply as a stream, once its head says success. The caller reads or destroys it. */
  stream(method: string, path: string, options?: CallOptions): Promise<IncomingMessage>;
  /** POST, after which the connection is the guest's: bytes both ways. */
  hijack(path: string, options?: Pick<CallOptions, 'query' | 'body' | 'timeout_ms'>): Promise<Hijacked>;
  /** `1.41` … what is spoken with this engine. */
  version(): Promise<string>;
  close(): void;
}

export interface EngineOptions {
  socket_path: string;
  timeout_ms?: number;
  max_sockets?: number;
}

const MAX_JSON_BYTES = 64 * 1024 * 1024;

export function createEngine(options: EngineOptions): Engine {
  const { socket_path, timeout_ms: defaultTimeout = 60_000 } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: options.max_sockets ?? 64, maxFreeSockets: 8 });
  let spoken: Promise<string> | undefined;

  function version(): Promise<string> {
    spoken ??= rawJson<{ ApiVersion: string; MinAPIVersion?: string }>('GET', '/version', {})
      .then(negotiate)
      .catch((error: unknown) => {
        spoken = undefined;
        throw error;
      });
    return spoken;
  }

  async function open(method: string, path: string, call: CallOptions, again = false): Promise<IncomingMessage> {
    const body = call.body === undefined ? call.bytes : Buffer.from(JSON.stringify(call.body));
    const outgoing = request({
      socketPath: socket_path,
      agent,
      method,
      path: withQuery(path, call.query),
      headers: requestHeaders(call, body),
    });
    try {
      return await exchange(outgoing, call, body, call.timeout_ms ?? defaultTimeout);
    } catch (error) {
      // The engine was restarted behind an idle connection: nothing was answered, and every call we make may run twice.
      const stale = outgoing.reusedSocket && error instanceof EngineError && error.reason === 'unreachable';
      if (stale && !again && call.stream === undefined) return await open(method, path, call, true);
      if (error instanceof EngineError && error.reason === 'unreachable') spoken = undefined;
      throw error;
    }
  }

  async function rawJson<T>(method: string, path: string, call: CallOptions): Promise<T> {
    const limit = call.timeout_ms ?? defaultTimeout;
    const reply = await open(method, path, call);
    return parseJson<T>(await readAll(reply, limit));
  }

  return {
    version,
    async json<T>(method: string, path: string, call: CallOptions = {}): Promise<T> {
      return await rawJson<T>(method, `/v${await version()}${path}`, call);
    },
    async stream(method, path, call = {}) {
      return await open(method, `/v${await version()}${path}`, call);
    },
    async hijack(path, { query, body, timeout_ms = defaultTimeout } = {}) {
      return await hijack(socket_path, withQuery(`/v${await version()}${path}`, query), body, timeout_ms);
    },
    close() {
      agent.destroy();
    },
  };
}

function requestHeaders(call: CallOptions, body: Buffer | undefined): Record<string, string> {
  const headers: Record<string, string> = { host: 'docker' };
  if (body !== undefined) {
    headers['content-type'] = call.bytes === undefined ? 'application/json' : (call.content_type ?? 'application/x-tar');
    headers['content-length'] = String(body.length);
  } else if (call.stream !== undefined) {
    headers['content-type'] = call.content_type ?? 'application/x-tar';
  }
  return headers;
}

function withQuery(path: string, query: CallOptions['query']): string {
  if (query === undefined) return path;
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) params.set(name, String(value));
  return `${path}?${params.toString()}`;
}

/** Send, and wait for the head of the reply. */
async function exchange(outgoing: ClientRequest, call: CallOptions, body: Buffer | undefined, limit: number): Promise<IncomingMessage> {
  let head: IncomingMessage | undefined;
  outgoing.setTimeout(limit, () => (head ?? outgoing).destroy(new EngineError('timeout', 0, `no answer within ${limit / 1000} s`)));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', (reply) => resolve((head = reply)));
    outgoing.on('error', (error) => reject(unreachable(error)));
  });
  answered.catch(() => {});
  if (call.stream === undefined) outgoing.end(body);
  else await send(call.stream, outgoing, answered);
  const reply = await answered;
  if ((reply.statusCode ?? 0) < 400) return reply;
  const error = await refusal(reply, limit);
  if (call.stream !== undefined) outgoing.destroy();
  throw error;
}

/** Feeds the body until it ends, or until the engine has refused it or is gone: then not even a source that is stuck is waited for. */
async function send(stream: Readable, outgoing: ClientRequest, answered: Promise<IncomingMessage>): Promise<void> {
  const sending = { stopped: false, wake: (): void => {} };
  const stop = (): void => {
    sending.stopped = true;
    sending.wake();
  };
  answered.then((reply) => {
    if ((reply.statusCode ?? 0) >= 400) stop();
  }, stop);
  const unlessStopped = async <T>(work: Promise<T>): Promise<T | undefined> =>
    await new Promise<T | undefined>((resolve, reject) => {
      sending.wake = () => resolve(undefined);
      work.then(resolve, reject);
    });

  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    while (!sending.stopped) {
      const next = await unlessStopped(chunks.next());
      if (next === undefined || next.done === true) break;
      if (!outgoing.write(next.value)) await unlessStopped(once(outgoing, 'drain').then(() => {}, () => answered.then(() => {})));
    }
  } catch (error) {
    // The source is at fault: the engine must see a torn body, never a whole one.
    outgoing.destroy();
    throw error;
  }
  if (sending.stopped) stream.destroy();
  else outgoing.end();
}

function unreachable(error: Error): EngineError {
  if (error instanceof EngineError) return error;
  return new EngineError('unreachable', 0, error.message, error);
}

async function refusal(reply: IncomingMessage, limit: number): Promise<EngineError> {
  const text = (await readAll(reply, limit).catch(() => Buffer.alloc(0))).toString('utf8');
  let message = text.trim();
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? message;
  } catch {
    // Not JSON: the text is the message.
  }
  return new EngineError('refused', reply.statusCode ?? 0, message);
}

async function readAll(reply: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => reply.destroy(new EngineError('timeout', 0, `no answer within ${limit / 1000} s`)), limit);
  reply.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_JSON_BYTES) reply.destroy(new EngineError('refused', 0, 'the answer is too large'));
    else chunks.push(chunk);
  });
  try {
    await finished(reply);
  } catch (error) {
    throw unreachable(error as Error);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}

function parseJson<T>(bytes: Buffer): T {
  if (bytes.length === 0) return undefined as T;
  try {
    return JSON.parse(bytes.toString('utf8')) as T;
  } catch (error) {
    throw new EngineError('refused', 0, 'the answer is not JSON', error);
  }
}
