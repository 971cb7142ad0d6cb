/** NICs that are plugged into, and pulled out of, a running container. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildGuestImage } from '../../../src/cli/guest-image.ts';
import { runProgram, startRealCloud, within } from '../../support/real-cloud.ts';
import { createServer, makeFlavor, makeImage, makeNetwork, makeOpenGroup, waitServer } from '../../support/real-cloud-world.ts';

const NAME = 'gtnic';

async function inGuest(id: string, script: string): Promise<string> {
  const ran = await runProgram(['docker', 'exec', `${NAME}-${id}`, 'sh', '-c', script]);
  return ran.stdout.trim();
}

test('a NIC comes into a running server with its address and goes again; the first one never blinks', async (t) => {
  const cloud = await startRealCloud({ name: NAME });
  t.after(() => cloud.stop());
  const { admin } = cloud;
  const imageRef = await makeImage(admin, 'hello', buildGuestImage());
  const flavorRef = await makeFlavor(admin, 'nano');
  const [front, back] = [await makeNetwork(admin, 'front', '192.168.61.0/24'), await makeNetwork(admin, 'back', '192.168.62.0/24')];
  const open = await makeOpenGroup(admin);
  const boot = async (name: string, network: string): Promise<string> => {
    const id = await createServer(admin, { name, imageRef, flavorRef, networks: [{ uuid: network }], security_groups: [{ name: 'open' }] });
    await waitServer(admin, id, 'ACTIVE');
    return id;
  };
  const [server, peer] = [await boot('one', front), await boot('peer', back)];
  const before = await inGuest(server, 'ip -o addr show eth0');

  const { port } = await admin.call('network', 'POST', '/ports', { port: { network_id: back, security_groups: [open], fixed_ips: [{ ip_address: '192.168.62.77' }] } });
  await admin.call('compute', 'POST', `/servers/${server}/os-interface`, { interfaceAttachment: { port_id: port.id } });
  const fetched = (): Promise<string> => inGuest(peer, "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 192.168.62.77 80");
  let page = '';
  await within(30_000, 'the new address does not answer', () => page, async () => (page = await fetched()).length > 0);
  assert.match(await inGuest(server, 'ip -o addr show eth1'), /192\.168\.62\.77\/24/);
  assert.match(await inGuest(server, 'cat /sys/class/net/eth1/address'), new RegExp(port.mac_address));
  assert.equal(await inGuest(server, 'ip -o addr show eth0'), before);

  await admin.call('compute', 'POST', `/servers/${server}/action`, { reboot: { type: 'HARD' } });
  await waitServer(admin, server, 'ACTIVE');
  await within(30_000, 'after a reboot the second address does not answer', () => page, async () => (page = await fetched()).length > 0);

  await admin.call('compute', 'DELETE', `/servers/${server}/os-interface/${port.id}`);
  await within(30_000, 'eth1 stays', () => '', async () => (await inGuest(server, 'ls /sys/class/net')).split(/\s+/).every((name) => name !== 'eth1'));
  assert.match(await inGuest(server, 'ip -o addr show eth0'), /192\.168\.61\./);
  assert.equal((await admin.call('network', 'GET', `/ports/${port.id}`)).port.status, 'DOWN');
});
