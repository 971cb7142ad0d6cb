import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRig, makeImage, until, type Rig, type TestImage } from './harness.ts';

let rig: Rig;
let image: TestImage;
before(async () => {
  rig = await createRig();
  image = await makeImage({ marker: 'options' });
});
after(async () => await rig.close());

const inspect = async (id: string): Promise<any> => await rig.engine.json('GET', `/containers/${(await rig.containersOf(id))[0]}/json`);

test('a container is as its maker says', async () => {
  const spec = rig.spec(image, {
    command: ['-c', 'trap "echo bye; exit 3" INT; echo "pid $$ in $PWD"; while :; do sleep 0.05; done'],
    options: {
      entrypoint: ['/bin/sh'], working_dir: '/tmp', user: '1000:1000', init: false, read_only: true, stop_signal: 'SIGINT', stop_timeout: 7,
      tmpfs: { '/cache': 'nosuid,nodev,size=1m' }, ulimits: [{ name: 'nofile', soft: 100, hard: 200 }], labels: { team: 'blue', 'gantry.server': 'mine' },
    },
  });
  const { server_id: id } = spec;
  await rig.driver.spawn(spec);
  await until('the guest', () => rig.driver.consoleOutput(id, undefined), (text) => text.includes('pid 1 in /tmp'));
  const said = await rig.inside(id, 'sh', '-c', 'id -u; ulimit -n; touch /x || echo refused; touch /cache/x && echo written; grep -c " /cache tmpfs" /proc/mounts');
  assert.match(said.output, /^1000\n/);
  assert.match(said.output, /\n100\n/);
  assert.match(said.output, /refused/);
  const { Config } = await inspect(id);
  assert.deepEqual([Config.Labels.team, Config.Labels['gantry.server'], Config.StopTimeout], ['blue', id, 7]);
  const end = await rig.driver.power(id, { action: 'stop', timeout_seconds: 30 });
  assert.deepEqual([end.power_state, end.exit_code], ['shutdown', 3], 'it was asked by its own signal');
});

test('a flavor gives capabilities and shares', async () => {
  const spec = rig.spec(image, { of_flavor: { cap_add: ['NET_ADMIN'], cpu_shares: 200, cpu_period: 50_000, cpu_quota: 10_000 } });
  await rig.driver.spawn(spec);
  const { HostConfig } = await inspect(spec.server_id);
  assert.deepEqual([HostConfig.CpuShares, HostConfig.CpuPeriod, HostConfig.CpuQuota], [200, 50_000, 10_000]);
  assert.equal((await rig.inside(spec.server_id, 'ip', 'link', 'set', 'lo', 'mtu', '1400')).code, 0);
  const plain = rig.spec(image);
  await rig.driver.spawn(plain);
  assert.notEqual((await rig.inside(plain.server_id, 'ip', 'link', 'set', 'lo', 'mtu', '1400')).code, 0);
});

test('a runtime that the engine does not have is said by name', async () => {
  assert.deepEqual((await rig.driver.resources()).runtimes, []);
  await assert.rejects(rig.driver.spawn(rig.spec(image, { of_flavor: { runtime: 'runsc' } })), { code: 'compute.runtime-missing', status: 503, message: /runsc/ });
});
