import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createEngine, type Engine } from '../../../src/agents/compute/drivers/docker/engine.ts';
import { compareApi, negotiate, versionNumber } from '../../../src/agents/compute/drivers/docker/engine-version.ts';
import { reasonOf, toFault } from '../../../src/agents/compute/drivers/docker/faults.ts';
import { EngineError } from '../../../src/agents/compute/drivers/docker/engine-error.ts';
import { createFrameReader, createTail } from '../../../src/agents/compute/drivers/docker/frames.ts';
import { describeState } from '../../../src/agents/compute/drivers/docker/guests.ts';
import type { ContainerState } from '../../../src/agents/compute/drivers/docker/engine-types.ts';
import { containerConfig } from '../../../src/agents/compute/drivers/docker/container-config.ts';
import { parseCpus, parseMemory } from '../../../src/agents/compute/host.ts';

let dir: string;
let server: Server;
let engine: Engine;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const seen: string[] = [];

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gantry-engine-'));
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (request.url === '/version') response.end(JSON.stringify({ ApiVersion: '1.43', MinAPIVersion: '1.12' }));
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  engine = createEngine({ socket_path: join(dir, 's'), timeout_ms: 300 });
});
after(() => {
  engine.close();
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true });
});

test('the version is the lesser of both newest, and 1.41 the least', () => {
  assert.equal(negotiate({ ApiVersion: '1.41', MinAPIVersion: '1.12' }), '1.41');
  assert.equal(negotiate({ ApiVersion: '1.99', MinAPIVersion: '1.44' }), '1.51');
  assert.throws(() => negotiate({ ApiVersion: '1.40' }), { code: 'compute.engine-version', message: /1\.40/ });
  assert.throws(() => negotiate({ ApiVersion: '1.99', MinAPIVersion: '1.60' }), { code: 'compute.engine-version', message: /1\.60/ });
  assert.equal(compareApi('1.9', '1.10') < 0, true);
  assert.deepEqual(['20.10.24+dfsg1', '28.2.2', '29.0.0-rc.1'].map(versionNumber), [20_010_024, 28_002_002, 29_000_000]);
});

test('every call carries the negotiated version, asked once', async () => {
  answer = (_request, response) => response.end('{"a":1}');
  assert.deepEqual(await engine.json('GET', '/x', { query: { all: 1 } }), { a: 1 });
  await engine.json('GET', '/y');
  assert.deepEqual(seen, ['GET /version', 'GET /v1.43/x?all=1', 'GET /v1.43/y']);
});

test('refusals carry status and text, also of a body that is not JSON', async () => {
  answer = (_request, response) => response.writeHead(409).end('{"message":"taken"}');
  await assert.rejects(engine.json('POST', '/x'), { name: 'EngineError', reason: 'refused', status: 409, message: 'taken' });
  answer = (_request, response) => response.writeHead(500).end('oops');
  await assert.rejects(engine.stream('GET', '/x'), { status: 500, message: 'oops' });
});

test('silence, before and within an answer, ends in a timeout', async () => {
  answer = () => {};
  await assert.rejects(engine.json('GET', '/x'), { reason: 'timeout' });
  answer = (_request, response) => void response.writeHead(200).write('{');
  await assert.rejects(engine.json('GET', '/x'), { reason: 'timeout' });
});

test('an engine that is not there is unreachable', async () => {
  const nowhere = createEngine({ socket_path: join(dir, 'nowhere') });
  await assert.rejects(nowhere.json('GET', '/x'), { reason: 'unreachable', status: 0 });
  nowhere.close();
});

test('a connection that died while idle is not held against the engine', async () => {
  answer = (_request, response) => response.end('{}');
  await engine.json('GET', '/x');
  server.closeAllConnections();
  await engine.json('GET', '/x');
});

test('a body that breaks off is never sent as a whole', async () => {
  const ended = Promise.withResolvers<boolean>();
  answer = (request) => {
    request.resume();
    request.on('error', () => ended.resolve(false));
    request.on('end', () => ended.resolve(true));
  };
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from('begin');
    throw new Error('the source broke');
  }
  await assert.rejects(engine.json('POST', '/load', { stream: Readable.from(broken(), { objectMode: false }) }), /the source broke/);
  assert.equal(await ended.promise, false);
});

