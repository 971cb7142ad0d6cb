import type { IncomingMessage } from 'node:http';
import { type Call, type Endpoint, type Method, Reply, type Target } from '../api/endpoint.ts';
import { type Microversion, negotiate } from '../api/microversion.ts';
import { convertQuery } from '../api/schema.ts';
import type { Auth, Context } from '../context.ts';
import { isAllowedByRules } from './access-rules.ts';
import { badRequest, type Fault, methodNotAllowed, notFound, unauthorized } from '../fault.ts';
import type { Enforcer } from '../policy/enforce.ts';
import type { Surface } from '../service.ts';
import { readJson } from './body.ts';
import { invalidInput } from './faults.ts';
import { allow, type Route } from './routes.ts';

/** What the dispatcher is given by the composition root. */
export interface Gate {
  /** Undefined for a token that is not (or no longer) valid. */
  authenticate(token: string): Promise<Auth | undefined>;
  /** Told of a caller whom a surface found by its own means; gives it back. */
  identified?(auth: Auth | undefined): Auth | undefined;
  /** The node that signs a request of an agent; undefined when it is none of ours. */
  authenticateNode(header: string | undefined): Promise<string | undefined>;
  enforcer: Enforcer;
  /** Tests check every reply against its schema. */
  checkReplies: boolean;
}

export interface Incoming {
  raw: IncomingMessage;
  params: Record<string, string>;
  url: URL;
  base: string;
  ctx: Context;
}

export interface Answer {
  reply: Reply;
  status: number;
  endpoint: Endpoint;
}

/** The version this request is answered at; 0 for services without microversions. */
export function versionOf(surface: Surface, raw: IncomingMessage): Microversion {
  return surface.microversions ? negotiate(surface.microversions, raw.headers) : 0;
}

/** Runs one request through authentication, version, policy and validation to its handler. */
export async function dispatch(route: Route, gate: Gate, incoming: Incoming, version: Microversion): Promise<Answer> {
  const { raw } = incoming;
  const all = variantsOf(route, raw.method as Method);
  if (!all) throw await refuseMethod(route, gate, incoming);
  const auth = await authenticate(all, route.surface, gate, incoming);
  assertAccessRules(route.surface, incoming, auth.ctx.auth);
  const variants = all.filter((one) => (one.since ?? 0) <= version && version <= (one.until ?? Infinity));
  if (variants.length === 0) throw notInVersion();
  const { endpoint, body } = await chooseVariant(variants, all, raw);
  const call = makeCall(endpoint, gate, { ...incoming, ctx: auth.ctx }, version, body, auth.node_id);
  await authorise(endpoint, call);
  checkInput(route.surface, endpoint, call);
  const lifted = lift(endpoint, call);
  return answer(endpoint, await endpoint.handler(lifted), version, gate);
}

function variantsOf(route: Route, method: Method): Endpoint[] | undefined {
  return route.methods.get(method) ?? (method === 'HEAD' ? route.methods.get('GET') : undefined);
}

async function refuseMethod(route: Route, gate: Gate, incoming: Incoming): Promise<Error> {
  const open = [...route.methods.values()].flat().every((one) => one.policy === 'public');
  if (!open) await requireAuth(route.surface, gate, incoming);
  return methodNotAllowed('api.method-not-allowed', 'The method specified is not allowed for this resource.', {
    headers: { allow: allow(route) },
  });
}

async function authenticate(variants: Endpoint[], surface: Surface, gate: Gate, incoming: Incoming): Promise<{ ctx: Context; node_id: string | undefined }> {
  if (variants.every((one) => one.policy === 'node')) {
    const node_id = await gate.authenticateNode(incoming.raw.headers.authorization);
    if (node_id === undefined) throw unauthorized('auth.required', 'This call is for the nodes of this cloud.');
    return { ctx: incoming.ctx, node_id };
  }
  if (variants.every((one) => one.policy === 'public')) return { ctx: { ...incoming.ctx, auth: await callerOf(surface, gate, incoming) }, node_id: undefined };
  return { ctx: await requireAuth(surface, gate, incoming), node_id: undefined };
}

/** Undefined: nobody we know. */
async function callerOf(surface: Surface, gate: Gate, { raw, url }: Incoming): Promise<Auth | undefined> {
  const token = raw.headers['x-auth-token'];
  if (typeof token === 'string' && token !== '') return gate.authenticate(token);
  if (surface.authenticate === undefined) return undefined;
  const auth = await surface.authenticate({ method: raw.method ?? '', path: url.pathname, headers: raw.headers });
  return gate.identified === undefined ? auth : gate.identified(auth);
}

async function requireAuth(surface: Surface, gate: Gate, incoming: Incoming): Promise<Context> {
  const auth = await callerOf(surface, gate, incoming);
  if (!auth) throw unauthorized('auth.required', 'The request you have made requires authentication.');
  return { ...incoming.ctx, auth, log: incoming.ctx.log };
}

