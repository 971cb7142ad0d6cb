import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';

const WRAPPER = new URL('../../../libexec/gantry-runc', import.meta.url).pathname;
const ID = 'c0ffee';
let dir: string;
/** A runc that writes down its arguments. */
let fakeRunc: string;
const root = process.getuid?.() === 0 ? {} : { skip: 'needs root to make a network namespace' };

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'gantry-runc-'));
  fakeRunc = join(dir, 'runc');
  writeFileSync(fakeRunc, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  mkdirSync(join(dir, 'netns'));
  mkdirSync(join(dir, 'bundle'));
});
after(() => {
  for (const name of cleanups) spawnSync('ip', ['netns', 'del', name]);
  rmSync(dir, { recursive: true, force: true });
});
const cleanups: string[] = [];

function ready(): void {
  const name = `gtrunc-${process.pid}`;
  if (!cleanups.includes(name)) {
    assert.equal(spawnSync('ip', ['netns', 'add', name]).status, 0);
    cleanups.push(name);
  }
  link(`/run/netns/${name}`);
}

function link(target: string): void {
  rmSync(join(dir, 'netns', ID), { force: true });
  symlinkSync(target, join(dir, 'netns', ID));
}

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: '/usr/bin:/bin', GANTRY_RUNC: fakeRunc, GANTRY_NETNS_DIR: join(dir, 'netns'), GANTRY_CGROUP_DIR: join(dir, 'cgroup') };
  return spawnSync(WRAPPER, args, { env, encoding: 'utf8' });
}

function create(config: unknown): { status: number | null; stderr: string; config: string } {
  const file = join(dir, 'bundle', 'config.json');
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  const log = join(dir, 'log.json');
  rmSync(log, { force: true });
  const done = run('--root', '/x', '--log', log, '--log-format', 'json', 'create', '--bundle', join(dir, 'bundle'), '--pid-file', '/p', ID);
  if (done.status !== 0) assert.equal((JSON.parse(readFileSync(log, 'utf8')) as { level: string }).level, 'error');
  return { status: done.status, stderr: done.stderr, config: readFileSync(file, 'utf8') };
}

const setkey = { path: '/proc/1/exe', args: ['libnetwork-setkey', '-exec-root=/var/run/docker', ID] };
const bundle = (more: object = {}): Record<string, unknown> => ({
  ociVersion: '1.0.2',
  process: { env: ['A=1'] },
  hooks: { prestart: [setkey] },
  linux: { namespaces: [{ type: 'mount' }, { type: 'network' }, { type: 'pid' }] },
  ...more,
});

test('the network namespace is the pinned one and the hook is gone; all else stays', root, () => {
  ready();
  const done = create(bundle());
  assert.equal(done.status, 0, done.stderr);
  const expected = bundle({ hooks: { prestart: [] } });
  expected['linux'] = { namespaces: [{ type: 'mount' }, { type: 'network', path: join(dir, 'netns', ID) }, { type: 'pid' }] };
  assert.deepEqual(JSON.parse(done.config), expected);
});

test('whatever a guest writes into its configuration is carried over, never taken for structure', root, () => {
  ready();
  const traps = ['"namespaces":[{"type":"network"}]', '{"type":"network"}', '"hooks":{"prestart":[]}', 'libnetwork-setkey', '\\', '\\"', '}]', '\u2028', '\ud83d\ude00'];
  const word = fc.oneof(fc.constantFrom(...traps), fc.string());
  fc.assert(
    fc.property(fc.array(word), fc.dictionary(word, fc.jsonValue()), fc.boolean(), (env, annotations, pretty) => {
      delete (annotations as Record<string, unknown>)['__proto__'];
      const config = bundle({ annotations, process: { env } });
      const done = create(pretty ? JSON.stringify(config, null, 2) : JSON.stringify(config));
      assert.equal(done.status, 0, done.stderr);
      const expected = structuredClone(JSON.parse(JSON.stringify(config))) as ReturnType<typeof bundle>;
      expected['hooks'] = { prestart: [] };
      expected['linux'] = { namespaces: [{ type: 'mount' }, { type: 'network', path: join(dir, 'netns', ID) }, { type: 'pid' }] };
      assert.deepEqual(JSON.parse(done.config), expected);
    }),
    { numRuns: 60 },
  );
});

