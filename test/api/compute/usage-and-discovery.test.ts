import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, callers, type ServedWorld, serveCompute } from '../../support/compute-world.ts';

let world: ServedWorld;
let real: string;
before(async () => {
  world = await serveCompute({ nodes: 1 });
  real = await world.boot();
});
after(() => world.close());

const get = (path: string, options: { token?: string; version?: string } = {}) => world.call('GET', path, { token: ADMIN_TOKEN, ...options });
const project = callers['member']!.project_id!;

/** A server that ran between two instants: otherwise a copy of a real one. */
async function ran(id: string, project_id: string, launched_at: string, terminated_at: string | null): Promise<void> {
  const flavor = { id: '1', name: 'm1', vcpus: 2, ram_mb: 512, disk_gb: 10, ephemeral_gb: 5, swap_mb: 0, extra_specs: {} };
  const ended = { terminated_at, deleted: terminated_at === null ? 0 : 1, vm_state: terminated_at === null ? 'active' : 'deleted' };
  await world.db.transaction(async (tx) => {
    const model = await tx.selectFrom('compute_servers').selectAll().where('id', '=', real).executeTakeFirstOrThrow();
    await tx.insertInto('compute_servers').values({ ...model, id, project_id, node_id: null, flavor_json: JSON.stringify(flavor), launched_at, ...ended }).execute();
  });
}

test('usage is counted for the part of a period in which servers ran', async () => {
  const far = 'e'.repeat(32);
  await ran('a0000000-0000-4000-8000-000000000000', project, '2020-01-01T00:00:00.000000Z', '2020-01-01T10:00:00.000000Z');
  await ran('b0000000-0000-4000-8000-000000000000', project, '2020-01-01T08:00:00.000000Z', null);
  await ran('c0000000-0000-4000-8000-000000000000', far, '2020-01-01T00:00:00.000000Z', '2020-01-01T06:00:00.000000Z');
  const period = 'start=2020-01-01T06:00:00&end=2020-01-01T12:00:00.000000';
  const usage = (await get(`/os-simple-tenant-usage/${project}?${period}`, { token: 'reader' })).json.tenant_usage;
  assert.equal(usage.total_hours, 4 + 4);
  assert.equal(usage.total_vcpus_usage, 16);
  assert.equal(usage.total_memory_mb_usage, 8 * 512);
  assert.equal(usage.total_local_gb_usage, 8 * 15);
  assert.deepEqual([usage.start, usage.stop], ['2020-01-01T06:00:00.000000', '2020-01-01T12:00:00.000000']);
  const [first, second] = usage.server_usages;
  assert.deepEqual([first.state, first.ended_at, first.uptime, first.flavor], ['terminated', '2020-01-01T10:00:00.000000', 36_000, 'm1']);
  assert.deepEqual([second.state, second.ended_at, second.hours], ['active', null, 4]);
  const all = (await get(`/os-simple-tenant-usage?${period}`)).json.tenant_usages;
  assert.deepEqual(all.map(({ tenant_id }: any) => tenant_id), [project]);
  assert.equal('server_usages' in all[0], false);
  assert.ok('server_usages' in (await get(`/os-simple-tenant-usage?detailed=1&${period}`)).json.tenant_usages[0]);
  assert.deepEqual((await get(`/os-simple-tenant-usage/${far}?${period}`)).json.tenant_usage, {});
});

test('usage is paged from 2.40 on, and only for those who may', async () => {
  const period = 'start=2020-01-01T00:00:00&end=2020-01-02T00:00:00';
  const page = (await get(`/os-simple-tenant-usage?detailed=1&limit=2&${period}`)).json;
  assert.equal(page.tenant_usages[0].server_usages.length, 2);
  const next = new URL(page.tenant_usages_links[0].href);
  assert.equal((await get(`/os-simple-tenant-usage${next.search}`)).json.tenant_usages[0].tenant_id, 'e'.repeat(32));
  assert.equal((await get(`/os-simple-tenant-usage?limit=1&${period}`, { version: '2.39' })).json.tenant_usages.length, 2);
  assert.equal((await get(`/os-simple-tenant-usage?marker=nobody&${period}`)).status, 400);
  assert.equal((await get('/os-simple-tenant-usage?start=2020-01-02T00:00:00&end=2020-01-01T00:00:00')).status, 400);
  assert.equal((await get('/os-simple-tenant-usage?start=yesterday')).status, 400);
  assert.equal((await get('/os-simple-tenant-usage/')).status, 404);
  assert.equal((await get('/os-simple-tenant-usage', { token: 'member' })).status, 403);
  assert.equal((await get(`/os-simple-tenant-usage/${project}?${period}`, { token: 'other' })).status, 403);
});

