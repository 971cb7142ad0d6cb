/** Keys go to the user whom the image names, and user data is carried out in images that know nothing of it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { makeImage, type Rig, type TestImage, until } from './harness.ts';
import { createOwnRig } from './own-engine.ts';

let own: Awaited<ReturnType<typeof createOwnRig>>;
let rig: Rig;
let image: TestImage;
before(async () => {
  own = await createOwnRig();
  ({ rig, image } = own);
});
after(() => own?.close());

const asData = (text: string): string => Buffer.from(text).toString('base64');

test('a script runs in the guest once it has started, tells of itself on the console, and not again after a reboot', async () => {
  const spec = rig.spec(image, { user_data: asData('#!/bin/sh\necho "I am $(id -u) on $(hostname)"; echo x >> /runs') });
  await rig.driver.spawn(spec);
  const log = await until('its end', () => rig.driver.consoleOutput(spec.server_id, undefined), (text) => /user-data: done/.test(text));
  assert.match(log, /user-data: runs part 1\nI am 0 on web-1\nuser-data: done\n/);
  await rig.driver.power(spec.server_id, { action: 'reboot', hard: true, timeout_seconds: 0 });
  assert.equal((await rig.inside(spec.server_id, 'cat', '/runs')).output, 'x\n');
});

test('keys of the login user are where it looks for them, and a user that the image lacks is said', async () => {
  const with_user = await makeImage({ marker: 'users', passwd: 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1001::/home/guest:/bin/sh\n' });
  const spec = rig.spec(with_user, { ssh_keys: ['ecdsa AAAA me'], login_user: 'guest', user_data: asData('#cloud-config\nssh_authorized_keys: [ecdsa BBBB other]') });
  await rig.driver.spawn(spec);
  await until('its keys', () => rig.driver.consoleOutput(spec.server_id, undefined), (text) => /user-data: done/.test(text));
  assert.match((await rig.inside(spec.server_id, 'cat', '/home/guest/.ssh/authorized_keys')).output, /AAAA me\n.*BBBB other\n/);
  assert.equal((await rig.inside(spec.server_id, 'stat', '-c', '%u %g %a', '/home/guest/.ssh')).output.trim(), '1000 1001 700');
  await assert.rejects(rig.driver.spawn(rig.spec(image, { ssh_keys: ['k'], login_user: 'nobody-there' })), /os_admin_user names "nobody-there"/);
});

test('a config drive is a disk with its label, a folder, and the same one after a reboot; nothing of it stays', async () => {
  const content = Buffer.from('{"uuid":"x"}').toString('base64');
  const spec = rig.spec(image, { of_flavor: { cap_add: ['SYS_ADMIN'] }, config_drive: { files: [{ content, paths: ['openstack/latest/meta_data.json', 'openstack/2012-08-10/meta_data.json'] }] } });
  await rig.driver.spawn(spec);
  const id = spec.server_id;
  const look = async (): Promise<void> => {
    assert.equal((await rig.inside(id, 'ls', '-l', '/dev/disk/by-label/config-2')).output.trim().split('-> ')[1], '../../sr0');
    // The label of ext4 begins 120 bytes into its superblock.
    assert.equal((await rig.inside(id, 'dd', 'if=/dev/disk/by-label/config-2', 'bs=1', 'skip=1144', 'count=8')).output.slice(0, 8), 'config-2');
    assert.equal((await rig.inside(id, 'cat', '/var/lib/cloud/seed/config_drive/openstack/latest/meta_data.json')).output, '{"uuid":"x"}');
    assert.notEqual((await rig.inside(id, 'sh', '-c', 'echo x > /dev/sr0')).code, 0);
    const mounted = await rig.inside(id, 'sh', '-c', 'mount /dev/sr0 /tmp && cat /tmp/openstack/latest/meta_data.json');
    assert.match(mounted.output, /\{"uuid":"x"\}/);
    assert.match((await rig.inside(id, 'cat', '/proc/partitions')).output, / sr0$/m);
  };
  await look();
  const number = /^ +7 +(\d+)/m.exec((await rig.inside(id, 'cat', '/proc/partitions')).output)![1]!;
  assert.ok(existsSync(`/sys/block/loop${number}/loop/backing_file`));
  await rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 });
  await look();
  await rig.driver.destroy(id);
  assert.ok(!existsSync(`/sys/block/loop${number}/loop/backing_file`));
});