test('other hooks stay, and a bundle without any is fine', root, () => {
  ready();
  const other = { path: '/usr/bin/nvidia', args: ['nvidia', 'libnetwork-setkey'] };
  const kept = create(bundle({ hooks: { prestart: [other, setkey], poststop: [setkey] } }));
  assert.deepEqual((JSON.parse(kept.config) as { hooks: unknown }).hooks, { prestart: [other], poststop: [setkey] });
  for (const hooks of [undefined, null, {}, { prestart: null }, { prestart: [] }]) {
    const done = create(bundle({ hooks }));
    assert.equal(done.status, 0, done.stderr);
    assert.deepEqual((JSON.parse(done.config) as { hooks?: unknown }).hooks, hooks);
  }
});

test('a container whose network is not ready never starts', root, () => {
  rmSync(join(dir, 'netns', ID), { force: true });
  const cases: [() => void, RegExp][] = [
    [() => {}, /is not ready/],
    [() => link('/run/netns/gantry-nowhere'), /is not ready/],
    [() => link('/etc/hostname'), /is not a network namespace/],
    [() => link('/proc/self/ns/net'), /host's own/],
  ];
  for (const [arrange, reason] of cases) {
    arrange();
    const before = JSON.stringify(bundle());
    const done = create(before);
    assert.equal(done.status, 1);
    assert.match(done.stderr, reason);
    assert.equal(done.config, before);
  }
});

test('a bundle that is not as expected is refused untouched', root, () => {
  ready();
  const ns = (...namespaces: object[]): string => JSON.stringify(bundle({ linux: { namespaces } }));
  const cases: [string, RegExp][] = [
    [ns({ type: 'mount' }), /0 network namespaces/],
    [ns({ type: 'network' }, { type: 'network' }), /2 network namespaces/],
    [ns({ type: 'network', path: '/proc/9/ns/net' }), /already taken/],
    ['{"linux":{"namespaces":[{"type":"network"}]},"linux":{}}', /occurs twice/],
    ['{"linux":{"namespaces":[{"type":"network"}]},"LINUX":{"namespaces":[]}}', /occurs twice/],
    ['{"linux":{"namespaces":[{"type":"network"}]}', /does not end/],
    ['{"linux":{"namespaces":[{"type":"network"}]}} x', /after its end/],
    ['{}', /no linux section/],
    ['', /an object was expected/],
    ['[]', /an object was expected/],
  ];
  for (const [text, reason] of cases) {
    const done = create(text);
    assert.equal(done.status, 1, text);
    assert.match(done.stderr, reason);
    assert.equal(done.config, text);
  }
});

const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', 'nosuid', 'noexec', 'nodev'] };
const withMounts = (mounts: object[], cgroupsPath = `/docker/${ID}`): Record<string, unknown> => bundle({ mounts, linux: { namespaces: [{ type: 'network' }], cgroupsPath } });

function hierarchy(version: 1 | 2): string {
  const at = join(dir, 'cgroup');
  rmSync(at, { recursive: true, force: true });
  mkdirSync(version === 1 ? join(at, 'systemd') : at, { recursive: true });
  if (version === 2) writeFileSync(join(at, 'cgroup.controllers'), 'memory');
  return at;
}

test('an init of its own may write its own cgroup, an application none', root, () => {
  ready();
  const at = hierarchy(1);
  const tmpfs = { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['rw'] };
  const mountsOf = (config: Record<string, unknown>): unknown => {
    const done = create(config);
    assert.equal(done.status, 0, done.stderr);
    return (JSON.parse(done.config) as { mounts: unknown }).mounts;
  };
  for (const mounts of [[cgroup], [cgroup, { ...tmpfs, type: 'bind' }], [cgroup, { ...tmpfs, destination: '/tmp' }]]) assert.deepEqual(mountsOf(withMounts(mounts)), mounts);
  const bind = (source: string): object => ({ destination: '/sys/fs/cgroup/systemd', type: 'bind', source, options: ['bind', 'rw', 'nosuid', 'noexec', 'nodev'] });
  assert.deepEqual(mountsOf(withMounts([cgroup, tmpfs])), [cgroup, tmpfs, bind(`${at}/systemd/docker/${ID}`)]);
  assert.deepEqual(mountsOf(withMounts([tmpfs, cgroup], `system.slice:docker:${ID}`)), [tmpfs, cgroup, bind(`${at}/systemd/system.slice/docker-${ID}.scope`)]);
  hierarchy(2);
  assert.deepEqual(mountsOf(withMounts([cgroup, tmpfs])), [{ ...cgroup, options: ['rw', 'nosuid', 'noexec', 'nodev'] }, tmpfs]);
});

test('an init of its own gets no other cgroup than its own', root, () => {
  ready();
  const tmpfs = { destination: '/run', type: 'tmpfs' };
  hierarchy(1);
  for (const path of ['/docker/other', `/docker/../${ID}`, ID, '/', `a:${ID}`]) {
    const done = create(withMounts([cgroup, tmpfs], path));
    assert.equal(done.status, 1, path);
    assert.match(done.stderr, /unexpected cgroupsPath/);
  }
  assert.match(create(withMounts([tmpfs])).stderr, /no mount of .sys.fs.cgroup/);
  rmSync(join(dir, 'cgroup'), { recursive: true });
  assert.match(create(withMounts([cgroup, tmpfs])).stderr, /cannot run on this host/);
});

test('every other verb goes to runc as it came', () => {
  for (const args of [['--root', 'create', 'state', 'x'], ['--version'], ['delete', '--force', 'create'], ['exec', '--process', 'a b', 'id'], []]) {
    const done = run(...args);
    assert.equal(done.status, 0, done.stderr);
    assert.equal(done.stdout, args.length === 0 ? '\n' : `${args.join('\n')}\n`);
  }
});

test('a container with a view gets one hook more, which names its folder and its root; without one nothing is added', root, () => {
  ready();
  const view = join(dir, 'views', ID);
  mkdirSync(view, { recursive: true });
  writeFileSync(join(view, 'list'), 'bind /proc/cpuinfo\n');
  const words = [WRAPPER, 'gantry-view', view, '/where/ever'];
  for (const hooks of [undefined, null, {}, { prestart: [setkey] }, { poststop: [{ path: '/bin/true' }] }]) {
    const made = create({ ...bundle(hooks === undefined ? {} : { hooks }), root: { path: '/where/ever' } });
    assert.equal(made.status, 0, made.stderr);
    const { createContainer, ...others } = (JSON.parse(made.config) as { hooks: { createContainer: unknown; prestart?: unknown[]; poststop?: unknown[] } }).hooks;
    assert.deepEqual(createContainer, [{ path: WRAPPER, args: words }]);
    assert.deepEqual(others.poststop, (hooks as { poststop?: unknown[] } | null | undefined)?.poststop);
  }
  assert.equal(create({ ...bundle({ hooks: { createContainer: [{ path: '/bin/true' }] } }), root: { path: '/where/ever' } }).status, 1);
  rmSync(view, { recursive: true });
  const plain = create({ ...bundle(), root: { path: '/where/ever' } });
  assert.ok(!plain.config.includes('createContainer'));
});

test('volumes are added to the lists that are there, or to new ones; without any, nothing is', root, () => {
  ready();
  mkdirSync(join(dir, 'volumes'), { recursive: true });
  const device = { path: '/dev/vdb', type: 'b', major: 7, minor: 32_768 };
  const rule = { allow: true, type: 'b', major: 7, minor: 32_768, access: 'rw' };
  const mount = { destination: '/a b "c"]', type: 'ext4', source: '/dev/loop32768', options: ['nosuid'] };
  writeFileSync(join(dir, 'volumes', ID), `cloud c\ndevices ${JSON.stringify(device)}\nrules ${JSON.stringify(rule)}\nmounts ${JSON.stringify(mount)}\n`);
  const namespaces = [{ type: 'network' }];
  const old = { allow: false, access: 'rwm' };
  for (const [mounts, devices, rules] of [[[{ destination: '/proc' }], [{ path: '/dev/x' }], [old]], [[], [], []], [null, null, null], [undefined, undefined, undefined]] as const) {
    const made = create({ ...bundle({ linux: { namespaces, devices, resources: { devices: rules } } }), mounts });
    assert.equal(made.status, 0, made.stderr);
    const { mounts: mounted, linux } = JSON.parse(made.config) as { mounts: unknown; linux: { devices: unknown; resources: unknown } };
    assert.deepEqual(mounted, [...(mounts ?? []), mount]);
    assert.deepEqual(linux.devices, [...(devices ?? []), device]);
    assert.deepEqual(linux.resources, { devices: [...(rules ?? []), rule] });
  }
  assert.match(create(bundle()).stderr, /no rules for devices/, 'never a device without a rule');
  rmSync(join(dir, 'volumes'), { recursive: true });
  assert.ok(!create(bundle()).config.includes('vdb'));
});
