/**
 * A change of size in place, its confirmation, and a deletion by the API beside `docker update` and `docker rm -f` of the same image, in turns on the same machine.
 * `node bench/resize.ts [--rounds 20] [--out FILE]`. Needs root, Docker and the runtime that `./gantry up` installs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildGuestImage } from '../src/cli/guest-image.ts';
import { type RealCloud, runProgram, startRealCloud } from '../test/support/real-cloud.ts';
import { DOCKER_SOCKET } from '../test/support/real-cloud-remains.ts';
import { createServer, isGone, makeFlavor, makeImage, makeNetwork, waitServer, type ServerView } from '../test/support/real-cloud-world.ts';
import { least, median, report, type Figure } from './measure.ts';

const LABEL = 'gantry.bench=resize';
const TOML = '[compute]\nquota_instances = -1\nquota_cores = -1\nquota_ram = -1\n';

async function docker(...args: string[]): Promise<string> {
  const ran = await runProgram(['docker', '-H', `unix://${DOCKER_SOCKET}`, ...args]);
  if (ran.code !== 0) throw new Error(`docker ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout.trim();
}

async function untilStatus({ admin }: RealCloud, id: string, status: string): Promise<void> {
  for (;;) {
    const { server } = (await admin.call('compute', 'GET', `/servers/${id}`)) as { server: ServerView };
    if (server.status === status) return;
    if (server.status === 'ERROR') throw new Error(`server ${id}: ${server.fault?.message}`);
    await sleep(5);
  }
}

type Times = Record<'resize' | 'confirm' | 'remove' | 'update' | 'rm', number[]>;

async function timed(list: number[], work: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  await work();
  list.push(performance.now() - began);
}

async function rounds(cloud: RealCloud, count: number): Promise<Times> {
  const { admin } = cloud;
  const imageRef = await makeImage(admin, 'hello', buildGuestImage());
  const [small, large] = [await makeFlavor(admin, 'small', { ram: 64 }), await makeFlavor(admin, 'large', { ram: 128, vcpus: 2 })];
  const network = await makeNetwork(admin, 'office', '192.168.44.0/24');
  const times: Times = { resize: [], confirm: [], remove: [], update: [], rm: [] };
  let tag = '';
  const act = (id: string, body: object): Promise<unknown> => admin.call('compute', 'POST', `/servers/${id}/action`, body);
  const byApi = async (round: number): Promise<void> => {
    const id = await createServer(admin, { name: `size-${round}`, imageRef, flavorRef: small, networks: [{ uuid: network }] });
    await waitServer(admin, id, 'ACTIVE');
    tag = await docker('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=gantry/*/${imageRef}`);
    await timed(times.resize, async () => { await act(id, { resize: { flavorRef: large } }); await untilStatus(cloud, id, 'VERIFY_RESIZE'); });
    await timed(times.confirm, async () => { await act(id, { confirmResize: null }); await untilStatus(cloud, id, 'ACTIVE'); });
    await timed(times.remove, async () => { await admin.call('compute', 'DELETE', `/servers/${id}`); while (!(await isGone(admin, id))) await sleep(5); });
  };
  const byDocker = async (): Promise<void> => {
    const id = await docker('run', '-d', '--network', 'none', '--memory', '64m', '--memory-swap', '64m', '--cpus', '1', '--label', LABEL, tag);
    await timed(times.update, () => docker('update', '--memory', '128m', '--memory-swap', '128m', '--cpus', '2', '--pids-limit', '4096', id));
    await timed(times.rm, () => docker('rm', '-f', id));
  };
  for (let round = 0; round < count; round++) {
    await byApi(round);
    await byDocker();
  }
  return times;
}

function figures(times: Times): Figure[] {
  const pair = (name: string, list: number[]): Figure[] => [
    { name: `${name}, median`, value: median(list), unit: 'ms', note: `n = ${list.length}` },
    { name: `${name}, least`, value: least(list), unit: 'ms' },
  ];
  return [
    ...pair('resize to VERIFY_RESIZE', times.resize),
    ...pair('confirmResize to ACTIVE', times.confirm),
    ...pair('docker update', times.update),
    { name: 'ratio of medians, resize', value: median(times.resize) / median(times.update), unit: '×' },
    ...pair('DELETE until 404', times.remove),
    ...pair('docker rm -f', times.rm),
    { name: 'ratio of medians, delete', value: median(times.remove) / median(times.rm), unit: '×' },
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' }, out: { type: 'string' } } });
  const cloud = await startRealCloud({ name: 'gbsize', toml: TOML });
  try {
    report('Resize and delete', figures(await rounds(cloud, Number(values.rounds))), values.out);
  } finally {
    await cloud.stop();
    const left = (await docker('ps', '-aq', '--filter', `label=${LABEL}`)).split('\n').filter((id) => id !== '');
    if (left.length > 0) await docker('rm', '-f', ...left);
  }
}

await main();
