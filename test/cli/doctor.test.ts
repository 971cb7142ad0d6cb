import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding, Subject } from '../../src/cli/doctor/check.ts';
import { checkDocker, checkLeftovers, checkPackages, checkSubnets, cidrsOverlap } from '../../src/cli/doctor/cloud-checks.ts';
import { examine, formatFindings } from '../../src/cli/doctor/doctor.ts';
import { checkCheckout, checkClock, checkDataDir, checkDisk, checkHost, checkKernel, checkMemory, checkPort } from '../../src/cli/doctor/host-checks.ts';
import { hostProbes } from '../../src/cli/doctor/probes.ts';
import type { EngineInfo, Probes } from '../../src/cli/doctor/probes.ts';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

const GIB = 1024 ** 3;
const engine: EngineInfo = { version: '20.10.24', api_version: '1.41', cgroup_version: '2', storage_driver: 'overlay2', runtimes: { gantry: { path: '/x' } }, warnings: [] };

/** A host on which all is well. */
function host(changes: Partial<Probes> = {}): Probes {
  return {
    platform: () => ({ os: 'linux', arch: 'x64', node: '24.1.0' }),
    uid: () => 0,
    now: () => new Date('2030-01-01T00:00:00Z'),
    readText: (path) => (path === '/proc/filesystems' ? 'nodev\toverlay\n' : undefined),
    list: () => [],
    stat: () => ({ mode: 0o40755, uid: 0, mtime: new Date('2029-01-01T00:00:00Z') }),
    which: (program) => `/usr/bin/${program}`,
    run: () => ({ status: 0, stdout: '[]', stderr: '' }),
    memory: () => ({ available_bytes: 8 * GIB }),
    diskFree: () => 50 * GIB,
    cpus: () => 4,
    addresses: () => ['127.0.0.1', '192.0.2.2'],
    portHolder: () => undefined,
    engine: async () => engine,
    containers: async () => [],
    ...changes,
  };
}

const subject: Subject = {
  name: 'gantry', subnets: { public: '10.10.1.0/24', private: '172.16.0.0/24' }, data_dir: '/var/lib/gantry', host: '127.0.0.1', port: 5000, docker_socket: '/var/run/docker.sock', runtime: 'gantry',
  controller_uid: 64055, checkout: '/opt/gantry', may_install: true, own_pids: [], exists: false,
};

async function only(findings: Finding[] | Promise<Finding[]>): Promise<Finding> {
  const [finding, ...others] = await findings;
  assert.ok(finding !== undefined);
  assert.deepEqual(others, []);
  return finding;
}

test('a good host has nothing to complain of, and every id is there once', async () => {
  const findings = await examine(host(), subject);
  assert.deepEqual(findings.filter((finding) => finding.level !== 'ok'), []);
  const ids = findings.map((finding) => finding.id);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^GY-[A-Z]+-\d{3}$/);
});

test('whatever is not well has a cause and a fix', async () => {
  const bad = host({
    uid: () => 1000, which: () => undefined, run: () => ({ status: 1, stdout: '', stderr: 'no\nmore' }), memory: () => ({ available_bytes: 1 }), diskFree: () => 1,
    portHolder: (_, port) => (port === 5000 ? { pid: 7, program: 'nginx' } : undefined), engine: async () => ({ error: 'connect ENOENT' }), list: () => ['gantry-x'],
    platform: () => ({ os: 'linux', arch: 'x64', node: '20.0.0' }), now: () => new Date('2001-01-01'), readText: () => undefined,
  });
  const findings = await examine(bad, subject);
  const unwell = findings.filter((finding) => finding.level !== 'ok');
  assert.ok(unwell.length >= 9, JSON.stringify(unwell));
  for (const finding of unwell) assert.ok(finding.cause && finding.fix, finding.id);
  const lines = formatFindings(findings);
  assert.ok(lines.some((line) => line.startsWith('✖ GY-PORT-001')), lines.join('\n'));
});

test('another system than Linux gets one answer', async () => {
  const finding = await only(examine(host({ platform: () => ({ os: 'darwin', arch: 'arm64', node: '24.0.0' }) }), subject));
  assert.equal(finding.id, 'GY-OS-001');
  assert.equal(finding.level, 'fail');
});

