import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { badRequest, Fault, isFault } from '../../../src/kernel/fault.ts';
import type { ConnectedNode } from '../../../src/kernel/bus/node-link.ts';
import { house, memoryLog, until, wire, type House } from './fixtures.ts';
import type { AgentLinkOptions } from '../../../src/kernel/bus/agent-link.ts';

const fault = (status: number, code: string, retryable = false) => (error: unknown): boolean => {
  assert.ok(isFault(error), String(error));
  assert.deepEqual([error.status, error.code, error.retryable], [status, code, retryable]);
  return true;
};
const never = (): Promise<never> => new Promise(() => {});

async function joined(h: House, change: Partial<AgentLinkOptions> = {}) {
  const agent = h.agent(change);
  await until(() => h.link.isConnected(agent.node_id) && agent.connected());
  return agent;
}

test('both sides call each other and get what was answered', async (t) => {
  const h = await house(t);
  h.link.handle('whoami', (node, params) => ({ node: node.hostname, params }));
  const agent = await joined(h, { handlers: { add: ({ a, b }) => a + b, nothing: () => undefined, later: async (x) => x } });
  assert.equal(await h.link.call<number>(agent.node_id, 'add', { a: 1, b: 2 }), 3);
  assert.equal(await h.link.call(agent.node_id, 'nothing'), undefined);
  assert.deepEqual(await agent.call('whoami', ['ä\u2028\ud83d\ude00']), { node: 'a', params: ['ä\u2028\ud83d\ude00'] });
  const many = await Promise.all(Array.from({ length: 500 }, (_, n) => h.link.call(agent.node_id, 'later', n)));
  assert.deepEqual(many, Array.from({ length: 500 }, (_, n) => n));
  assert.throws(() => h.link.handle('whoami', () => 1), /has a handler already/);
});

test('faults cross the wire with status, code and message; other errors do not', async (t) => {
  const h = await house(t);
  const log = memoryLog();
  const handlers = {
    refuse: () => { throw new Fault(409, 'compute.image-in-use', 'The image is in use.', { type: 'InUse', detail: { n: 1 }, retryable: true, cause: new Error('secret') }); },
    crash: async () => { throw new Error('password in a stack'); },
    cycle: () => { const x: Record<string, unknown> = {}; x['x'] = x; return x; },
  };
  const agent = await joined(h, { handlers, log });
  await assert.rejects(h.link.call(agent.node_id, 'refuse'), (error) => {
    assert.ok(isFault(error));
    assert.deepEqual([error.status, error.code, error.message, error.type, error.detail, error.retryable, error.cause],
      [409, 'compute.image-in-use', 'The image is in use.', 'InUse', { n: 1 }, true, undefined]);
    return true;
  });
  for (const method of ['crash', 'cycle']) {
    await assert.rejects(h.link.call(agent.node_id, method), (error) => fault(500, 'bus.internal')(error) && !String(error).includes('password'));
  }
  assert.ok(log.said.some((line) => line.includes('a call over the link failed') && line.includes('"method":"crash"')));
  await assert.rejects(h.link.call(agent.node_id, 'toString'), fault(404, 'bus.no-such-method'));
  h.link.handle('bad', () => { throw badRequest('x.bad', 'Bad.'); });
  await assert.rejects(agent.call('bad'), fault(400, 'x.bad'));
  await assert.rejects(agent.call('gone'), fault(404, 'bus.no-such-method'));
});

test('a call ends by timeout, by signal, or at once when no one is there', async (t) => {
  const h = await house(t);
  const agent = await joined(h, { handlers: { never } });
  await assert.rejects(h.link.call(agent.node_id, 'never', {}, { timeout_ms: 10 }), fault(504, 'bus.timeout', true));
  const given_up = new AbortController();
  const call = h.link.call(agent.node_id, 'never', {}, { signal: given_up.signal });
  given_up.abort(new Error('enough'));
  await assert.rejects(call, /enough/);
  await assert.rejects(h.link.call(agent.node_id, 'never', {}, { signal: given_up.signal }), /enough/);
  await assert.rejects(h.link.call('6f9619ff-8b86-4d01-b42d-00cf4fc964ff', 'never'), fault(503, 'bus.node-unavailable', true));
  await agent.close();
  await assert.rejects(agent.call('x'), fault(503, 'bus.controller-unavailable', true));
  assert.equal(agent.emit('x'), false);
});

