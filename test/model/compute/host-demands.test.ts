import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostResources } from '../../../src/agents/compute/protocol.ts';
import { type Demands, demandObjection, type HostFacts, matchesSpec, withOwnResources } from '../../../src/services/compute/model/host-demands.ts';
import { chooseHosts, type HostView, type ScheduleRequest } from '../../../src/services/compute/model/scheduler.ts';
import { reportableTraits, traitsOf } from '../../../src/services/compute/model/host-traits.ts';
import { STANDARD_TRAITS } from '../../../src/services/placement/model/resource-classes.ts';

const host = (over: Partial<HostFacts> = {}): HostFacts => ({ aggregates: [], traits: [], resources: { host_ip: '10.1.2.3', hypervisor_type: 'docker', vcpus: 8, cpu_info: { arch: 'x86_64' } } as unknown as HostResources, ...over });
const asks = (over: Partial<Demands> = {}): Demands => ({ project_id: 'p', extra_specs: {}, image_properties: {}, near: undefined, ...over });
const objects = (facts: Partial<HostFacts>, demands: Partial<Demands>): string | undefined => demandObjection(host(facts), asks(demands));

test('traits that a flavor or an image requires or forbids', () => {
  assert.equal(objects({ traits: ['CUSTOM_GPU'] }, { extra_specs: { 'trait:CUSTOM_GPU': 'required' } }), undefined);
  assert.equal(objects({}, { extra_specs: { 'trait:CUSTOM_GPU': 'required' } }), 'lacks the trait CUSTOM_GPU');
  assert.equal(objects({}, { image_properties: { 'trait:CUSTOM_GPU': 'required' } }), 'lacks the trait CUSTOM_GPU');
  assert.equal(objects({ traits: ['CUSTOM_OLD'] }, { extra_specs: { 'trait:CUSTOM_OLD': 'forbidden' } }), 'has the forbidden trait CUSTOM_OLD');
  const kept = { aggregates: [{ 'trait:CUSTOM_LICENSED': 'required' }], traits: ['CUSTOM_LICENSED'] };
  assert.equal(objects(kept, {}), 'its aggregate is kept for servers that require CUSTOM_LICENSED');
  assert.equal(objects(kept, { extra_specs: { 'trait:CUSTOM_LICENSED': 'required' } }), undefined);
});

test('aggregates that are kept for projects, images, or flavors', () => {
  assert.equal(objects({ aggregates: [{ filter_tenant_id: 'a,b' }] }, { project_id: 'p' }), 'its aggregate is kept for other projects');
  assert.equal(objects({ aggregates: [{ filter_tenant_id: 'a' }, { filter_tenant_id_2: 'p' }] }, { project_id: 'p' }), undefined);
  assert.equal(objects({ aggregates: [{ os_distro: 'debian' }] }, { image_properties: { os_distro: 'alpine' } }), 'its aggregate is kept for images with os_distro debian');
  assert.equal(objects({ aggregates: [{ os_distro: 'debian, alpine' }] }, { image_properties: { os_distro: 'alpine' } }), undefined);
  assert.equal(objects({ aggregates: [{ os_distro: 'debian' }] }, {}), undefined, 'an image that says nothing may go anywhere');
  const fast = { extra_specs: { 'aggregate_instance_extra_specs:disk': '<or> nvme <or> ssd' } };
  assert.equal(objects({ aggregates: [{ disk: 'ssd' }] }, fast), undefined);
  assert.match(objects({ aggregates: [{ disk: 'hdd' }] }, fast)!, /no aggregate of it has disk/);
});

test('architecture, capabilities and distance', () => {
  assert.equal(objects({}, { image_properties: { hw_architecture: 'amd64' } }), undefined);
  assert.match(objects({}, { image_properties: { architecture: 'aarch64' } })!, /its architecture is x86_64/);
  assert.equal(objects({}, { extra_specs: { 'capabilities:hypervisor_type': 'docker', 'capabilities:vcpus': '>= 8', 'capabilities:cpu_info:arch': 's== x86_64' } }), undefined);
  assert.match(objects({}, { extra_specs: { 'capabilities:vcpus': '>= 9' } })!, /its capability vcpus is 8/);
  assert.equal(objects({}, { near: { ip: '10.1.2.200', prefix: 24 } }), undefined);
  assert.match(objects({}, { near: { ip: '10.1.3.1', prefix: 24 } })!, /not within/);
});

test("nova's operators", () => {
  const cases: [string, string, boolean][] = [
    ['4', '= 3', true], ['4', '== 3', false], ['4', '<= 3', false], ['b', 's> a', true], ['abc', '<in> bc', true], ['abc', '<all-in> a c', true], ['x', '<or> y <or> x', true], ['x', 'x', true], ['x', 'y', false],
  ];
  for (const [value, wanted, held] of cases) assert.equal(matchesSpec(value, wanted), held, `${value} ${wanted}`);
});

test('a flavor may ask for other resources than its numbers say', () => {
  assert.deepEqual(withOwnResources({ VCPU: 2, MEMORY_MB: 512, DISK_GB: 0 }, { 'resources:VCPU': '0', 'resources:CUSTOM_LICENCE': '1', 'resources1:CUSTOM_LICENCE': '2', other: 'x' }), { MEMORY_MB: 512, CUSTOM_LICENCE: 3 });
});

test('a node that has just failed comes last, and soft groups outweigh an even spread', () => {
  const views: HostView[] = ['n0', 'n1', 'n2'].map((node_id, at) => ({ node_id, host: node_id, zone: 'a', usable: true, building: 0, failures: at === 0 ? 1 : 0 }));
  const free = [{ node_id: 'n0', free_ram_mb: 900 }, { node_id: 'n1', free_ram_mb: 500 }, { node_id: 'n2', free_ram_mb: 100 }];
  const any: ScheduleRequest = { server_id: 's', zone: null, host: null, excluded: [], group: undefined, same_host: undefined, different_host: undefined };
  assert.deepEqual(chooseHosts(free, views, any), ['n1', 'n2', 'n0']);
  const group = { policy: 'soft-affinity', members: new Map([['n2', 1]]), max_per_host: 1 };
  assert.equal(chooseHosts(free, views, { ...any, group })[0], 'n2');
});

test('parts of a machine that containers lack are said to be lacking, by flavor and by image', () => {
  assert.match(objects({}, { extra_specs: { 'hw:mem_encryption': 'True' } })!, /no encrypted memory/);
  assert.match(objects({}, { image_properties: { hw_firmware_type: 'uefi' } })!, /no UEFI firmware/);
  assert.match(objects({}, { image_properties: { hw_tpm_version: '2.0' } })!, /trusted platform module/);
  assert.equal(objects({}, { image_properties: { hw_firmware_type: 'bios', hw_mem_encryption: 'False', os_secure_boot: 'disabled' } }), undefined);
});

test("a host's processors and abilities are traits", () => {
  const traits = traitsOf({ cpu_info: { arch: 'x86_64', model: '', vendor: '', features: ['avx', 'pni', 'nosuch'], topology: { cores: 2, threads: 2, sockets: 1 } } });
  for (const name of ['COMPUTE_NODE', 'HW_ARCH_X86_64', 'HW_CPU_X86_AVX', 'HW_CPU_X86_SSE3', 'HW_CPU_HYPERTHREADING']) assert.ok(traits.includes(name), name);
  assert.ok(traits.every((name) => reportableTraits.includes(name) && STANDARD_TRAITS.includes(name)), traits.join());
});
