/**
 * An endpoint is one declaration. From it come the route, 404 outside its versions, 405, validation, the policy check,
 * the OpenAPI document, the policy reference and the rows of the unauthorised-access test.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Static, TSchema } from 'typebox';
import type { Auth, Context } from '../context.ts';
import type { Microversion } from './microversion.ts';
import { VersionedSchema } from './schema.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'COPY';

/** `{server_id}` and `{id}` of a path, as a type; of a path that is put together at run time, any names. */
export type PathParams<Path extends string> = string extends Path ? Record<string, string> : Path extends `${string}{${infer Name}}${infer Rest}`
  ? { [K in Name]: string } & PathParams<Rest>
  : unknown;

export type Target = Record<string, unknown>;

/** Everything a handler is given about one call. */
export interface Call<Params = Record<string, string>, Query = Record<string, unknown>, Body = unknown> {
  readonly ctx: Context;
  /** The caller. On `public` endpoints it is there only if a valid token came along: read `ctx.auth` there. */
  readonly auth: Auth;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The request's body, unread, on endpoints with `body: 'stream'`. */
  readonly stream: Readable;
  readonly headers: IncomingHttpHeaders;
  readonly version: Microversion;
  /** `http://host:5000/compute`, from the request's own host: links must work from where the caller is. */
  readonly base: string;
  /** Path and query as sent, without host: for `next` links. */
  readonly url: URL;
  /** The node that calls, on `node` endpoints. */
  readonly node_id: string | undefined;
  /** The rule that the endpoint declares. */
  readonly policy: string;
  /** Throws 403 unless the rule allows it. */
  enforce(rule: string, target?: Target): void;
  allows(rule: string, target?: Target): boolean;
}

/** For what looks at the caller alone, whichever endpoint was called. */
export type AnyCall = Call<unknown, unknown, unknown>;

/** For what looks at the caller and the path's parameters. */
export type PathCall = Call<Record<string, string>, unknown, unknown>;

/** A reply with more than a body. A handler may as well return the bare body. */
export class Reply<Body = unknown> {
  readonly body: Body | undefined;
  readonly status: number | undefined;
  readonly headers: Record<string, string>;

  constructor(body: Body | undefined, options: { status?: number; headers?: Record<string, string> } = {}) {
    this.body = body;
    this.status = options.status;
    this.headers = options.headers ?? {};
  }
}

export function reply<Body>(body?: Body, options?: { status?: number; headers?: Record<string, string> }): Reply<Body> {
  return new Reply(body, options);
}

/** How an older version differs from the newest: `up` lifts its body, `down` lowers our reply. Applied newest first. */
export interface Before {
  version: Microversion;
  up?: (body: never) => unknown;
  down?: (reply: never) => unknown;
}

interface Declaration<Path extends string, Query extends TSchema, Body extends TSchema, Result extends TSchema> {
  /** `servers:create`; unique within the service. */
  id: string;
  method: Method;
  path: Path;
  /** For `POST …/action` calls: the one key of the body that names the action. */
  action?: string;
  summary: string;
  /** A rule's name; `public` needs no token; `node` is for the agents of our nodes. */
  policy: string;
  /**
   * What the rule is checked against; by default the caller's own project and user, and the path's parameters.
   * It may load the resource, and throws 404 for what the caller may not know of.
   */
  target?: (call: Call<PathParams<Path>, Static<Query>, Static<Body>>) => Target | Promise<Target>;
  since?: Microversion;
  until?: Microversion;
  before?: Before[];
  query?: Query;
  body?: Body | 'stream';
  /** Bytes; default 112 KiB, as oslo.middleware. Not for streams. */
  bodyLimit?: number;
  /** Media types of the body beside application/json. */
  mediaTypes?: string[];
  reply?: Result | 'stream' | 'text';
  status: number;
  handler: (
    call: Call<PathParams<Path>, Static<Query>, Static<Body>>,
  ) => Promise<Static<Result> | Reply | undefined> | Static<Result> | Reply | undefined;
}

/** A declaration with its types forgotten: what the kernel works with. */
export interface Endpoint {
  readonly id: string;
  readonly method: Method;
  readonly path: string;
  readonly action: string | undefined;
  readonly summary: string;
  readonly policy: string;
  readonly target: ((call: Call) => Target | Promise<Target>) | undefined;
  readonly since: Microversion | undefined;
  readonly until: Microversion | undefined;
  readonly before: readonly Before[];
  readonly query: VersionedSchema | undefined;
  readonly body: VersionedSchema | 'stream' | undefined;
  readonly bodyLimit: number;
  readonly mediaTypes: readonly string[];
  readonly reply: VersionedSchema | 'stream' | 'text' | undefined;
  readonly status: number;
  readonly handler: (call: Call) => unknown;
}

const DEFAULT_BODY_LIMIT = 114_688;

export function endpoint<
  const Path extends string,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Result extends TSchema = TSchema,
>(declared: Declaration<Path, Query, Body, Result>): Endpoint {
  const { query, body, reply: result } = declared;
  return {
    id: declared.id,
    method: declared.method,
    path: declared.path,
    action: declared.action,
    summary: declared.summary,
    policy: declared.policy,
    target: declared.target as Endpoint['target'],
    since: declared.since,
    until: declared.until,
    before: [...(declared.before ?? [])].sort((a, b) => b.version - a.version),
    query: query === undefined ? undefined : new VersionedSchema(query),
    body: body === undefined || body === 'stream' ? (body as 'stream' | undefined) : new VersionedSchema(body as TSchema),
    bodyLimit: declared.bodyLimit ?? DEFAULT_BODY_LIMIT,
    mediaTypes: declared.mediaTypes ?? [],
    reply: result === undefined || typeof result === 'string' ? (result as 'stream' | 'text' | undefined) : new VersionedSchema(result as TSchema),
    status: declared.status,
    handler: declared.handler as Endpoint['handler'],
  };
}
