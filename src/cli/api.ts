/** A thin OpenStack client for the command line's own needs: plain fetch, one session, readable errors. */
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';

export interface Credentials {
  auth_url: string;
  username: string;
  password: string;
  project: string;
  region: string;
}

/** An API refused a call, or could not be reached (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly request_id: string | undefined;

  constructor(status: number, message: string, request_id?: string) {
    super(message);
    this.status = status;
    this.request_id = request_id;
  }
}

export type ServiceType = 'identity' | 'image' | 'compute' | 'network' | 'placement';

export interface CatalogEntry {
  type: string;
  name: string;
  url: string;
}

export interface Session {
  readonly project_id: string;
  readonly user_id: string;
  readonly catalog: readonly CatalogEntry[];
  /** Calls a service below its versioned root, e.g. ('compute', 'GET', '/servers/detail'). Gives the parsed body. */
  call(service: ServiceType, method: string, path: string, body?: unknown, options?: CallOptions): Promise<any>;
  /** As `call` with bytes for the body. A stream may take as long as it likes. */
  upload(service: ServiceType, path: string, bytes: Buffer | Readable): Promise<void>;
  /** The body of a GET as it comes. */
  download(service: ServiceType, path: string): Promise<Readable>;
}

export interface CallOptions {
  timeout_ms?: number;
  content_type?: string;
}

/** Of an administrator of the system, whatever `[identity] administrators` says; it is for no project. */
export type SystemSession = Omit<Session, 'project_id'>;

/** Who logs in, in Keystone's own words. */
export interface Login {
  auth_url: string;
  /** Undefined: the first that the catalogue lists. */
  region: string | undefined;
  /** `auth` of `POST /v3/auth/tokens`. */
  auth: object;
}

const TIMEOUT_MS = 60_000;
const NO_LIMIT = Infinity;

/** Password login scoped to a project of the default domain. @throws ApiError */
export async function login(credentials: Credentials): Promise<Session> {
  return await openSession(passwordLogin(credentials, { project: { name: credentials.project, domain: DOMAIN } }));
}

/** Password login scoped to the system. @throws ApiError */
export async function loginSystem(credentials: Credentials): Promise<SystemSession> {
  return await open(passwordLogin(credentials, { system: { all: true } }));
}

const DOMAIN = { id: 'default' };

function passwordLogin({ auth_url, region, username, password }: Credentials, scope: object): Login {
  return { auth_url, region, auth: { identity: { methods: ['password'], password: { user: { name: username, domain: DOMAIN, password } } }, scope } };
}

/** @throws ApiError; also when the token is for no project. */
export async function openSession(login: Login): Promise<Session> {
  const { project_id, ...session } = await open(login);
  if (project_id === undefined) throw new ApiError(0, 'the credentials name no project');
  return { ...session, project_id };
}

async function open({ auth_url, region, auth }: Login): Promise<SystemSession & { project_id: string | undefined }> {
  const response = await send(`${auth_url}/auth/tokens`, 'POST', JSON.stringify({ auth }), { 'content-type': 'application/json' });
  const { token } = (await response.json()) as { token: { project?: { id: string }; user: { id: string }; catalog?: RawCatalog } };
  const secret = response.headers.get('x-subject-token') ?? '';
  const catalog = publicEndpoints(token.catalog ?? [], region);

  const url = (service: ServiceType, path: string): string => `${versionedRoot(catalog, service)}${path}`;
  return {
    project_id: token.project?.id,
    user_id: token.user.id,
    catalog,
    async call(service, method, path, body, options = {}) {
      const headers: Record<string, string> = { 'x-auth-token': secret, accept: 'application/json' };
      if (body !== undefined) headers['content-type'] = options.content_type ?? 'application/json';
      const answer = await send(url(service, path), method, body === undefined ? undefined : JSON.stringify(body), headers, options.timeout_ms);
      const text = await answer.text();
      return text === '' ? undefined : JSON.parse(text);
    },
    async upload(service, path, bytes) {
      const answer = await send(url(service, path), 'PUT', bytes, { 'x-auth-token': secret, 'content-type': 'application/octet-stream' });
      await answer.arrayBuffer();
    },
    async download(service, path) {
      const answer = await send(url(service, path), 'GET', undefined, { 'x-auth-token': secret }, NO_LIMIT);
      return answer.body === null ? Readable.from([]) : Readable.fromWeb(answer.body as WebStream);
    },
  };
}

type RawCatalog = { type: string; name: string; endpoints: { interface: string; region_id: string; url: string }[] }[];

function publicEndpoints(catalog: RawCatalog, region: string | undefined): CatalogEntry[] {
  return catalog.flatMap(({ type, name, endpoints }) =>
    endpoints.filter((endpoint) => endpoint.interface === 'public' && (region === undefined || endpoint.region_id === region)).map(({ url }) => ({ type, name, url: url.replace(/\/+$/, '') })));
}

/** What a service's catalogue URL lacks, if it does: image and networking are listed without their version. */
const versions: Record<ServiceType, string> = { identity: '/v3', image: '/v2', compute: '/v2.1', network: '/v2.0', placement: '' };

function versionedRoot(catalog: readonly CatalogEntry[], service: ServiceType): string {
  const entry = catalog.find((candidate) => candidate.type === service);
  if (entry === undefined) throw new ApiError(0, `the catalogue has no service of type ${service}`);
  return entry.url.endsWith(versions[service]) ? entry.url : `${entry.url}${versions[service]}`;
}

async function send(url: string, method: string, body: string | Buffer | Readable | undefined, headers: Record<string, string>, timeout_ms = TIMEOUT_MS): Promise<Response> {
  let response: Response;
  const streamed = body instanceof Readable;
  const bounds = streamed || timeout_ms === NO_LIMIT ? {} : { signal: AbortSignal.timeout(timeout_ms) };
  try {
    response = await fetch(url, { method, headers, ...bounds, ...(streamed ? { duplex: 'half' } : {}), ...(body === undefined ? {} : { body: body as string }) });
  } catch (error) {
    const cause = (error as Error).cause as Error | undefined;
    throw new ApiError(0, `${method} ${url}: ${cause?.message ?? (error as Error).message}`);
  }
  if (response.ok) return response;
  const text = await response.text();
  throw new ApiError(response.status, `${method} ${url}: ${response.status} ${messageOf(text)}`, response.headers.get('x-openstack-request-id') ?? undefined);
}

/** The message inside any of the services' error shapes. */
function messageOf(text: string): string {
  try {
    const body = JSON.parse(text) as Record<string, any>;
    const inner = (Object.values(body)[0] ?? {}) as { message?: string; detail?: string };
    return inner.message ?? body['message'] ?? inner.detail ?? text.slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}
