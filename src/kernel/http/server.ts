/** The one port. Fastify lives here and nowhere else. */
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type Server } from 'node:http';
import { Readable } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { versionHeaders } from '../api/microversion.ts';
import type { Clock } from '../clock.ts';
import type { Context } from '../context.ts';
import { badRequest, notFound, type Fault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import type { Surface } from '../service.ts';
import { logAccess } from './access-log.ts';
import { type Answer, dispatch, type Gate, versionOf } from './dispatch.ts';
import { toFault, wire } from './faults.ts';
import { partsOf, sendFiles } from './file-stream.ts';
import { forwardedOnlyBy, LOOPBACK } from './proxies.ts';
import { requestIds } from './request-id.ts';
import { acceptSockets } from './sockets.ts';
import { type Route, routerPath, routesOf } from './routes.ts';

export interface HttpServerOptions {
  surfaces: Surface[];
  gate: Gate;
  log: Log;
  clock: Clock;
  /** Exact paths whose `upgrade` somebody handles; elsewhere the wish is overheard, as HTTP allows. */
  upgradePaths?: readonly string[];
  /** Addresses and networks whose X-Forwarded-* headers are believed; default: this host's. */
  trusted_proxies?: readonly string[];
}

export interface HttpServer {
  /** For `upgrade` handlers (agents, consoles). */
  node: Server;
  /** @returns the port it listens on (0 asks for a free one). */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
}

export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  let node!: Server;
  const sockets = options.surfaces.flatMap((surface) => surface.sockets ?? []);
  const takeForwarded = forwardedOnlyBy(options.trusted_proxies ?? LOOPBACK);
  const upgradePaths = [...(options.upgradePaths ?? []), ...sockets.map(({ path }) => path)];
  const app = fastify({
    serverFactory: (handler) => {
      const shouldUpgradeCallback = (request: IncomingMessage): boolean => upgradePaths.includes(request.url?.split('?', 1)[0] ?? '');
      node = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0, maxHeaderSize: 32_768, shouldUpgradeCallback }, (request, response) => {
        takeForwarded(request);
        handler(request, response);
      });
      node.on('upgrade', takeForwarded);
      // Node before 24.9 does not ask: there a stray upgrade is cut off
      if (upgradePaths.length > 0) node.on('upgrade', (request, socket) => void (shouldUpgradeCallback(request) || socket.destroy()));
      node.setTimeout(SILENCE_MS);
      return node;
    },
    routerOptions: { maxParamLength: 2048 },
    logger: false,
    rewriteUrl: (raw) => rewritten(options.surfaces, raw.url ?? '/'),
    frameworkErrors: (_error, request, reply) => void refuse(options, request, reply, badRequest('api.url-malformed', 'Malformed URL.')),
  });
  // bodies are read by the dispatcher, after authentication
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const surface of options.surfaces) addSurface(app, surface, options);
  app.setNotFoundHandler((request, reply) => refuse(options, request, reply, notFound('api.no-such-path', 'The resource could not be found.')));
  await app.ready();
  const endSockets = acceptSockets(node, sockets, options.log);
  return {
    node,
    async listen(host, port) {
      await app.listen({ host, port });
      return (node.address() as { port: number }).port;
    },
    async close() {
      endSockets();
      node.closeIdleConnections();
      await app.close();
    },
  };
}

/** A socket on which nothing moves for this long goes. */
const SILENCE_MS = 300_000;
/** For the rest of a small body that nobody reads. */
const REST_MS = 10_000;

function addSurface(app: FastifyInstance, surface: Surface, options: HttpServerOptions): void {
  const routes = routesOf(surface);
  for (const route of routes) {
    const path = routerPath(surface.prefix, route.path);
    for (const each of slashVariants(surface, path)) app.all(each, (request, reply) => serve(surface, route, options, request, reply));
  }
  const ownRest = routes.some(({ path }) => routerPath('', path) === '/*');
  if (surface.prefix !== '' && !ownRest) {
    app.all(`${surface.prefix}/*`, (request, reply) => serve(surface, undefined, options, request, reply));
  }
}

function slashVariants(surface: Surface, path: string): string[] {
  const declared = surface.endpoints.some((endpoint) => routerPath(surface.prefix, endpoint.path) === `${path}/`);
  return surface.trailingSlash !== true || path.endsWith('/') || path.endsWith('*') || declared ? [path] : [path, `${path}/`];
}

function rewritten(surfaces: readonly Surface[], url: string): string {
  const surface = surfaces.find(({ prefix, rewrite }) => rewrite !== undefined && url.startsWith(`${prefix}/`));
  if (surface?.rewrite === undefined) return url;
  const [path = '', ...query] = url.split('?');
  return [surface.rewrite(path), ...query].join('?');
}

/** What the router does not take, in the words of the service whose prefix it bears, or of the root. */
function refuse(options: HttpServerOptions, request: FastifyRequest, reply: FastifyReply, fault: Fault): Promise<FastifyReply> {
  const path = request.raw.url ?? '';
  const near = options.surfaces.find(({ prefix }) => prefix !== '' && path.startsWith(`${prefix}/`)) ?? options.surfaces.find(({ prefix }) => prefix === '') ?? options.surfaces[0]!;
  return serve(near, undefined, options, request, reply, fault);
}

