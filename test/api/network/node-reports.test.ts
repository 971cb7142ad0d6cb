/** A node may be broken, or in foreign hands: what it says of its ports is checked before it counts. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { DEMO, startNetwork, type NetworkFixture } from './support.ts';

let net: NetworkFixture;
before(async () => {
  net = await startNetwork();
});
after(() => net.close());

test('a report of another shape is refused in words and changes nothing', async () => {
  const network = await net.make('networks', { name: 'n' });
  await net.make('subnets', { network_id: network.id, cidr: '10.1.0.0/24', ip_version: 4 });
  const nics = [{ network_id: network.id, port_id: undefined, fixed_ip: undefined, tag: undefined }];
  const [nic] = await net.network.client.claimNics({ server_id: randomUUID(), project_id: DEMO, hostname: 'vm', node_id: 'node-one', host: 'one', zone: 'nova', nics, security_group_ids: [] });
  const report = net.network.nodeHandlers['network.report']! as (node: { id: string }, parameters: unknown) => Promise<unknown>;
  const port_id = nic!.port_id;
  const shapes = [
    undefined, null, 5, [], {}, { ports: null }, { ports: [null] }, { ports: [{ port_id: {}, status: 'ACTIVE' }] }, { ports: [{ port_id, status: '__proto__' }] },
    { ports: [{ port_id, status: 'ACTIVE', floating_ips: 5 }] }, { ports: [{ port_id, status: 'ACTIVE', floating_ips: [null] }] },
  ];
  for (const shape of shapes) await assert.rejects(report({ id: 'node-one' }, shape), { status: 400, code: 'network.bad-report' }, JSON.stringify(shape));
  const status = async (): Promise<string> => (await net.call('GET', `/v2.0/ports/${port_id}`)).json.port.status;
  assert.equal(await status(), 'DOWN');
  await report({ id: 'node-two' }, { ports: [{ port_id, status: 'ACTIVE' }] });
  assert.equal(await status(), 'DOWN', 'another node’s port');
  await report({ id: 'node-one' }, { ports: [{ port_id, status: 'ACTIVE' }] });
  assert.equal(await status(), 'ACTIVE');
});
