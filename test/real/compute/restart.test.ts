import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { GuestReport } from '../../../src/agents/compute/protocol.ts';
import { createRig, makeImage, until, type Rig } from './harness.ts';
import { createOwnEngine, type OwnEngine } from './own-engine.ts';

let own: OwnEngine;
let rig: Rig;
let bridge: boolean;
before(async () => {
  bridge = existsSync('/sys/class/net/docker0');
  own = await createOwnEngine();
  rig = await createRig(own.socket);
});
after(async () => {
  await rig?.close();
  await own?.close();
  assert.equal(existsSync('/sys/class/net/docker0'), bridge, 'the bridge of the machine was touched');
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`a server lives through the end of the engine by ${signal}, keeps its network, and all calls work again`, async () => {
    const told: GuestReport[] = [];
    rig.driver.onChange((report) => told.push(report));
    const image = await makeImage({ marker: signal });
    const spec = rig.spec(image);
    const { server_id: id } = spec;
    const before = await rig.driver.spawn(spec);
    await rig.inside(id, 'sh', '-c', 'echo kept > /data');

    await own.stop(signal);
    await assert.rejects(rig.driver.list(), { code: 'compute.engine-unavailable' });
    await own.start();

    const after = await rig.driver.inspect(id);
    assert.deepEqual([after?.power_state, after?.container_id, after?.started_at], ['running', before.container_id, before.started_at]);
    assert.match((await rig.inside(id, 'sh', '-c', 'ip -4 addr show eth0; cat /data')).output, /10\.99\.0\.2[^]*kept/);
    assert.equal((await rig.driver.spawn(spec)).container_id, before.container_id);
    const rebooted = await rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 });
    assert.equal(rebooted.power_state, 'running');
    assert.match((await rig.inside(id, 'ip', '-4', 'addr', 'show', 'eth0')).output, /10\.99\.0\.2/);
    // The stream of events has been taken up again by itself.
    await until('the report of the reboot', () => told.findLast((one) => one.server_id === id), (one) => one?.started_at === rebooted.started_at);
    await rig.driver.destroy(id);
    assert.equal(await rig.driver.inspect(id), undefined);
  });
}
