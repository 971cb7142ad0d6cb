import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { alive, createRig, makeImage, until, type Rig } from './harness.ts';
import { createOwnEngine, type OwnEngine } from './own-engine.ts';

let own: OwnEngine;
let rig: Rig;
before(async () => {
  own = await createOwnEngine();
  rig = await createRig(own.socket);
});
after(async () => {
  await rig?.close();
  await own?.close();
});

/** What runs of a container: members of its control group, and its shim. */
async function processes(containerId: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const told = (await read('cgroup')) + ((await read('comm')).startsWith('containerd-shim') ? await read('cmdline') : '');
    if (told.includes(containerId) && (await alive(pid))) found.push(pid);
  }
  return found;
}

test('a guest that the engine has forgotten is ended with its shim; what is not of this cloud runs on', async () => {
  const image = await makeImage({ marker: 'orphans' });
  const [lost, kept] = [rig.spec(image), rig.spec(image)];
  const { container_id: lostId } = await rig.driver.spawn(lost);
  const { container_id: keptId } = await rig.driver.spawn(kept);
  const [{ Image }] = await rig.engine.json<[{ Image: string }]>('GET', '/containers/json');
  const foreign = await rig.engine.json<{ Id: string }>('POST', '/containers/create', { body: { Image, Cmd: ['/bin/sleep', '1000'], HostConfig: { NetworkMode: 'none' } } });
  await rig.engine.json('POST', `/containers/${foreign.Id}/start`);

  await own.stop('SIGKILL');
  await own.forget(lostId!);
  await own.forget(foreign.Id);
  await own.start();
  assert.ok((await processes(lostId!)).length >= 2, 'the guest and its shim outlive the engine');
  const others = [await processes(foreign.Id), await processes(keptId!)];
  assert.ok(others.every((pids) => pids.length >= 2));
  assert.deepEqual((await rig.driver.list()).map(({ server_id }) => server_id), [kept.server_id]);

  await until('the end of the orphan', () => processes(lostId!), (pids) => pids.length === 0);
  assert.deepEqual([await processes(foreign.Id), await processes(keptId!)], others, 'what is not lost, or of somebody else, was touched');
  assert.equal((await rig.driver.inspect(kept.server_id))?.power_state, 'running');
  await rig.driver.destroy(lost.server_id);
  await rig.driver.destroy(kept.server_id);
});

test('also by an agent that starts after it', async () => {
  const spec = rig.spec(await makeImage({ marker: 'orphans' }));
  const { container_id: id } = await rig.driver.spawn(spec);
  await own.stop('SIGKILL');
  await own.forget(id!);
  await own.start();
  await rig.again();
  await until('the end of the orphan', () => processes(id!), (pids) => pids.length === 0);
});

test('a guest that containerd has lost is ended, since its server counts as off, and the server starts again', async () => {
  const spec = rig.spec(await makeImage({ marker: 'orphans' }));
  const { container_id: id } = await rig.driver.spawn(spec);
  await own.stop('SIGKILL');
  await own.loseTasks();
  await own.start();
  assert.notEqual((await rig.driver.inspect(spec.server_id))?.power_state, 'running');
  const seen = await processes(id!);
  assert.ok(seen.length >= 2, 'the guest and its shim outlive containerd');
  await until('the end of the orphan', async () => (await rig.driver.list(), await processes(id!)), (pids) => pids.length === 0, 60_000);
  assert.equal((await rig.driver.power(spec.server_id, { action: 'start' })).power_state, 'running');
  assert.ok(!(await processes(id!)).some((pid) => seen.includes(pid)));
});