test('versions are told without a token', async () => {
  const read = (path: string) => world.http.call('GET', `/compute${path}`, { token: null });
  for (const path of ['', '/']) {
    const { status, json } = await read(path);
    assert.equal(status, 200);
    assert.deepEqual(json.versions.map(({ id, version, min_version }: any) => [id, version, min_version]), [['v2.0', '', ''], ['v2.1', '2.96', '2.1']]);
    assert.equal(json.versions[1].links[0].href, `${world.http.url}/compute/v2.1/`);
  }
  for (const path of ['/v2.1', '/v2.1/']) {
    const { status, json } = await read(path);
    assert.equal(status, 200);
    assert.deepEqual([json.version.id, json.version.status, json.version.version], ['v2.1', 'CURRENT', '2.96']);
    assert.equal(json.version['media-types'][0].base, 'application/json');
  }
  assert.equal((await read('/v2/')).json.version.links[0].href, `${world.http.url}/compute/v2/`);
  const { status, json } = await read('/servers');
  assert.equal(status, 300);
  assert.equal(json.choices[1].links[0].href, `${world.http.url}/compute/v2.1/servers`);
  assert.equal((await world.http.call('POST', '/compute/servers', { token: null, body: {} })).status, 300);
  assert.equal((await read('/v2.1/unknown')).status, 401);
  assert.equal((await world.call('GET', '/unknown')).status, 404);
  assert.equal((await world.call('POST', '/unknown', { body: {} })).status, 404);
  assert.equal((await world.call('PATCH', '/flavors', { body: {} })).status, 405);
});

test('extensions are listed, removed calls are gone, and nothing has migrated', async () => {
  const aliases = (await get('/extensions', { token: 'member' })).json.extensions.map(({ alias }: any) => alias);
  assert.ok(aliases.includes('os-keypairs'));
  assert.equal((await get('/extensions/os-keypairs')).json.extension.name, 'Keypairs');
  assert.equal((await get('/extensions/nothing')).status, 404);
  assert.equal((await get('/os-fping')).status, 410);
  assert.equal((await get('/os-cells/1')).status, 410);
  assert.deepEqual((await get('/os-migrations')).json, { migrations: [] });
  assert.equal((await get('/os-migrations', { token: 'member' })).status, 403);
  assert.equal((await get('/os-migrations?colour=red')).status, 400);
  assert.equal((await get('/os-migrations?colour=red', { version: '2.58' })).status, 200);
});

test('a period without a beginning is next to nothing, not a mistake', async () => {
  const { status, json } = await get(`/os-simple-tenant-usage/${project}`, { token: 'reader' });
  assert.equal(status, 200);
  assert.ok((json.tenant_usage.total_hours ?? 0) < 0.001);
});

test('the audit of usage is told as not run, for the last whole month', async () => {
  const { instance_usage_audit_logs: now } = (await get('/os-instance_usage_audit_log')).json;
  assert.deepEqual([now.num_hosts, now.hosts_not_run, now.overall_status, now.log], [1, ['fake-0001'], '0 of 1 hosts done. 0 errors.', {}]);
  const { instance_usage_audit_log: then } = (await get('/os-instance_usage_audit_log/2026-01-15%2012:30:00.5')).json;
  assert.deepEqual([then.period_beginning, then.period_ending], ['2025-12-01 00:00:00', '2026-01-01 00:00:00']);
  assert.equal((await get('/os-instance_usage_audit_log/yesterday')).json.badRequest.message, 'Invalid timestamp for date yesterday');
  assert.equal((await get('/os-instance_usage_audit_log', { token: 'member' })).status, 403);
});
