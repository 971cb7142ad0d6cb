import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { GuestReport } from '../../../src/agents/compute/protocol.ts';
import { createRig, makeImage, until, type Rig, type TestImage } from './harness.ts';

let rig: Rig;
let image: TestImage;
before(async () => {
  rig = await createRig();
  image = await makeImage({ marker: 'restarts' });
});
after(async () => await rig.close());

const rule = (name: 'on-failure' | 'unless-stopped', most = 0) => ({ restart: { name, most } });
const seen = (id: string, what: string, good: (report: GuestReport | undefined) => boolean) => until(what, () => rig.driver.inspect(id), good, 30_000);

test('a guest that ends runs again, with its cables, and how often is told', async () => {
  const spec = rig.spec(image, { command: ['/bin/sh', '-c', 'ip addr show eth0 | grep -c 10.99.0.2; if [ -e /tmp/once ]; then exec sleep 1000; fi; touch /tmp/once; exit 5'], options: rule('unless-stopped') });
  const { server_id: id } = spec;
  await rig.driver.spawn(spec);
  const report = await seen(id, 'the second run', (one) => one?.restarts?.count === 1 && one.power_state === 'running' && one.exit_code === null);
  assert.equal(report?.restarts?.exit_code, 5);
  await until('it to have its address', () => rig.driver.consoleOutput(id, undefined), (text) => text === '1\n1\n');
  assert.equal((await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 })).power_state, 'shutdown');
  assert.equal((await rig.again().then((next) => next.inspect(id)))?.power_state, 'shutdown', 'what was stopped stays so for the next agent');
});

test('one that fails at every start ends as what it is, and says how often it was tried', async () => {
  const spec = rig.spec(image, { command: ['/bin/sh', '-c', 'echo broken; exit 9'], options: rule('on-failure', 2) });
  const { server_id: id } = spec;
  await rig.driver.spawn(spec);
  const report = await seen(id, 'its end', (one) => one?.power_state === 'crashed');
  assert.deepEqual([report?.exit_code, report?.restarts?.count], [9, 2]);
  assert.match(report?.last_output ?? '', /broken/);
  await rig.driver.power(id, { action: 'start' });
  await seen(id, 'as many tries again', (one) => one?.power_state === 'crashed' && one.restarts?.count === 4);
});

test('one that ended while no agent looked runs again when one does; one that ended well does not on failure', async () => {
  const spec = rig.spec(image, { options: rule('unless-stopped') });
  const well = rig.spec(image, { command: ['/bin/true'], options: rule('on-failure') });
  await rig.driver.spawn(spec);
  await rig.driver.spawn(well);
  await seen(well.server_id, 'its end', (one) => one?.power_state === 'shutdown');
  await rig.driver.close();
  await rig.engine.json('POST', `/containers/${(await rig.containersOf(spec.server_id))[0]}/kill`);
  const next = await rig.again();
  await until('it to run', () => next.inspect(spec.server_id), (one) => one?.power_state === 'running' && one.restarts?.count === 1);
});
