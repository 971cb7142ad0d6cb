/** Two hosts on one machine, each with an engine of its own: servers move between them, and are made anew when one is gone. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildGuestImage } from '../../../src/cli/guest-image.ts';
import { type RealCloud, runProgram, startRealCloud, within } from '../../support/real-cloud.ts';
import { DOCKER_SOCKET, removeRemains } from '../../support/real-cloud-remains.ts';
import { createServer, deleteServer, makeFlavor, makeImage, makeNetwork, showServer, waitServer } from '../../support/real-cloud-world.ts';
import { type SecondAgent, startSecondAgent } from '../../support/second-agent.ts';
import { createOwnEngine, type OwnEngine } from '../compute/own-engine.ts';

const [FIRST, SECOND] = ['gtmv', 'gtmvb'];
let cloud: RealCloud;
let engine: OwnEngine;
let second: SecondAgent;
let boot: (name: string) => Promise<string>;

before(async () => {
  await removeRemains(SECOND);
  [cloud, engine] = await Promise.all([startRealCloud({ name: FIRST }), createOwnEngine()]);
  second = await startSecondAgent(cloud, { name: SECOND, docker_socket: engine.socket });
  const imageRef = await makeImage(cloud.admin, 'hello', buildGuestImage());
  const flavorRef = await makeFlavor(cloud.admin, 'nano', { disk: 1 });
  const network = await makeNetwork(cloud.admin, 'office', '192.168.43.0/24');
  boot = async (name) => {
    const id = await createServer(cloud.admin, { name, imageRef, flavorRef, networks: [{ uuid: network }], availability_zone: `nova:${FIRST}-node` });
    await waitServer(cloud.admin, id, 'ACTIVE');
    return id;
  };
});
after(async () => {
  await second?.stop();
  await cloud?.stop();
  await engine?.close();
  await removeRemains(SECOND);
});

type Side = 'first' | 'second';
const docker = (side: Side, ...args: string[]) => runProgram(['docker', '-H', `unix://${side === 'first' ? DOCKER_SOCKET.replace('unix://', '') : engine.socket}`, ...args]);
const container = (side: Side, id: string): string => `${side === 'first' ? FIRST : SECOND}-${id}`;
const there = async (side: Side, id: string): Promise<boolean> => (await docker(side, 'inspect', container(side, id))).code === 0;

async function sh(side: Side, id: string, script: string): Promise<string> {
  const ran = await docker(side, 'exec', container(side, id), 'sh', '-c', script);
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout.trim();
}

const act = (id: string, body: object) => cloud.admin.call('compute', 'POST', `/servers/${id}/action`, body);
const CABLE = 'cat /sys/class/net/eth0/address; ip addr show eth0 | grep inet';

test('a server moves with what it wrote, its name and its addresses, and nothing stays behind', async () => {
  const id = await boot('mover');
  await sh('first', id, 'echo mine > /root/notes; rm -f /etc/motd; sync');
  const cable = await sh('first', id, CABLE);
  const { addresses } = await showServer(cloud.admin, id);
  await act(id, { migrate: null });
  await waitServer(cloud.admin, id, 'VERIFY_RESIZE');
  assert.equal(await sh('second', id, 'cat /root/notes; hostname'), 'mine\nmover');
  assert.equal(await sh('second', id, CABLE), cable);
  assert.deepEqual((await showServer(cloud.admin, id)).addresses, addresses);
  assert.equal((await docker('first', 'inspect', '-f', '{{.State.Running}}', container('first', id))).stdout.trim(), 'false');
  // The way back, and there once more.
  await act(id, { revertResize: null });
  await waitServer(cloud.admin, id, 'ACTIVE');
  assert.equal(await sh('first', id, 'cat /root/notes'), 'mine');
  assert.equal(await sh('first', id, CABLE), cable);
  assert.equal(await there('second', id), false);
  await act(id, { migrate: null });
  await waitServer(cloud.admin, id, 'VERIFY_RESIZE');
  await act(id, { confirmResize: null });
  await waitServer(cloud.admin, id, 'ACTIVE');
  assert.equal(await there('first', id), false);
  assert.equal(await sh('second', id, 'cat /root/notes'), 'mine');
  await deleteServer(cloud.admin, id);
});

test('a server of a host that is gone is made anew with its addresses, and what the host still had goes when it is back', async () => {
  const id = await boot('survivor');
  await act(id, { migrate: null });
  await waitServer(cloud.admin, id, 'VERIFY_RESIZE');
  await act(id, { confirmResize: null });
  await waitServer(cloud.admin, id, 'ACTIVE');
  const cable = await sh('second', id, CABLE);
  await second.kill();
  await within(60_000, 'the host is not down', () => '', async () => {
    const { services } = (await cloud.admin.call('compute', 'GET', `/os-services?host=${second.hostname}`)) as { services: { state: string }[] };
    return services[0]!.state === 'down';
  });
  await act(id, { evacuate: { onSharedStorage: false } });
  await waitServer(cloud.admin, id, 'ACTIVE');
  assert.equal(await sh('first', id, CABLE), cable);
  assert.equal(await there('second', id), true, 'its host does not know of it yet');
  await second.launch();
  await within(60_000, 'the old guest is still there', () => '', async () => !(await there('second', id)));
  await deleteServer(cloud.admin, id);
});
