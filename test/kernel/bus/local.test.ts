import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalBus } from '../../../src/kernel/bus/local-bus.ts';
import { createEvents, type BusinessEvent } from '../../../src/kernel/event/events.ts';
import { memoryLog } from './fixtures.ts';

test('the bus delivers by topic, later and in order, until one stops', async () => {
  const bus = createLocalBus({ log: memoryLog() });
  const got: unknown[] = [];
  const subscriber = (message: unknown): void => void got.push(message);
  const stop = bus.subscribe('a', subscriber);
  bus.subscribe('a', subscriber);
  bus.publish('a', 1);
  bus.publish('b', 2);
  bus.publish('a', 3);
  assert.deepEqual(got, [], 'a publisher never runs a subscriber');
  await bus.settled();
  assert.deepEqual(got, [1, 1, 3, 3]);
  stop();
  bus.publish('a', 4);
  await bus.settled();
  assert.deepEqual(got, [1, 1, 3, 3, 4]);
});

test('a subscriber that fails is heard of in the log only', async () => {
  const log = memoryLog();
  const bus = createLocalBus({ log });
  const got: unknown[] = [];
  bus.subscribe('a', () => { throw new Error('at once'); });
  bus.subscribe('a', async () => { throw new Error('later'); });
  bus.subscribe('a', (message) => void got.push(message));
  bus.publish('a', 1);
  await bus.settled();
  assert.deepEqual(got, [1]);
  assert.equal(log.said.length, 2);
});

test('events reach those who asked for their kind', async () => {
  const log = memoryLog();
  const events = createEvents({ log });
  const all: string[] = [];
  const instances: string[] = [];
  events.subscribe(({ type }) => void all.push(type));
  events.subscribe(() => { throw new Error('a bad listener'); });
  const stop = events.subscribe(({ type }) => void instances.push(type), 'compute.instance.');
  const event = (type: string): BusinessEvent<{ n: number }> => ({ type, project_id: 'p', resource_id: 'r', payload: { n: 1 }, request_id: null, at: '2030-01-01T00:00:00Z' });
  events.emit(event('compute.instance.create.end'));
  events.emit(event('image.upload'));
  assert.deepEqual(all, []);
  await events.settled();
  stop();
  events.emit(event('compute.instance.delete.end'));
  await events.settled();
  assert.deepEqual(all, ['compute.instance.create.end', 'image.upload', 'compute.instance.delete.end']);
  assert.deepEqual(instances, ['compute.instance.create.end']);
  assert.equal(log.said.length, 3);
});