test('a port in use names process and program, and offers a free port', async () => {
  const taken = host({ portHolder: (_, port) => (port <= 5001 ? { pid: 42, program: 'registry' } : undefined) });
  const finding = await only(checkPort(taken, subject));
  assert.equal(finding.level, 'fail');
  assert.match(finding.cause!, /registry \(process 42\)/);
  assert.match(finding.fix!, /--port 5002$/);
  assert.equal((await only(checkPort(taken, { ...subject, own_pids: [42] }))).level, 'ok', 'our own controller is no clash');
});

test('the real probe finds the holder of a port', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const probes = hostProbes();
    assert.equal(probes.portHolder('127.0.0.1', port)?.pid, process.pid);
    assert.equal(probes.portHolder('0.0.0.0', port)?.pid, process.pid);
    assert.equal(probes.portHolder('127.0.0.2', port), undefined);
  } finally {
    server.close();
  }
});

test('missing packages: a note when up installs them, in the way with --no-install', async () => {
  const bare = host({ which: (program) => (['nft', 'dropbear'].includes(program) ? undefined : '/x') });
  const installable = await only(checkPackages(bare, subject));
  assert.equal(installable.level, 'warn');
  assert.match(installable.title, /nftables dropbear-bin/);
  const refused = await only(checkPackages(bare, { ...subject, may_install: false }));
  assert.equal(refused.level, 'fail');
  assert.equal(refused.fix, 'apt-get install --no-install-recommends nftables dropbear-bin');
});

test('Docker: absent, too old, without our runtime, without limits', async () => {
  const with_ = (changes: Partial<EngineInfo>): Probes => host({ engine: async () => ({ ...engine, ...changes }) });
  const level = async (probes: Probes, id: string): Promise<string | undefined> => (await checkDocker(probes, subject)).find((finding) => finding.id === id)?.level;
  assert.equal(await level(host({ engine: async () => ({ error: 'connect ENOENT /var/run/docker.sock' }) }), 'GY-DOCKER-001'), 'warn');
  assert.equal(await level(host({ engine: async () => ({ error: 'connect EACCES /var/run/docker.sock' }) }), 'GY-DOCKER-001'), 'fail');
  assert.equal(await level(with_({ api_version: '1.40' }), 'GY-DOCKER-002'), 'fail');
  assert.equal(await level(with_({ api_version: '1.51' }), 'GY-DOCKER-002'), 'ok');
  assert.equal(await level(with_({ runtimes: {} }), 'GY-DOCKER-003'), 'warn');
  assert.equal(await level(with_({ warnings: ['WARNING: No pids limit support'] }), 'GY-DOCKER-004'), 'warn');
});

test('kernel features are told one by one', async () => {
  const noBridge = host({ run: (_, args) => ({ status: args.at(-1)!.includes('type bridge') ? 2 : 0, stdout: '', stderr: 'Error: Unknown device type.\n' }) });
  const findings = await checkKernel(noBridge, subject);
  assert.deepEqual(findings.filter((finding) => finding.level !== 'ok').map((finding) => [finding.id, finding.cause]), [['GY-KERNEL-002', 'Error: Unknown device type.']]);
});

test('subnets: only routes that lead somewhere clash', async () => {
  const routes = (list: object[]): Probes => host({ run: () => ({ status: 0, stdout: JSON.stringify(list), stderr: '' }) });
  const levels = async (list: object[]): Promise<string[]> => (await checkSubnets(routes(list), subject)).map((finding) => finding.level);
  assert.deepEqual(await levels([{ dst: 'default', dev: 'eth0' }, { type: 'unreachable', dst: '10.10.0.0/16' }, { type: 'blackhole', dst: '172.16.0.0/12' }]), ['ok']);
  assert.deepEqual(await levels([{ dst: '10.0.0.0/8', dev: 'wg0' }]), ['fail']);
  assert.deepEqual(await levels([{ dst: '172.16.0.0/20', dev: 'br0' }]), ['warn']);
  assert.deepEqual(await levels([{ dst: '172.17.0.0/16', dev: 'docker0' }]), ['ok']);
  assert.deepEqual(await levels([{ dst: '10.10.1.0/24', dev: 'gantry-pub' }]), ['ok'], "the cloud's own leg");
});