test('a body that is refused half-way ends the sending and shows the reason', async () => {
  answer = (_request, response) => response.writeHead(400).end('{"message":"no thanks"}');
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(65_536);
  }
  await assert.rejects(engine.json('POST', '/load', { stream: Readable.from(endless(), { objectMode: false }) }), { name: 'EngineError' });
});

test('a source that is stuck does not hold up a refusal', async () => {
  answer = (request, response) => void request.once('data', () => response.writeHead(507).end('{"message":"full"}'));
  async function* stuck(): AsyncGenerator<Buffer> {
    yield Buffer.from('begin');
    await new Promise(() => {});
  }
  await assert.rejects(engine.json('POST', '/load', { stream: Readable.from(stuck(), { objectMode: false }), timeout_ms: 60_000 }), { status: 507, message: 'full' });
});

test('log frames come out whole and in order, however they are cut', () => {
  const frame = fc.record({ stream: fc.constantFrom(1, 2), payload: fc.uint8Array({ maxLength: 300 }) });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 10 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(({ stream, payload }) => {
        const head = Buffer.alloc(8);
        head[0] = stream;
        head.writeUInt32BE(payload.length, 4);
        return Buffer.concat([head, payload]);
      }));
      const reader = createFrameReader();
      const out: Buffer[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = cuts[turn % cuts.length]!;
        out.push(...reader.push(bytes.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(Buffer.concat(out), Buffer.concat(frames.map((one) => one.payload)));
    }),
  );
});

test('the tail keeps the last bytes and begins at a character', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), fc.integer({ min: 4, max: 64 }), (texts, limit) => {
      const tail = createTail(limit);
      for (const text of texts) tail.push(Buffer.from(text));
      const all = Buffer.from(texts.join(''));
      const out = Buffer.from(tail.text());
      assert.equal(all.subarray(all.length - out.length).equals(out), true);
      assert.equal(out.length <= limit && out.length > Math.min(all.length, limit) - 4, true);
    }),
  );
});

const exited = (change: Partial<ContainerState>): ContainerState => ({
  Status: 'exited', Running: false, Paused: false, OOMKilled: false, Dead: false, Pid: 0, ExitCode: 0, Error: '',
  StartedAt: '2026-01-01T00:00:00.5Z', FinishedAt: '2026-01-01T00:00:01Z', ...change,
});

test('an exit with a code is a crash unless it was asked for', () => {
  const state = (change: Partial<ContainerState>, note = {}): string => describeState(exited(change), note).power_state;
  assert.equal(state({}), 'shutdown');
  assert.equal(state({ ExitCode: 1 }), 'crashed');
  assert.equal(state({ ExitCode: 143 }, { stopped_run: '2026-01-01T00:00:00.5Z' }), 'shutdown');
  assert.equal(state({ ExitCode: 143 }, { stopped_run: '2025-01-01T00:00:00.5Z' }), 'crashed');
  assert.equal(state({ Status: 'paused' }), 'paused');
  const never = describeState(exited({ Status: 'created', StartedAt: '0001-01-01T00:00:00Z', FinishedAt: '0001-01-01T00:00:00Z' }), {});
  assert.deepEqual([never.power_state, never.started_at, never.finished_at, never.exit_code], ['shutdown', null, null, null]);
  assert.equal(describeState(exited({ ExitCode: 137 }), { oom_run: '2026-01-01T00:00:00.5Z' }).oom_killed, true);
});

