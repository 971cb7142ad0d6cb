/** What the tests of nova's proxies of other services share: three callers, and calls at the last version that has the proxies. */
import { after, before } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import type { TestResponse } from '../../support/surface.ts';

export type Tenant = Awaited<ReturnType<TestCloud['tenant']>>;

export interface OldApiWorld {
  cloud: TestCloud;
  mine: Tenant;
  other: Tenant;
  /** Has the role `reader` alone. */
  reader: Tenant;
}

/** Filled before the first test of the file, and gone after its last. */
export function oldApiWorld(): OldApiWorld {
  const world = {} as OldApiWorld;
  before(async () => {
    const cloud = await startTestCloud();
    Object.assign(world, { cloud, mine: await cloud.tenant('mine'), other: await cloud.tenant('other'), reader: await cloud.tenant('onlooker', ['reader']) });
  });
  after(() => world.cloud?.stop());
  return world;
}

export function callAt(world: OldApiWorld, method: string, path: string, asked: { tenant?: Pick<Tenant, 'token'> | undefined; body?: unknown; version?: string | undefined } = {}): Promise<TestResponse> {
  const { tenant = world.mine, body, version = '2.35' } = asked;
  return world.cloud.call(method, `/compute/v2.1${path}`, { token: tenant.token, headers: { 'openstack-api-version': `compute ${version}` }, ...(body === undefined ? {} : { body }) });
}
