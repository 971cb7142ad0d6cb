import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { uuid } from '../../../src/kernel/ids.ts';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';

let cloud: TestCloud;
before(async () => { cloud = await startTestCloud(); });
after(() => cloud.stop());

const call = (method: string, path: string, body?: unknown, version = '1.13') =>
  cloud.call(method, `/placement${path}`, { ...(body === undefined ? {} : { body }), headers: { 'openstack-api-version': `placement ${version}` } });

const VCPU = { total: 4, allocation_ratio: 2, max_unit: 4 };

async function provider(name: string, inventories: object = { VCPU, MEMORY_MB: { total: 1000, reserved: 100 } }): Promise<string> {
  const id = uuid();
  assert.equal((await call('POST', '/resource_providers', { name, uuid: id })).status, 201);
  assert.equal((await call('PUT', `/resource_providers/${id}/inventories`, { resource_provider_generation: 0, inventories })).status, 200);
  return id;
}

const claim = (id: string, resources: object, consumer = uuid()) =>
  call('PUT', `/allocations/${consumer}`, { allocations: { [id]: { resources } }, project_id: 'p', user_id: 'u' });

test('a provider has an inventory under a generation', async () => {
  const id = await provider('one');
  const shown = (await call('GET', `/resource_providers/${id}`)).json;
  assert.equal(shown.generation, 1);
  assert.equal((await call('PUT', `/resource_providers/${id}/inventories`, { resource_provider_generation: 0, inventories: {} })).status, 409);
  assert.equal((await call('POST', '/resource_providers', { name: 'one' })).status, 409);
  const inventory = (await call('GET', `/resource_providers/${id}/inventories/VCPU`)).json;
  assert.equal(inventory.step_size, 1);
  const unknown = await call('PUT', `/resource_providers/${id}/inventories`, { resource_provider_generation: 1, inventories: { NONSENSE: { total: 1 } } });
  assert.equal(unknown.status, 400);
  assert.match(unknown.json.errors[0].detail, /NONSENSE/);
  assert.equal((await call('DELETE', `/resource_providers/${id}`)).status, 204);
  assert.equal((await call('GET', `/resource_providers/${id}`)).status, 404);
});

test('claims stop at the capacity, also when they come at once', async () => {
  const id = await provider('two');
  assert.equal((await claim(id, { VCPU: 5 })).status, 409, 'more than max_unit');
  assert.equal((await claim(id, { DISK_GB: 1 })).status, 409, 'no such inventory');
  const answers = await Promise.all(Array.from({ length: 12 }, () => claim(id, { VCPU: 1, MEMORY_MB: 100 })));
  assert.equal(answers.filter((one) => one.status === 204).length, 8);
  assert.equal((await call('GET', `/resource_providers/${id}/usages`)).json.usages.VCPU, 8);
  assert.equal((await call('DELETE', `/resource_providers/${id}`)).status, 409, 'in use');
  assert.deepEqual((await call('GET', '/usages?project_id=p')).json.usages, { VCPU: 8, MEMORY_MB: 800 });
});

test('candidates are those with room, and a claim is replaced as a whole', async () => {
  const id = await provider('three', { VCPU: { total: 2 }, CUSTOM: undefined });
  const candidates = async (resources: string) => Object.keys((await call('GET', `/allocation_candidates?resources=${resources}`)).json.provider_summaries);
  assert.ok((await candidates('VCPU:2')).includes(id));
  const consumer = uuid();
  assert.equal((await claim(id, { VCPU: 2 }, consumer)).status, 204);
  assert.ok(!(await candidates('VCPU:1')).includes(id));
  assert.equal((await claim(id, { VCPU: 1 }, consumer)).status, 204);
  assert.ok((await candidates('VCPU:1')).includes(id));
  assert.equal((await call('DELETE', `/allocations/${consumer}`)).status, 204);
  assert.equal((await call('DELETE', `/allocations/${consumer}`)).status, 404);
  assert.equal((await call('GET', '/allocation_candidates?resources=VCPU')).status, 400);
});

test('resource classes and traits of one\'s own', async () => {
  assert.equal((await call('PUT', '/resource_classes/CUSTOM_GPU')).status, 201);
  assert.equal((await call('PUT', '/resource_classes/CUSTOM_GPU')).status, 204);
  assert.equal((await call('PUT', '/resource_classes/GPU')).status, 400);
  assert.equal((await call('DELETE', '/resource_classes/VCPU')).status, 400);
  const id = await provider('four', { CUSTOM_GPU: { total: 1 } });
  assert.equal((await call('DELETE', '/resource_classes/CUSTOM_GPU')).status, 409);
  assert.equal((await call('PUT', '/traits/CUSTOM_FAST')).status, 201);
  const traits = { traits: ['CUSTOM_FAST'], resource_provider_generation: 1 };
  assert.deepEqual((await call('PUT', `/resource_providers/${id}/traits`, traits)).json, { traits: ['CUSTOM_FAST'], resource_provider_generation: 2 });
  assert.equal((await call('DELETE', '/traits/CUSTOM_FAST')).status, 409);
});

test('older versions have their own shapes, and no later calls', async () => {
  const id = await provider('five');
  assert.equal((await call('GET', '/allocation_candidates?resources=VCPU:1', undefined, '1.9')).status, 404);
  const list = { allocations: [{ resource_provider: { uuid: id }, resources: { VCPU: 1 } }] };
  assert.equal((await call('PUT', `/allocations/${uuid()}`, list, '1.7')).status, 204);
  assert.equal((await call('PUT', `/allocations/${uuid()}`, list, '1.8')).status, 400);
  assert.equal((await call('GET', '/resource_providers', undefined, '1.99')).status, 406);
});
