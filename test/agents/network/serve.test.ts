import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeNetworkDriver } from '../../../src/agents/network/drivers/fake/index.ts';
import type { PortReport } from '../../../src/agents/network/protocol.ts';
import { networkHandlers } from '../../../src/agents/network/serve.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { change, group, network, port, sliceOf, state } from '../../real/network/world.ts';

function deferred(): { promise: Promise<void>; resolve: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, resolve };
}

test('pokes during a run lead to exactly one more', async () => {
  const driver = createFakeNetworkDriver();
  const gates = [deferred(), deferred()];
  const begun = deferred();
  let fetched = 0;
  const service = networkHandlers(
    driver,
    {
      async fetchDesired() {
        fetched += 1;
        begun.resolve();
        await gates[fetched - 1]?.promise;
        return state({});
      },
      report: async () => {},
    },
    { log: silentLog },
  );
  const first = service.poke();
  await begun.promise;
  const rest = Promise.all([service.poke(), service.poke(), service.handlers['network.poke']?.({ generation: 1 })]);
  gates[0]?.resolve();
  await first;
  gates[1]?.resolve();
  await rest;
  assert.equal(fetched, 2);
  await service.close();
});

test('a failure is tried again and then reported as a success', async () => {
  const driver = createFakeNetworkDriver();
  driver.failNext('apply', 'no kernel today');
  const { promise, resolve } = Promise.withResolvers<PortReport[]>();
  const net = network();
  const one = port(net, ['10.0.0.1/24'], []);
  const errors: string[] = [];
  const service = networkHandlers(
    driver,
    { fetchDesired: async () => state({ networks: [net], ports: [one] }), report: async (ports) => resolve(ports) },
    { log: { ...silentLog, error: (fields) => void errors.push(String((fields as { err: Error }).err.message)) }, retry_ms: 1 },
  );
  const keep = setInterval(() => {}, 1000);
  assert.deepEqual(await promise, [{ port_id: one.port_id, status: 'DOWN' }]);
  clearInterval(keep);
  assert.deepEqual(errors, ['no kernel today']);
  await service.close();
});

test('the fake driver wires, unwires and reports as the real one', async () => {
  const driver = createFakeNetworkDriver();
  const net = network();
  const groups = [group([])];
  const one = port(net, ['10.0.0.1/24'], groups);
  const two = port(net, ['10.0.0.2/24'], groups, { device_id: one.device_id });
  const older = state({ networks: [net] });
  const whole = change(older, { ports: [one], security_groups: groups });
  assert.deepEqual(await driver.apply(whole), [{ port_id: one.port_id, status: 'DOWN' }]);
  await driver.plug(one.device_id, sliceOf(change(whole, {}), one.device_id));
  await driver.apply(older);
  assert.equal(driver.devices().get(one.device_id)?.length, 1, 'an older state does not unplug');
  assert.deepEqual((await driver.apply(change(whole, { ports: [one, two] }))).map((report) => report.status), ['ACTIVE', 'ACTIVE']);
  assert.deepEqual((await driver.tapCounters(one.device_id)).map((row) => row.mac_address), [one.mac_address, two.mac_address]);
  assert.deepEqual((await driver.apply(change(whole, { ports: [{ ...one, admin_state_up: false }] }))).map((report) => report.status), ['DOWN']);
  await assert.rejects(driver.plug(one.device_id, change(whole, { ports: [{ ...one, mac_address: 'nonsense' }] })), /not a MAC address/);
  await driver.unplug(one.device_id);
  assert.equal(driver.devices().size, 0);
});
