import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LinuxNetworkDriver } from '../../../src/agents/network/drivers/linux/index.ts';
import type { PeerWiring } from '../../../src/agents/network/protocol.ts';
import { change, egressAll, freshDriver, group, guest, inNamespace, network, pings, port, rule, sh, state, tcp } from './world.ts';
import { listen, reaches } from './traffic.ts';

const CLOUDS = ['gt5', 'gt6'] as const;
const ADDRESSES = ['198.18.5.1', '198.18.5.2'] as const;
const drivers: LinuxNetworkDriver[] = [];

/** Two nodes on one machine: each a namespace that plays the host, a cable between them. */
before(async () => {
  await sh(CLOUDS.map((cloud) => `ip netns del ${cloud}host; ip netns add ${cloud}host`).join('; '));
  const { code, out } = await sh(
    'ip -n gt5host link add wire type veth peer name wire netns gt6host' +
      CLOUDS.map((cloud, index) => ` && ip -n ${cloud}host addr add ${ADDRESSES[index]}/24 dev wire && ip -n ${cloud}host link set wire up`).join(''),
  );
  assert.equal(code, 0, out);
  for (const [index, cloud] of CLOUDS.entries()) {
    drivers.push(await freshDriver(cloud, { tunnel_ip: ADDRESSES[index] ?? '', host_namespace: `${cloud}host` }));
  }
});
after(async () => {
  for (const driver of drivers) {
    await driver.purge();
    await driver.close();
  }
  await sh(CLOUDS.map((cloud) => `ip netns del ${cloud}host`).join('; '));
});

test('guests of two nodes meet over VXLAN, through their groups; a peer that goes takes its tunnel with it', async () => {
  const [first, second] = drivers;
  assert.ok(first && second);
  const net = network();
  const open = group([...egressAll(), rule({ protocol: 'icmp' }), tcp(80)]);
  const pa = port(net, ['10.10.0.1/24'], [open]);
  const pb = port(net, ['10.10.0.2/24'], [open]);
  const peer = (index: number, one: typeof pa): PeerWiring => ({
    node_id: `node-${index}`, tunnel_ip: ADDRESSES[index] ?? '',
    ports: [{ network_id: net.network_id, mac_address: one.mac_address, ip_addresses: one.fixed_ips.map((ip) => ip.ip_address) }],
  });
  const one = state({ networks: [net], ports: [pa], security_groups: [open], peers: [peer(1, pb)] });
  const two = state({ networks: [net], ports: [pb], security_groups: [open], peers: [peer(0, pa)] });
  await first.plug(pa.device_id, one);
  await second.plug(pb.device_id, two);
  await first.apply(one);
  await second.apply(two);
  const [a, b] = [guest('gt5', pa.device_id), guest('gt6', pb.device_id)];
  const servers = [await listen(b, 'tcp 80'), await listen(b, 'tcp 81')];
  assert.equal(await pings(a, '10.10.0.2'), true);
  assert.equal(await reaches(a, 'tcp 10.10.0.2 80'), true);
  assert.equal(await reaches(a, 'tcp 10.10.0.2 81'), false);
  for (const server of servers) server.stop();
  const links = async (): Promise<string> => (await inNamespace('gt5', 'ip -br link')).out;
  const before = await inNamespace('gt5', 'ip -o link show type vxlan; bridge fdb show | grep dst; ip neigh show nud permanent');
  await first.apply(one);
  assert.deepEqual(await inNamespace('gt5', 'ip -o link show type vxlan; bridge fdb show | grep dst; ip neigh show nud permanent'), before, 'nothing to do, nothing done');
  await first.apply(change(one, { peers: [] }));
  assert.doesNotMatch(await links(), /vxl/);
  assert.equal(await pings(a, '10.10.0.2'), false);
  await first.apply(change(one, {}));
  assert.equal(await pings(a, '10.10.0.2'), true);
});