/** Path and query as sent; the host of an absolute form does not matter. */
function urlOf(raw: string): URL {
  const text = raw.startsWith('/') ? `http://localhost${raw}` : raw;
  return URL.canParse(text) ? new URL(text) : new URL('http://localhost/');
}

async function serve(surface: Surface, route: Route | undefined, options: HttpServerOptions, request: FastifyRequest, reply: FastifyReply, refusal?: Fault): Promise<FastifyReply> {
  const started = performance.now();
  const ids = requestIds(request.headers['x-openstack-request-id']);
  const log = options.log.child(ids.global === undefined ? { request_id: ids.own } : { request_id: ids.own, global_request_id: ids.global });
  let ctx: Context = { request_id: ids.own, global_request_id: ids.global, log, clock: options.clock, auth: undefined };
  const url = urlOf(request.raw.url ?? '/');
  const origin = originOf(request);
  const base = origin + surface.prefix;
  reply.header('x-openstack-request-id', ids.own);
  reply.headers(surface.headers ?? {});
  for (const name of surface.requestIdHeaders ?? []) reply.header(name, ids.own);
  let version = 0;
  try {
    const gate: Gate = { ...options.gate, authenticate: async (token) => {
      const auth = await options.gate.authenticate(token);
      ctx = { ...ctx, auth };
      return auth;
    }, identified: (auth) => {
      ctx = { ...ctx, auth };
      return auth;
    } };
    if (refusal) throw refusal;
    // no database keeps NUL, and no name has it
    if (request.raw.url?.includes('%00')) throw badRequest('api.url-malformed', 'Malformed URL.');
    version = versionOf(surface, request.raw);
    if (surface.microversions) reply.headers(versionHeaders(surface.microversions, version));
    const params = request.params as Record<string, string>;
    // The router takes `/things/` for a thing without a name.
    const nameless = Object.entries(params).some(([name, value]) => name !== '*' && value === '');
    if (!route || nameless) throw notFound('api.no-such-path', 'The resource could not be found.');
    const incoming = { raw: request.raw, params, url, base, ctx };
    await send(reply, await dispatch(route, gate, incoming, version), log);
  } catch (error) {
    const fault = toFault(error, log);
    const accept = request.headers.accept;
    const facts = { accept, method: request.method, path: url.pathname, request_id: ids.own, version, base };
    const out = wire(surface, fault, facts, `${origin}/identity/v3`);
    discardBody(request.raw, reply);
    reply.code(fault.status).headers({ ...out.headers, ...fault.headers }).type(out.contentType).send(out.body);
  }
  logAccess(ctx, { method: request.method, path: url.pathname, status: reply.statusCode, started });
  return reply;
}

async function send(reply: FastifyReply, { reply: result, status }: Answer, log: Log): Promise<void> {
  reply.code(status).headers(result.headers);
  const parts = reply.request.method === 'HEAD' ? undefined : partsOf(result.body);
  if (parts !== undefined) {
    if (!reply.hasHeader('content-type')) reply.type('application/octet-stream');
    await sendParts(reply, parts, log);
  } else if (result.body === undefined) reply.send();
  else if (result.body instanceof Readable || Buffer.isBuffer(result.body)) {
    if (!reply.hasHeader('content-type')) reply.type('application/octet-stream');
    reply.send(result.body);
  } else if (typeof result.body === 'string') {
    if (!reply.hasHeader('content-type')) reply.type('text/plain; charset=utf-8');
    reply.send(result.body);
  } else {
    if (!reply.hasHeader('content-type')) reply.type('application/json');
    reply.send(JSON.stringify(result.body));
  }
}

/** Resolves when the head is on its way. */
function sendParts(reply: FastifyReply, parts: Parameters<typeof sendFiles>[0], log: Log): Promise<void> {
  return new Promise((resolve, reject) => {
    let begun = false;
    const begin = (): void => {
      begun = true;
      reply.hijack();
      reply.raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
      resolve();
    };
    sendFiles(parts, reply.raw, begin).catch((error: unknown) => {
      if (!begun) return reject(error as Error);
      log.error({ err: error }, 'an answer broke off');
    });
  });
}

/** A body nobody reads would hold the connection: hang up after the answer unless it is small and already here. */
function discardBody(raw: IncomingMessage, reply: FastifyReply): void {
  if (raw.readableEnded || raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined) return;
  if (Number(raw.headers['content-length'] ?? Infinity) > 1_048_576) reply.header('connection', 'close');
  else {
    raw.resume();
    const timer = setTimeout(() => raw.socket.destroy(), REST_MS).unref();
    raw.once('close', () => clearTimeout(timer));
  }
}

const HOST = /^[a-zA-Z0-9.-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/;

/** `http://host:port` as the caller knows us; proxies that are trusted may say so by X-Forwarded-*. */
function originOf(request: FastifyRequest): string {
  const forwarded = request.headers['x-forwarded-proto'];
  const proto = forwarded === 'https' || forwarded === 'http' ? forwarded : (request.raw.socket as { encrypted?: boolean }).encrypted ? 'https' : 'http';
  const asked = request.headers['x-forwarded-host'] ?? request.headers.host;
  const host = typeof asked === 'string' && HOST.test(asked) ? asked : 'localhost';
  return `${proto}://${host}`;
}
