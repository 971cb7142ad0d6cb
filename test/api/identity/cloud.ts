/** Identity alone, over real HTTP, with an admin. */
import { join } from 'node:path';
import { Create } from 'typebox/value';
import { systemClock, type Clock } from '../../../src/kernel/clock.ts';
import { migrate } from '../../../src/kernel/db/migrate.ts';
import { createHttpServer } from '../../../src/kernel/http/server.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { createEnforcer } from '../../../src/kernel/policy/enforce.ts';
import { createIdentityService, IdentitySection, type IdentityConfig, type IdentityService } from '../../../src/services/identity/index.ts';
import { freshDatabase, type TestDatabase } from '../../support/database.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { request, type CallOptions, type TestResponse } from '../../support/surface.ts';

export interface TestIdentity {
  url: string;
  identity: IdentityService;
  database: TestDatabase;
  keys: string;
  /** Moves the service's clock forward. */
  advance(seconds: number): void;
  /** A token of the admin for the project admin. */
  admin: string;
  call(method: string, path: string, options?: CallOptions): Promise<TestResponse>;
  /** A token; faults are thrown. */
  login(auth: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export const ADMIN_PASSWORD = 'correct horse';

export function password(user: Record<string, unknown>, scope?: unknown): Record<string, unknown> {
  return { auth: { identity: { methods: ['password'], password: { user } }, ...(scope === undefined ? {} : { scope }) } };
}

export const adminUser = { name: 'admin', domain: { id: 'default' }, password: ADMIN_PASSWORD };
export const adminProject = { project: { name: 'admin', domain: { id: 'default' } } };

export async function startIdentity(options: { config?: Partial<IdentityConfig>; public_url?: string; database?: TestDatabase } = {}): Promise<TestIdentity> {
  const keys = options.config?.fernet_keys ?? join(scratchDirectory('keys'), 'fernet');
  const config: IdentityConfig = { ...(Create(IdentitySection) as IdentityConfig), password_cost: 4, ...options.config, fernet_keys: keys, credential_keys: options.config?.credential_keys ?? join(scratchDirectory('keys'), 'credentials') };
  let shift = 0;
  const clock: Clock = { now: () => new Date(systemClock.now().getTime() + shift) };
  // The migrations are the service's own, so the database is opened before it and filled after.
  const database = options.database ?? (await freshDatabase());
  const identity = createIdentityService({ db: database.db, clock, log: silentLog, config, public_url: options.public_url ?? '' });

  await migrate(database.db, identity.service.migrations);
  await identity.bootstrap({
    admin_password: ADMIN_PASSWORD,
    region: 'RegionOne',
    services: [
      { type: 'identity', name: 'keystone', path: '/identity' },
      { type: 'compute', name: 'nova', path: '/compute/v2.1' },
      { type: 'object-store', name: 'swift', path: '/object-store/v1/AUTH_$(project_id)s' },
    ],
  });
  const server = await createHttpServer({
    surfaces: [identity.service],
    gate: {
      authenticate: identity.client.authenticate,
      authenticateNode: async () => undefined,
      enforcer: createEnforcer(identity.service.policies),
      checkReplies: true,
    },
    log: silentLog,
    clock,
  });
  const url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
  const login = async (auth: Record<string, unknown>): Promise<string> => {
    const got = await request(url, undefined, 'POST', '/identity/v3/auth/tokens', { body: auth });
    if (got.status !== 201) throw new Error(`login: ${got.status} ${got.text}`);
    return got.headers.get('x-subject-token') as string;
  };
  const admin = await login(password(adminUser, adminProject));
  const cloud: TestIdentity = {
    url, identity, database, keys, admin, login,
    advance: (seconds) => void (shift += seconds * 1000),
    call: (method, path, call) => request(url, cloud.admin, method, path, call),
    async close() {
      await server.close();
      await database.close();
    },
  };
  return cloud;
}

export interface TestMember extends TestIdentity {
  project: string;
  /** Of alice, whose password is `pw`: a member of the project. */
  user: string;
  /** Of alice, for the project. */
  token: string;
  /** As the admin unless `as` is another token; null: without any. */
  v3(method: string, path: string, body?: unknown, as?: string | null): Promise<TestResponse>;
  /** With the password `pw`. @param role on the project. */
  makeUser(name: string, role?: string): Promise<string>;
}

export async function startWithMember(): Promise<TestMember> {
  const cloud = await startIdentity();
  const v3: TestMember['v3'] = (method, path, body, as) =>
    cloud.call(method, `/identity/v3/${path}`, { ...(body === undefined ? {} : { body }), ...(as === undefined ? {} : { token: as }) });
  const project: string = (await v3('POST', 'projects', { project: { name: 'p' } })).json.project.id;
  const makeUser = async (name: string, role?: string): Promise<string> => {
    const { id } = (await v3('POST', 'users', { user: { name, password: 'pw' } })).json.user;
    if (role !== undefined) await v3('PUT', `projects/${project}/users/${id}/roles/${(await v3('GET', `roles?name=${role}`)).json.roles[0].id}`);
    return id;
  };
  const user = await makeUser('alice', 'member');
  return { ...cloud, project, user, v3, makeUser, token: await cloud.login(password({ id: user, password: 'pw' }, { project: { id: project } })) };
}