test('what is too large is refused before it is sent, and the link lives on', async (t) => {
  const h = await house(t);
  const agent = await joined(h, { handlers: { echo: (x) => x, huge: () => 'x'.repeat(65 * 1024 * 1024) } });
  const text = 'x'.repeat(20 * 1024 * 1024);
  assert.equal(await h.link.call(agent.node_id, 'echo', text), text);
  await assert.rejects(h.link.call(agent.node_id, 'echo', 'x'.repeat(64 * 1024 * 1024)), fault(413, 'bus.message-too-large'));
  await assert.rejects(h.link.call(agent.node_id, 'huge'), fault(413, 'bus.message-too-large'));
  assert.equal(await h.link.call(agent.node_id, 'echo', 1), 1);
});

test('events and changes of state reach the listeners; one that fails harms no other', async (t) => {
  const h = await house(t);
  const seen: unknown[] = [];
  h.link.onConnect(() => { throw new Error('a bad listener'); });
  h.link.onConnect((node) => void seen.push(['up', node.hostname]));
  h.link.onDisconnect((node) => void seen.push(['down', node.hostname]));
  const stop = h.link.onEvent((node, event, params) => void seen.push([event, node.hostname, params]));
  const agent = await joined(h);
  assert.equal(agent.emit('compute.changed', { n: 1 }), true);
  await until(() => seen.length === 2);
  stop();
  agent.emit('compute.changed', { n: 2 });
  await agent.close();
  await until(() => seen.length === 3);
  assert.deepEqual(seen, [['up', 'a'], ['compute.changed', 'a', { n: 1 }], ['down', 'a']]);
  assert.equal((await h.link.nodes())[0]?.state, 'down');
});

test('a node may call from its first tick on, and is called from the connect listener', async (t) => {
  const h = await house(t);
  const answers: unknown[] = [];
  h.link.onConnect((node: ConnectedNode) => void h.link.call(node.id, 'hello').then((answer) => answers.push(answer)));
  h.link.handle('inventory', (_node, params) => void answers.push(params));
  const agent = h.agent({ handlers: { hello: () => 'hi' } });
  agent.onConnect(async () => void (await agent.call('inventory', 'all')));
  await until(() => answers.length === 2);
  assert.deepEqual(answers.toSorted(), ['all', 'hi']);
});

test('resources that a node reports are kept', async (t) => {
  const h = await house(t);
  const agent = await joined(h);
  assert.equal((await h.link.node(agent.node_id))?.resources, null);
  await agent.call('node.resources', { vcpus: 2 });
  assert.deepEqual((await h.link.nodes())[0]?.resources, { vcpus: 2 });
  await assert.rejects(agent.call('node.resources', 7), fault(400, 'bus.bad-resources'));
});

test('when the same node connects twice, the newer link stays', async (t) => {
  const h = await house(t);
  const older = await joined(h, { handlers: { which: () => 'older', never }, backoff: { min_ms: 60_000, max_ms: 60_000 } });
  const lost = assert.rejects(h.link.call(older.node_id, 'never'), fault(503, 'bus.node-unavailable', true));
  const states: string[] = [];
  h.link.onConnect(() => void states.push('up'));
  h.link.onDisconnect(() => void states.push('down'));
  const newer = h.agent({ handlers: { which: () => 'newer' } });
  await lost;
  await until(() => newer.connected() && !older.connected());
  assert.deepEqual(states, ['down', 'up']);
  assert.equal(await h.link.call(older.node_id, 'which'), 'newer');
  assert.equal((await h.link.nodes()).length, 1);
});

