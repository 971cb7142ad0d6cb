/** `node test/real/compute/spawn-bench.ts [n]`: a spawn with its network beside `docker run -d` of the same image, in turns. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { imageTag } from '../../../src/agents/compute/drivers/docker/container-config.ts';
import { createRig, makeImage } from './harness.ts';

const exec = promisify(execFile);
const rounds = Number(process.argv[2] ?? 20);
const rig = await createRig();
try {
  const image = await makeImage({ marker: 'bench' });
  const warm = rig.spec(image);
  await rig.driver.spawn(warm);
  const tag = imageTag(rig.cloud, image.ref);
  const times: Record<string, number[]> = {};
  const measure = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    await work();
    (times[what] ??= []).push(performance.now() - began);
  };
  const host = { NetworkMode: 'bridge' };
  const label = { 'gantry.cloud': rig.cloud, 'gantry.server': 'bare' };
  for (let round = 0; round < rounds; round += 1) {
    const spec = rig.spec(image);
    await measure('spawn with network', () => rig.driver.spawn(spec));
    await measure('destroy', () => rig.driver.destroy(spec.server_id));
    let id = '';
    await measure('docker run -d (bridge)', async () => {
      id = (await exec('docker', ['run', '-d', '--network', 'bridge', '--label', `gantry.cloud=${rig.cloud}`, tag])).stdout.trim();
    });
    await measure('docker rm -f', () => exec('docker', ['rm', '-f', id]));
    await measure('engine API create + start (bridge)', async () => {
      ({ Id: id } = await rig.engine.json<{ Id: string }>('POST', '/containers/create', { body: { Image: tag, Labels: label, HostConfig: host } }));
      await rig.engine.json('POST', `/containers/${id}/start`);
    });
    await rig.engine.json('DELETE', `/containers/${id}`, { query: { force: 1 } });
  }
  for (const width of [8, 50]) {
    const specs = Array.from({ length: width }, () => rig.spec(image));
    await measure(`${width} spawns at once`, () => Promise.all(specs.map((spec) => rig.driver.spawn(spec))));
    await measure(`${width} destroys at once`, () => Promise.all(specs.map((spec) => rig.driver.destroy(spec.server_id))));
    const runs = specs.map(() => ['run', '-d', '--network', 'bridge', '--label', `gantry.cloud=${rig.cloud}`, tag]);
    let ids: string[] = [];
    await measure(`${width} docker run -d at once`, async () => {
      ids = (await Promise.all(runs.map((args) => exec('docker', args)))).map((one) => one.stdout.trim());
    });
    await exec('docker', ['rm', '-f', ...ids]);
  }
  for (const [what, list] of Object.entries(times)) {
    list.sort((a, b) => a - b);
    console.log(`${what.padEnd(38)} n ${String(list.length).padStart(3)}  min ${list[0]!.toFixed(0).padStart(5)}  median ${list[list.length >> 1]!.toFixed(0).padStart(5)}  max ${list.at(-1)!.toFixed(0).padStart(5)} ms`);
  }
} finally {
  await rig.close();
}
