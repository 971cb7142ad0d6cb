/** A surface served over real HTTP with made-up callers: for tests of one service, or of the kernel. */
import { systemClock } from '../../src/kernel/clock.ts';
import type { Auth } from '../../src/kernel/context.ts';
import { createHttpServer } from '../../src/kernel/http/server.ts';
import { silentLog } from '../../src/kernel/log/log.ts';
import { createEnforcer } from '../../src/kernel/policy/enforce.ts';
import type { Surface } from '../../src/kernel/service.ts';

export interface TestResponse {
  status: number;
  headers: Headers;
  text: string;
  json: any;
}

export interface TestSurface {
  url: string;
  /** `fetch` with a token and a JSON body. */
  call(method: string, path: string, options?: CallOptions): Promise<TestResponse>;
  close(): Promise<void>;
}

export interface CallOptions {
  token?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
}

/** A project-scoped caller; override what matters. */
export function testAuth(over: Partial<Auth> = {}): Auth {
  const project = over.project_id ?? 'a'.repeat(32);
  return {
    token: 'test', user_id: 'b'.repeat(32), user_name: 'tester', user_domain_id: 'default', user_domain_name: 'Default',
    project_id: project, project_name: 'test', project_domain_id: 'default', domain_id: undefined, domain_name: undefined,
    system_scope: undefined, roles: ['member', 'reader'], role_ids: [], is_admin_project: true,
    expires_at: '2999-01-01T00:00:00.000000Z', application_credential_id: undefined, trust_id: undefined, ...over,
  };
}

/** @param callers token → who it is; the first one is used when a call names none. */
export async function serveSurfaces(surfaces: Surface[], callers: Record<string, Auth>): Promise<TestSurface> {
  const server = await createHttpServer({
    surfaces,
    gate: {
      authenticate: async (token) => callers[token],
      authenticateNode: async (header) => /^Gantry-Node ([^:]+):test$/.exec(header ?? '')?.[1],
      enforcer: createEnforcer(surfaces.flatMap((surface) => surface.policies)),
      checkReplies: true,
    },
    log: silentLog,
    clock: systemClock,
  });
  const port = await server.listen('127.0.0.1', 0);
  const url = `http://127.0.0.1:${port}`;
  return { url, call: (method, path, options) => request(url, Object.keys(callers)[0], method, path, options), close: () => server.close() };
}

/** One call; the body is sent as JSON unless it is a string or bytes. */
export async function request(url: string, defaultToken: string | undefined, method: string, path: string, options: CallOptions = {}): Promise<TestResponse> {
  const token = options.token === undefined ? defaultToken : options.token;
  const headers: Record<string, string> = { ...(token ? { 'x-auth-token': token } : {}), ...options.headers };
  let body: string | Uint8Array | undefined;
  if (typeof options.body === 'string' || options.body instanceof Uint8Array) body = options.body;
  else if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    headers['content-type'] ??= 'application/json';
  }
  const response = await fetch(new URL(path, url), { method, headers, redirect: 'manual', ...(body === undefined ? {} : { body: body as never }) });
  const text = await response.text();
  const json = /json/.test(response.headers.get('content-type') ?? '') && text !== '' ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, text, json };
}