test('engine errors become faults that a user may read', () => {
  const fault = (message: string, status = 500): { code: string; message: string; status: number } => toFault(new EngineError('refused', status, message), 'compute.start-failed', 'start the server');
  const start = fault('failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown');
  assert.deepEqual([start.code, start.message], ['compute.start-failed', 'Could not start the server: exec: "nope": executable file not found in $PATH.']);
  assert.equal(fault('write /var/lib/docker/tmp/x: no space left on device').code, 'compute.disk-full');
  assert.equal(fault('Unknown runtime specified gantry', 400).code, 'compute.runtime-missing');
  assert.equal(reasonOf('open /var/lib/docker/overlay2/abc/merged: permission denied').includes('/var/lib'), false);
  assert.equal(toFault(new EngineError('unreachable', 0, 'connect ECONNREFUSED /x'), 'c', 'start').code, 'compute.engine-unavailable');
  for (const words of ['transport is closing: unavailable', 'rpc error: code = Unavailable', 'connection error: desc = "transport: Error while dialing"']) {
    const fault = toFault(new EngineError('refused', 500, words), 'c', 'start the server');
    assert.deepEqual([fault.code, fault.message], ['compute.engine-unavailable', "Could not start the server: a part of the node's Docker engine does not answer."]);
  }
  assert.equal(toFault(new Error('secret'), 'compute.start-failed', 'start').message.includes('secret'), false);
});

test('a container never gets more rights than the design allows', () => {
  const spec = {
    server_id: 's', name: 'n', hostname: 'My Web_Server!', project_id: 'p', user_id: 'u', flavor_name: 'f',
    image: { id: 'A', digest: 'd'.repeat(64), size: 1, container_format: 'docker', disk_format: 'raw' },
    limits: { vcpus: 64, memory_mb: 1, swap_mb: 2, disk_gb: 1, pids: 5 },
    command: null, environment: { A: 'b=c' }, files: [], ssh_keys: [], dns: { servers: [], search: [] }, metadata: { privileged: 'true' },
    network: { generation: 1, networks: [], ports: [], security_groups: [], group_members: [], peers: [] },
  };
  const config = containerConfig(spec, 'cloud') as { HostConfig: Record<string, unknown>; Hostname: string; Env: string[]; Healthcheck: object };
  const host = config.HostConfig;
  assert.equal(config.Hostname, 'My-Web-Server');
  assert.deepEqual(config.Env, ['A=b=c']);
  assert.equal(host['Privileged'], false);
  assert.deepEqual(host['CapDrop'], ['ALL']);
  for (const cap of ['NET_ADMIN', 'SYS_ADMIN', 'MKNOD', 'SYS_PTRACE', 'SYS_MODULE', 'ALL']) assert.equal((host['CapAdd'] as string[]).includes(cap), false, cap);
  assert.deepEqual(host['SecurityOpt'], ['no-new-privileges']);
  assert.deepEqual(config.Healthcheck, { Test: ['NONE'] });
  assert.equal(host['CgroupnsMode'], 'private');
  for (const path of ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware', '/sys/devices/virtual/powercap']) assert.ok((host['MaskedPaths'] as string[]).includes(path), path);
  assert.equal('Binds' in host || 'Mounts' in host || 'Devices' in host, false);
  assert.deepEqual([host['CpuQuota'], host['Memory'], host['MemorySwap'], host['PidsLimit']], [6_400_000, 6 * 2 ** 20, 8 * 2 ** 20, 5]);
  assert.throws(() => containerConfig({ ...spec, environment: { 'A=B': 'c' } }, 'cloud'), { code: 'compute.environment-invalid' });
});

test('the figures of a host are read from the kernel text', () => {
  assert.deepEqual(parseMemory('MemTotal:       2048000 kB\nMemFree: 1 kB\nMemAvailable:   1024000 kB\n'), { total_mb: 2000, used_mb: 1000 });
  const cpu = (n: number): string => `processor\t: ${n}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nphysical id\t: ${n >> 2}\ncpu cores\t: 2\nflags\t\t: fpu sse2\n`;
  const { vcpus, cpu_info } = parseCpus(Array.from({ length: 8 }, (_, n) => cpu(n)).join('\n'), 'x86_64');
  assert.deepEqual([vcpus, cpu_info.vendor, cpu_info.features, cpu_info.topology], [8, 'GenuineIntel', ['fpu', 'sse2'], { cores: 2, threads: 2, sockets: 2 }]);
});
