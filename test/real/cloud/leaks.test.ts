/** The comparison of rows with the machine sees what is on one side only: without it, finding nothing would prove nothing. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { findLeaks } from '../../../conformance/leaks.ts';
import { buildGuestImage } from '../../../src/cli/guest-image.ts';
import { type RealCloud, runProgram, startRealCloud } from '../../support/real-cloud.ts';
import { createServer, deleteServer, makeFlavor, makeImage, makeNetwork, waitServer } from '../../support/real-cloud-world.ts';

const NAME = 'gtlk';

async function must(...command: string[]): Promise<string> {
  const ran = await runProgram(command);
  assert.equal(ran.code, 0, `${command.join(' ')}: ${ran.stderr}`);
  return ran.stdout.trim();
}

/** Image, flavor and network; gives what boots a server with them. */
async function furnish({ admin }: RealCloud): Promise<(name: string) => Promise<string>> {
  const imageRef = await makeImage(admin, 'hello', buildGuestImage());
  const flavorRef = await makeFlavor(admin, 'nano');
  const network = await makeNetwork(admin, 'office', '192.168.41.0/24');
  return async (name) => {
    const id = await createServer(admin, { name, imageRef, flavorRef, networks: [{ uuid: network }] });
    await waitServer(admin, id, 'ACTIVE');
    return id;
  };
}

test('whatever is on one side only is named', async (t) => {
  const cloud = await startRealCloud({ name: NAME });
  t.after(() => cloud.stop());
  const boot = await furnish(cloud);
  const [kept, forgotten, lost] = [await boot('kept'), await boot('forgotten'), await boot('lost')];
  assert.deepEqual(await findLeaks(cloud.settings), [], 'three servers, nothing amiss');

  // Nobody is to put right what is put wrong here.
  await Promise.all([cloud.kill('agent'), cloud.kill('controller')]);
  const stray = randomUUID();
  await must('ip', 'netns', 'add', `${NAME}-${stray}`);
  await must('ip', '-n', NAME, 'link', 'add', 'brqstray0000-00', 'type', 'bridge');
  await must('docker', 'rm', '-f', `${NAME}-${lost}`);
  mkdirSync('/run/gantry/netns', { recursive: true });
  symlinkSync(`/run/netns/${NAME}-${stray}`, `/run/gantry/netns/${'0'.repeat(63)}7`);
  writeFileSync(join(cloud.data_dir, 'agent', 'guests', `${stray}.json`), '{}');
  const db = new DatabaseSync(join(cloud.data_dir, 'controller', 'gantry.db'), { timeout: 5000 });
  db.prepare('update compute_servers set deleted = 1 where id = ?').run(forgotten);
  db.close();

  const leaks = await findLeaks(cloud.settings);
  const found = (side: string, kind: string, id: string): boolean => leaks.some((leak) => leak.side === side && leak.kind === kind && leak.id === id);
  const told = JSON.stringify(leaks, null, 2);
  assert.ok(found('kernel', 'namespace', `${NAME}-${stray}`), told);
  assert.ok(found('kernel', 'device', 'brqstray0000-00'), told);
  assert.ok(found('rows', 'server', lost), told);
  assert.ok(found('files', 'note of the agent', stray), told);
  assert.ok(found('files', 'namespace link', '0'.repeat(12)), told);
  assert.ok(found('docker', 'container', forgotten), told);
  assert.ok(found('kernel', 'namespace', `${NAME}-${forgotten}`), told);
  assert.ok(found('rows', 'allocation', forgotten), told);
  assert.ok(leaks.some((leak) => leak.side === 'rows' && leak.kind === 'port' && leak.detail.includes(forgotten)), told);
  assert.ok(!leaks.some((leak) => leak.id.includes(kept)), 'the server that is in order is not named');
});

test('a cloud puts itself right after all of its processes were killed', async (t) => {
  const cloud = await startRealCloud({ name: NAME });
  t.after(() => cloud.stop());
  const { admin } = cloud;
  const id = await (await furnish(cloud))('steady');
  const started = await must('docker', 'inspect', '-f', '{{.State.StartedAt}}', `${NAME}-${id}`);
  await Promise.all([cloud.kill('agent'), cloud.kill('controller')]);
  cloud.launch('controller');
  cloud.launch('agent');
  await cloud.waitReady();
  assert.equal((await waitServer(admin, id, 'ACTIVE')).status, 'ACTIVE');
  assert.equal(await must('docker', 'inspect', '-f', '{{.State.StartedAt}}', `${NAME}-${id}`), started, 'the guest ran on');
  assert.deepEqual(await findLeaks(cloud.settings), []);
  await deleteServer(admin, id);
});