test('a cut during a call fails it on both sides, and the agent comes back by itself', async (t) => {
  const h = await house(t);
  const cable = await wire(t, h.port);
  let asked = 0;
  h.link.handle('never', () => ((asked += 1), never()));
  const connects: number[] = [];
  const agent = await joined(h, { url: `ws://127.0.0.1:${cable.port}`, handlers: { never: () => ((asked += 1), never()), ok: () => 'ok' } });
  agent.onConnect(() => void connects.push(connects.length));
  const down = assert.rejects(h.link.call(agent.node_id, 'never'), fault(503, 'bus.node-unavailable', true));
  const up = assert.rejects(agent.call('never'), fault(503, 'bus.controller-unavailable', true));
  await until(() => asked === 2);
  cable.cut();
  await Promise.all([down, up]);
  await until(() => connects.length === 2);
  assert.equal(await h.link.call(agent.node_id, 'ok'), 'ok');
});

test('a silent peer is noticed by both sides', async (t) => {
  const heartbeat = { interval_ms: 20, limit_ms: 100 };
  const h = await house(t, { heartbeat });
  const cable = await wire(t, h.port);
  const agent = await joined(h, { url: `ws://127.0.0.1:${cable.port}`, handlers: { never }, heartbeat });
  // Quiet, but alive: pings keep the link.
  let downs = 0;
  h.link.onDisconnect(() => void (downs += 1));
  const before = cable.bytes();
  await until(() => cable.bytes() > before + 100);
  assert.equal(downs, 0);
  const lost = assert.rejects(h.link.call(agent.node_id, 'never'), fault(503, 'bus.node-unavailable', true));
  cable.freeze();
  await lost;
  await until(() => !agent.connected());
  cable.thaw();
  await until(() => agent.connected() && h.link.isConnected(agent.node_id));
});

test('a controller that restarts finds its agents again', async (t) => {
  const h = await house(t);
  const agent = await joined(h, { handlers: { ok: () => 'ok' } });
  await h.stop();
  await until(() => !agent.connected());
  await h.start();
  await until(() => h.link.isConnected(agent.node_id));
  assert.equal(await h.link.call(agent.node_id, 'ok'), 'ok');
});

test('an agent that is killed during a call fails the call at once', async (t) => {
  const h = await house(t);
  const child = fork(new URL('./agent-process.ts', import.meta.url), [String(h.port), h.dir], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  await until(async () => (await h.link.nodes())[0]?.state === 'up');
  const [node] = await h.link.nodes();
  assert.equal(await h.link.call(node?.id ?? '', 'ok'), 'ok');
  const lost = assert.rejects(h.link.call(node?.id ?? '', 'never'), fault(503, 'bus.node-unavailable', true));
  child.kill('SIGKILL');
  await lost;
  await once(child, 'exit');
  assert.equal((await h.link.nodes())[0]?.state, 'down');
});

test('more than a slow peer takes is held back, and none of it is lost or out of order', async (t) => {
  const h = await house(t);
  const seen: number[] = [];
  h.link.onEvent((_node, _event, { n }) => void seen.push(n));
  const agent = await joined(h, { handlers: { take: ({ n }) => n } });
  const load = 'x'.repeat(256 * 1024);
  const calls = Array.from({ length: 100 }, (_, n) => h.link.call(agent.node_id, 'take', { n, load }));
  for (let n = 0; n < 100; n += 1) agent.emit('tell', { n, load });
  assert.deepEqual(await Promise.all(calls), Array.from({ length: 100 }, (_, n) => n));
  await until(() => seen.length === 100);
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, n) => n));
});

test('the time a node was last seen is written while it is connected', async (t) => {
  let at = 0;
  const h = await house(t, { seen_interval_ms: 5, clock: { now: () => new Date(Date.UTC(2030, 0, 1) + at) } });
  const agent = await joined(h);
  at = 3_600_000;
  await until(async () => (await h.link.node(agent.node_id))?.last_seen_at === '2030-01-01T01:00:00.000000Z');
  assert.equal((await h.link.node(agent.node_id))?.created_at, '2030-01-01T00:00:00.000000Z');
});
