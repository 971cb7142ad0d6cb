import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { containerConfig } from '../../../src/agents/compute/drivers/docker/container-config.ts';
import type { GuestSpec } from '../../../src/agents/compute/protocol.ts';
import { isFault } from '../../../src/kernel/fault.ts';
import { checkFlavorWord, flavorOptions } from '../../../src/services/compute/model/flavor-words.ts';
import { guestCommand, guestEnvironment } from '../../../src/services/compute/model/guest-command.ts';
import { checkWords, guestOptions } from '../../../src/services/compute/model/guest-words.ts';

const options = (metadata: Record<string, string>, properties: Record<string, string> = {}, system = false) => guestOptions(metadata, { image_id: 'i', properties, system });
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (isFault(error) && error.status === 400) return error.message;
    throw error;
  }
  return assert.fail('it was not refused');
};

describe('words of containers', () => {
  test('each becomes what it says', () => {
    const said = options({
      'docker:entrypoint': '["tini","--"]', 'docker:workdir': '/srv', 'docker:user': 'www-data:www-data', 'docker:tty': 'yes', 'docker:init': 'false', 'docker:read_only': '1',
      'docker:stop_signal': 'SIGINT', 'docker:stop_timeout': '5', 'docker:restart': 'on-failure:3', 'docker:tmpfs': '/cache:size=64m,mode=1777 /tmp',
      'docker:ulimit.nofile': '1024:4096', 'label.com.example.team': 'a', 'docker:health.cmd': 'curl -f http://localhost', 'docker:health.interval': '1m30s', 'docker:health.retries': '5', plain: 'x',
    });
    assert.deepEqual(said, {
      entrypoint: ['tini', '--'], working_dir: '/srv', user: 'www-data:www-data', tty: true, init: false, read_only: true, stop_signal: 'SIGINT', stop_timeout: 5,
      restart: { name: 'on-failure', most: 3 }, tmpfs: { '/cache': 'nosuid,nodev,size=64m,mode=1777', '/tmp': 'nosuid,nodev' }, ulimits: [{ name: 'nofile', soft: 1024, hard: 4096 }],
      labels: { 'com.example.team': 'a' },
      health: { test: ['CMD-SHELL', 'curl -f http://localhost'], interval_ms: 90_000, timeout_ms: 30_000, start_period_ms: 0, retries: 5 },
    });
  });

  test('applications are restarted unless they are stopped; a system is as its machine would be', () => {
    assert.deepEqual(options({}), { restart: { name: 'unless-stopped', most: 0 } });
    assert.deepEqual(options({}, {}, true), { restart: { name: 'no', most: 0 } });
    assert.deepEqual(options({ 'docker:restart': 'always' }, {}, true).restart, { name: 'always', most: 0 });
    for (const key of ['docker:entrypoint', 'docker:cmd', 'docker:tty', 'docker:health.cmd']) assert.match(refusal(() => options({ [key]: '["x"]' }, {}, true)), /starts its own init/);
  });

  test('an image says the same by its properties, a server counts more, and what an image says wrongly is its fault', () => {
    const properties = { 'docker:workdir': '/app', 'docker:user': 'app', 'docker:ref': 'x', 'label.a': '1', 'label.b': '1' };
    const said = options({ 'docker:user': 'root', 'label.b': '2' }, properties);
    assert.deepEqual([said.working_dir, said.user, said.labels], ['/app', 'root', { a: '1', b: '2' }]);
    assert.match(refusal(() => options({}, { 'docker:user': 'a b' })), /^Image i is unacceptable: its property "docker:user" must be a user/);
    assert.equal(options({ 'docker:user': 'root' }, { 'docker:user': 'a b' }).user, 'root');
    assert.match(refusal(() => guestCommand({}, { image_id: 'i', properties: { os_command_line: '"open' } })), /Image i is unacceptable/);
    assert.deepEqual(guestCommand({}, { image_id: 'i', properties: { os_command_line: 'sh -c "a b"' } }), ['sh', '-c', 'a b']);
    assert.deepEqual(guestEnvironment({ 'env.A': '1', other: 'x', 'label.l': 'x' }, { 'docker:metadata_as_env': 'all', 'docker:env.A': '0', 'docker:env.B': '2' }), { A: '1', B: '2', other: 'x' });
  });

  const bad: [string, string, RegExp][] = [
    ['docker:privileged', 'true', /for flavors only/], ['docker:cap_add', 'SYS_ADMIN', /for flavors only/], ['docker:runtime', 'runc', /for flavors only/], ['docker:pids', '9', /for flavors only/],
    ['docker:devices', '/dev/sda', /for flavors only/], ['docker:nonsense', 'x', /is nothing that servers know/], ['docker:cmd', 'sleep 5', /JSON array/], ['docker:entrypoint', '[]', /JSON array/],
    ['docker:workdir', 'srv', /absolute/], ['docker:workdir', '/a/../b', /absolute/], ['docker:user', 'a b', /a user/], ['docker:tty', 'maybe', /true/], ['docker:stop_signal', 'KILL -9', /a signal/],
    ['docker:stop_timeout', '-1', /from 0 to 600/], ['docker:stop_timeout', '601', /from 0 to 600/], ['docker:restart', 'sometimes', /must be "no"/], ['docker:restart', 'always:3', /must be "no"/],
    ['docker:health.interval', '5s', /needs docker:health.cmd/], ['docker:tmpfs', '/run', /cannot have \/run/], ['docker:tmpfs', '/run/', /cannot have \/run/], ['docker:tmpfs', '/proc/x', /cannot have/],
    ['docker:tmpfs', '/a:suid', /does not take the option "suid"/], ['docker:tmpfs', '/a:dev', /does not take/], ['docker:tmpfs', 'cache', /absolute/], ['docker:tmpfs', '/a/./../run', /absolute/],
    ['docker:ulimit.rtprio', '99', /is no limit/], ['docker:ulimit.nofile', '9:1', /above the hard/], ['docker:ulimit.nofile', '-1', /from 0/], ['docker:ulimit.nofile', '99999999', /from 0/],
    ['docker:ssh', 'maybe', /"yes" or "no"/], ['label.gantry.cloud', 'x', /of the cloud itself/], ['label.', 'x', /names no label/], ['env.', 'x', /names no variable/],
  ];
  for (const [key, value, why] of bad) {
    test(`${key}=${value} is refused by name`, () => {
      const message = refusal(() => (key === 'docker:cmd' ? guestCommand({ [key]: value }, { image_id: 'i', properties: {} }) : options({ [key]: value })));
      assert.match(message, why);
      assert.ok(message.includes(`"${key}"`), message);
    });
  }

  test('what was made can be asked for again, and what cannot be is not taken into metadata', () => {
    checkWords({ 'docker:restart': 'no', anything: 'x' });
    refusal(() => checkWords({ 'docker:restart': 'x' }));
  });
});