function assertAccessRules(surface: Surface, { raw, url }: Incoming, auth: Auth | undefined): void {
  if (auth?.access_rules === undefined) return;
  const call = { service: surface.type ?? surface.name, method: raw.method ?? '', path: url.pathname.slice(surface.prefix.length) };
  if (!isAllowedByRules(auth.access_rules, call)) throw unauthorized('auth.required', 'The request you have made requires authentication.');
}

const notInVersion = (): Fault => notFound('api.not-in-version', 'The resource could not be found.');

/** @param all those of other versions too: an action that another one has is not there, rather than unknown. */
async function chooseVariant(variants: Endpoint[], all: readonly Endpoint[], raw: IncomingMessage): Promise<{ endpoint: Endpoint; body: unknown }> {
  const first = variants[0]!;
  if (first.body === 'stream') return { endpoint: first, body: undefined };
  const hasBody = first.action !== undefined || variants.some((one) => one.body !== undefined);
  const limit = Math.max(...variants.map((one) => one.bodyLimit));
  const body = hasBody ? await readJson(raw, limit, first.mediaTypes) : undefined;
  if (first.action === undefined) return { endpoint: first, body };
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw badRequest('api.action-malformed', 'Malformed request body');
  const keys = Object.keys(body);
  if (keys.length !== 1) throw badRequest('api.action-malformed', keys.length === 0 ? 'There is no such action: ' : 'Multiple actions specified');
  const endpoint = variants.find((one) => one.action === keys[0]);
  if (endpoint) return { endpoint, body };
  throw all.some((one) => one.action === keys[0]) ? notInVersion() : badRequest('api.action-unknown', `There is no such action: ${keys[0]}`);
}

const NO_AUTH = undefined as unknown as Auth;

function makeCall(endpoint: Endpoint, gate: Gate, incoming: Incoming, version: Microversion, body: unknown, node_id: string | undefined): Call {
  const auth = incoming.ctx.auth ?? NO_AUTH;
  const own = (): Target => ({ project_id: auth?.project_id, user_id: auth?.user_id, ...incoming.params });
  return {
    ctx: incoming.ctx,
    auth,
    params: incoming.params,
    query: endpoint.query ? convertQuery(endpoint.query.schema, incoming.url.searchParams) : {},
    body,
    stream: incoming.raw,
    headers: incoming.raw.headers,
    version,
    base: incoming.base,
    url: incoming.url,
    node_id,
    policy: endpoint.policy,
    enforce: (rule, target) => gate.enforcer.enforce(rule, auth, target ?? own()),
    allows: (rule, target) => auth !== undefined && gate.enforcer.check(rule, auth, target ?? own()),
  };
}

async function authorise(endpoint: Endpoint, call: Call): Promise<void> {
  if (endpoint.policy === 'public' || endpoint.policy === 'node') return;
  call.enforce(endpoint.policy, await endpoint.target?.(call));
}

function checkInput(surface: Surface, endpoint: Endpoint, call: Call): void {
  const invalid = surface.invalid ?? invalidInput;
  const inQuery = endpoint.query?.check(call.query, call.version);
  if (inQuery) throw invalid(inQuery, 'query');
  if (endpoint.body === undefined || endpoint.body === 'stream') return;
  if (call.body === undefined && endpoint.action === undefined) throw badRequest('api.body-missing', 'The request has no body.');
  const inBody = endpoint.body.check(call.body, call.version);
  if (inBody) throw invalid(inBody, 'body');
}

function lift(endpoint: Endpoint, call: Call): Call {
  let body = call.body;
  for (const step of [...endpoint.before].reverse()) if (call.version < step.version && step.up) body = step.up(body as never);
  return body === call.body ? call : { ...call, body };
}

function answer(endpoint: Endpoint, result: unknown, version: Microversion, gate: Gate): Answer {
  const reply = result instanceof Reply ? result : new Reply(result);
  const status = reply.status ?? endpoint.status;
  const schema = endpoint.reply;
  if (schema === undefined || typeof schema === 'string' || reply.body === undefined) return { reply, status, endpoint };
  let body: unknown = reply.body;
  for (const step of endpoint.before) if (version < step.version && step.down) body = step.down(body as never);
  schema.prune(body, version);
  if (gate.checkReplies && status === endpoint.status) {
    const problem = schema.check(structuredJson(body), version);
    if (problem) throw new Error(`${endpoint.id}: the reply does not fit its schema: ${problem.field} ${problem.message} ${JSON.stringify(problem.params)}`);
  }
  return { reply: new Reply(body, { headers: reply.headers }), status, endpoint };
}

/** What the client will see: undefined fields are gone; text is JSON that was ready made. */
const structuredJson = (body: unknown): unknown => JSON.parse(typeof body === 'string' ? body : JSON.stringify(body));
