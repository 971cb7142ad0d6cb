import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { createRig, makeImage, until, type Rig, type TestImage } from './harness.ts';

for (const disk_limit of ['off', 'auto'] as const) {
  let rig: Rig;
  let image: TestImage;
  let other: TestImage;
  before(async () => {
    rig = await createRig(undefined, { disk_limit });
    image = await makeImage({ marker: `own ${disk_limit}` });
    other = await makeImage({ marker: `other ${disk_limit}`, cmd: ['/bin/sh', '-c', 'echo rescuer; exec sleep 1000'] });
  });
  after(async () => await rig.close());

  const inside = async (id: string, line: string): Promise<string> => (await rig.inside(id, 'sh', '-c', line)).output;
  const address = (text: string): string => /inet (10\.99\.[\d.]+)/.exec(text)?.[1] ?? '';

  test(`a server is mended from outside: its files at /mnt/rescue, its addresses kept (disk limit ${disk_limit})`, async () => {
    const own = rig.spec(image);
    const { server_id: id } = own;
    await rig.driver.spawn(own);
    await inside(id, 'echo broken > /etc/state; mkdir /data; ip addr show eth0 > /data/net');
    const spec = { ...rig.spec(other), server_id: id, incarnation: 'first', passwords: [{ user: 'root', hash: '$6$a$b' }], options: { restart: { name: 'no' as const, most: 0 } } };
    const [first, second] = [await rig.driver.rescue(spec), await rig.driver.rescue(spec)];
    assert.equal(first.power_state, 'running');
    assert.equal(second.container_id, first.container_id, 'asked twice it is done once');
    assert.deepEqual((await rig.driver.list()).filter(({ server_id }) => server_id === id).map(({ container_id }) => container_id), [first.container_id]);
    await until('the other guest', () => rig.driver.consoleOutput(id, undefined), (text) => text.includes('rescuer'));
    const shell = async (line: string): Promise<string> => (await rig.inside(`${id}-rescue`, 'sh', '-c', line)).output;
    assert.equal(await shell('cat /mnt/rescue/etc/state'), 'broken\n');
    assert.equal(await shell('cat /etc/marker'), `other ${disk_limit}`);
    assert.match(await shell('cat /etc/passwd'), /^root:\$6\$a\$b:/);
    assert.equal(address(await shell('ip addr show eth0')), address(await shell('cat /mnt/rescue/data/net')));
    await shell('echo mended > /mnt/rescue/etc/state; touch /only-here');
    const next = await rig.again();
    assert.equal((await next.inspect(id))!.container_id, first.container_id, 'the next agent knows');
    const back = await next.unrescue(id, { start: true });
    assert.equal(back.power_state, 'running');
    assert.equal((await next.unrescue(id, { start: true })).container_id, back.container_id);
    assert.equal(await inside(id, 'cat /etc/state; ls /only-here'), 'mended\nls: /only-here: No such file or directory\n');
    assert.equal((await rig.containersOf(id)).length, 1);
    assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(`/rescue/${id}`), 'nothing stays mounted');
  });

  test(`a rescue that fails leaves the server as it was, and a deletion leaves nothing (disk limit ${disk_limit})`, async () => {
    const own = rig.spec(image);
    const { server_id: id } = own;
    await rig.driver.spawn(own);
    const dead = await makeImage({ marker: `dead ${disk_limit}`, cmd: ['/bin/sh', '-c', 'echo no; exit 3'] });
    const failing = { ...rig.spec(dead), server_id: id, incarnation: 'a', options: {} };
    await rig.driver.rescue(failing).then(() => {}, (error: { code: string }) => assert.match(error.code, /^compute\.(rescue|start)-failed$/));
    assert.equal((await rig.driver.unrescue(id, { start: true })).power_state, 'running');
    await rig.driver.rescue({ ...rig.spec(other), server_id: id, incarnation: 'b' });
    await rig.driver.destroy(id);
    assert.deepEqual(await rig.containersOf(id), []);
    assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(id));
    assert.equal(existsSync(`/run/netns/${rig.cloud}-${id.slice(0, 8)}`), false);
  });

  test(`by force the server itself comes up (disk limit ${disk_limit})`, async () => {
    const own = rig.spec(image);
    const { server_id: id } = own;
    const { container_id } = await rig.driver.spawn(own);
    await rig.driver.rescue({ ...rig.spec(other), server_id: id, incarnation: 'b' });
    assert.equal((await rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 })).container_id, container_id);
    assert.equal((await rig.containersOf(id)).length, 1);
  });
}