test('extra specs of flavors reach further, and say so when they are wrong', () => {
  assert.deepEqual(flavorOptions({ 'docker:privileged': 'true', 'docker:cap_add': 'cap_net_admin, SYS_PTRACE', 'docker:pids': '10', 'docker:runtime': 'runsc', 'quota:cpu_shares': '512', 'quota:cpu_quota': '50000', 'quota:disk_total_iops_sec': '100', 'quota:disk_read_iops_sec': '50', 'hw:cpu_policy': 'shared' }), {
    privileged: true, cap_add: ['NET_ADMIN', 'SYS_PTRACE'], pids: 10, runtime: 'runsc', cpu_shares: 512, cpu_quota: 50_000, disk_rates: { read_iops: 50, write_iops: 100 },
  });
  assert.deepEqual(flavorOptions({ 'docker:privileged': 'no', 'docker:runtime': 'runc', 'quota:disk_read_bytes_sec': '0' }), {});
  for (const [key, value] of [['docker:cap_add', 'ALL'], ['docker:runtime', 'other'], ['docker:pids', '0'], ['docker:privileged', 'x'], ['quota:cpu_shares', '1'], ['quota:cpu_period', 'x']] as const) {
    assert.match(refusal(() => flavorOptions({ [key]: value })), new RegExp(`^Invalid extra spec: "${key}"`));
  }
  assert.match(refusal(() => checkFlavorWord('docker:unknown', 'x')), /nothing that flavors know/);
});

const spec = (over: Partial<GuestSpec>): GuestSpec => ({
  server_id: 's', name: 'n', hostname: 'h', project_id: 'p', user_id: 'u', flavor_name: 'f', image: { id: 'i', digest: 'd'.repeat(64), size: 1, container_format: 'docker', disk_format: 'raw' },
  limits: { vcpus: 1, memory_mb: 64, swap_mb: 0, disk_gb: 1, pids: 10 }, command: null, environment: {}, files: [], ssh_keys: [], dns: { servers: [], search: [] }, metadata: {},
  network: { generation: 1, networks: [], ports: [], security_groups: [], group_members: [], peers: [] }, ...over,
});

test('whatever a tenant says of a container, its isolation is the same', () => {
  const guarded = ['NetworkMode', 'Runtime', 'Memory', 'MemorySwap', 'CpuPeriod', 'CpuQuota', 'CpuShares', 'PidsLimit', 'CapDrop', 'CapAdd', 'SecurityOpt', 'Privileged', 'IpcMode', 'CgroupnsMode', 'MaskedPaths', 'RestartPolicy', 'Binds', 'Devices'];
  const host = (over: Partial<GuestSpec>) => (containerConfig(spec(over), 'c') as { HostConfig: Record<string, unknown> }).HostConfig;
  const plain = host({});
  const keys = ['docker:entrypoint', 'docker:workdir', 'docker:user', 'docker:tty', 'docker:init', 'docker:read_only', 'docker:stop_signal', 'docker:stop_timeout', 'docker:restart', 'docker:tmpfs', 'docker:privileged', 'docker:cap_add', 'docker:ulimit.nofile', 'label.gantry.cloud', 'label.x'];
  const values = fc.constantFrom('true', '["x"]', '/run', '/srv', 'ALL', 'always', 'SIGKILL', '5', '/sys:rw', 'root', '/a:exec', '99999999999');
  fc.assert(fc.property(fc.dictionary(fc.constantFrom(...keys), values), (metadata) => {
    let said;
    try {
      said = options(metadata);
    } catch (error) {
      assert.ok(isFault(error) && error.status === 400);
      return;
    }
    const made = host({ options: said });
    for (const key of guarded) assert.deepEqual(made[key], plain[key], key);
    const { Labels } = containerConfig(spec({ options: said }), 'c') as { Labels: Record<string, string> };
    assert.equal(Labels['gantry.cloud'], 'c');
  }));
});

test('a server may keep port 22 for itself', () => {
  checkWords({ 'docker:ssh': 'no' });
});
