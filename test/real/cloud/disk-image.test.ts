/** A disk image from its upload to a server that lets its owner in: glance, a node's conversion, nova. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { ApiError } from '../../../src/cli/api.ts';
import { makeBusyboxRoot } from '../../support/busybox-root.ts';
import { type Key, makeKey, ssh, sshWhenUp, uploadDisk, waitConversion } from '../../support/disk-cloud.ts';
import { makeDisk } from '../../support/disk-image.ts';
import { type RealCloud, startRealCloud, within } from '../../support/real-cloud.ts';
import { addressOf, createServer, deleteServer, makeFlavor, makeOpenGroup, makePublicNetwork, waitServer } from '../../support/real-cloud-world.ts';

const PREFIX = 'gtc-disks-';
const skip = ['/usr/bin/qemu-img', '/usr/sbin/dropbear', '/usr/bin/ssh'].filter((path) => !existsSync(path));
const needed = skip.length === 0 ? {} : { skip: `not installed: ${skip.join(', ')}` };
let dir: string;
let cloud: RealCloud;
let key: Key;
let world: { flavorRef: string; networks: object[]; security_groups: object[] };

before(async () => {
  for (const name of readdirSync(tmpdir())) if (name.startsWith(PREFIX)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  dir = mkdtempSync(join(tmpdir(), PREFIX));
  makeBusyboxRoot(join(dir, 'root'));
  await makeDisk({ root: join(dir, 'root'), path: join(dir, 'tiny.qcow2'), size_mib: 24, partitioned: true, format: 'qcow2' });
  cloud = await startRealCloud({ name: 'gtdisk', toml: '[network]\nquota_port = -1\n' });
  const { admin } = cloud;
  key = await makeKey(admin, dir, 'mine');
  const network = await makePublicNetwork(admin, '10.10.81');
  world = { flavorRef: await makeFlavor(admin, 'small', { ram: 128 }), networks: [{ uuid: network }], security_groups: [{ name: await makeOpenGroup(admin) }] };
});
after(async () => {
  await cloud?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const boot = (name: string, imageRef: string): Promise<string> => createServer(cloud.admin, { name, imageRef, key_name: key.name, ...world });

test('a partitioned qcow2 boots with its own init and lets the owner of the key in, as the user that is asked for', needed, async () => {
  const { admin } = cloud;
  const began = performance.now();
  const id = await uploadDisk(admin, 'tiny', join(dir, 'tiny.qcow2'), 'qcow2', { os_admin_user: 'alpha' });
  const early = await boot('early', id).then(async (server) => ({ server }), (error: unknown) => ({ error }));
  if ('error' in early) {
    assert.ok(early.error instanceof ApiError && early.error.status === 409, String(early.error));
    assert.match(early.error.message, /cannot be booted yet/);
  }
  const image = await waitConversion(admin, id, 'done');
  assert.equal(image.status, 'active');
  assert.equal(image.virtual_size, 34 * 1024 * 1024);
  const server = await boot('one', id);
  const address = addressOf(await waitServer(admin, server, 'ACTIVE'));
  console.log(`# upload to ACTIVE: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  const inside = await sshWhenUp(key, 'alpha', address, 'id -un; cat /proc/1/comm; hostname; ls /boot; ls /etc/dropbear');
  assert.equal(inside.code, 0, inside.stderr);
  assert.match(inside.stdout, /^alpha\ninit\none\n/);
  assert.equal((await ssh(key, 'root', address, 'true')).code, 255, 'nobody else got the key');
  // What glance gives back is the disk as it came.
  assert.ok((await buffer(await admin.download('image', `/images/${id}/file`))).equals(readFileSync(join(dir, 'tiny.qcow2'))));
  await deleteServer(admin, server);
  if ('server' in early) await deleteServer(admin, early.server);
});

test('a disk that cannot be booted says why, in glance and in nova; other data are left alone', needed, async () => {
  const { admin } = cloud;
  const damaged = join(dir, 'damaged.raw');
  await makeDisk({ root: join(dir, 'root'), path: damaged, size_mib: 24, format: 'raw' });
  const bytes = readFileSync(damaged);
  bytes.fill(0xff, 8192, 4 * 1024 * 1024);
  writeFileSync(damaged, bytes);
  const id = await uploadDisk(admin, 'damaged', damaged, 'raw');
  const image = await waitConversion(admin, id, 'failed');
  assert.match(image.gantry_conversion_message ?? '', /disk image cannot be used: /);
  await assert.rejects(boot('never', id), (error) => error instanceof ApiError && error.status === 400 && /disk image cannot be used/.test(error.message));
  const noise = join(dir, 'noise');
  writeFileSync(noise, randomBytes(4096));
  const other = await uploadDisk(admin, 'noise', noise, 'raw');
  const shown = await admin.call('image', 'GET', `/images/${other}`);
  assert.deepEqual([shown.status, 'gantry_conversion' in shown], ['active', false]);
  await assert.rejects(boot('never', other), (error) => error instanceof ApiError && error.status === 400 && /are no disk image/.test(error.message));
});

test('a node that is killed in a conversion converts when it is back', needed, async () => {
  const { admin } = cloud;
  const id = await uploadDisk(admin, 'again', join(dir, 'tiny.qcow2'), 'qcow2');
  await within(30_000, 'the conversion does not begin', () => '', async () => (await admin.call('image', 'GET', `/images/${id}`)).gantry_conversion !== 'waiting');
  await cloud.kill('agent');
  cloud.launch('agent');
  await waitConversion(admin, id, 'done', 180_000);
  const left = join(cloud.data_dir, 'agent', 'disks');
  assert.deepEqual(existsSync(left) ? readdirSync(left) : [], []);
});