test('a subnet that another cloud of this host has is not to be taken from it', async () => {
  const taken = host({ list: (path) => (path.endsWith('/clouds') ? ['first'] : []), run: () => ({ status: 0, stdout: JSON.stringify([{ dst: '10.10.1.0/24', dev: 'first-pub' }]), stderr: '' }) });
  const finding = await only(checkSubnets(taken, subject));
  assert.equal(finding.cause, 'the cloud named first on this host has it');
  assert.doesNotMatch(finding.fix ?? '', /route del/);
  assert.equal((await only(checkSubnets(taken, { ...subject, subnets: { ...subject.subnets, public: '10.10.2.0/24' } }))).level, 'ok');
});

test('an address that cannot be listened on', async () => {
  for (const address of ['127.0.0.1', '127.8.8.8', '0.0.0.0', '::', 'localhost', '192.0.2.2']) assert.equal((await only(checkHost(host(), { ...subject, host: address }))).level, 'ok', address);
  for (const address of ['192.0.2.77', 'garbage', '300.1.1.1', '2001:db8::1', '']) assert.equal((await only(checkHost(host(), { ...subject, host: address }))).level, 'fail', address);
});

test('overlap of CIDRs', () => {
  assert.ok(cidrsOverlap('10.10.1.0/24', '10.10.1.7'));
  assert.ok(cidrsOverlap('0.0.0.0/0', '10.10.1.0/24'));
  assert.ok(!cidrsOverlap('10.10.2.0/24', '10.10.1.0/24'));
  assert.ok(!cidrsOverlap('255.255.255.0/24', '10.10.1.0/24'));
});

test('leftovers count only while there is no cloud', async () => {
  const left = host({ list: (path) => (path === '/run/netns' ? ['gantry', 'gantry-1', 'other'] : []), containers: async () => ['gantry-abc'] });
  const finding = await only(checkLeftovers(left, subject));
  assert.equal(finding.level, 'warn');
  assert.equal(finding.cause, 'namespace gantry, namespace gantry-1, container gantry-abc');
  assert.equal((await only(checkLeftovers(left, { ...subject, exists: true }))).level, 'ok');
});

test('a cloud of this name that lives in another folder is no leftover', async () => {
  const texts: Record<string, string> = { '/usr/local/lib/gantry/clouds/gantry': '/srv/cloud\n' };
  const taken = host({ readText: (path) => texts[path], list: () => ['gantry', 'gantry-1'] });
  const finding = await only(checkLeftovers(taken, subject));
  assert.deepEqual([finding.level, finding.cause], ['fail', 'it is kept in /srv/cloud, and there can be one of a name']);
  assert.match(finding.fix ?? '', /--data-dir \/srv\/cloud/);
  const gone = await only(checkLeftovers({ ...taken, stat: () => undefined }, subject));
  assert.equal(gone.level, 'warn', 'its folder is gone: what bears its name is left over');
});

test('memory, disk and clock', async () => {
  assert.equal((await only(checkMemory(host({ memory: () => ({ available_bytes: 0.6 * GIB }) }), subject))).level, 'warn');
  assert.equal((await only(checkMemory(host({ memory: () => ({ available_bytes: 0.1 * GIB }) }), subject))).level, 'fail');
  assert.equal((await only(checkDisk(host({ diskFree: () => 2 * GIB }), subject))).level, 'warn');
  assert.equal((await only(checkClock(host({ now: () => new Date('2020-01-01') }), subject))).level, 'warn');
});

test('folders that the unprivileged controller cannot pass', async () => {
  const closed = (path: string): Probes => host({ stat: (asked) => ({ mode: asked === path ? 0o40700 : 0o40755, uid: 0, mtime: new Date(0) }) });
  const data = await only(checkDataDir(closed('/root'), { ...subject, data_dir: '/root/cloud' }));
  assert.equal(data.level, 'fail');
  assert.match(data.cause!, /^\/root /);
  assert.equal((await only(checkCheckout(closed('/opt/gantry/src'), subject))).level, 'fail');
  assert.equal((await only(checkCheckout(closed('/opt'), subject))).level, 'ok', 'a closed folder above is got round');
});
