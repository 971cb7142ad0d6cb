/**
 * A server by the API beside `docker run -d` of the same image, in turns on the same machine.
 * `node bench/boot.ts [--rounds 20] [--width 50] [--disk 0] [--out FILE]`. Needs root, Docker and the runtime that `./gantry up` installs.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildGuestImage } from '../src/cli/guest-image.ts';
import { runProgram, startRealCloud, type RealCloud } from '../test/support/real-cloud.ts';
import { addressOf, createServer, deleteServer, isGone, makeFlavor, makeImage, makeOpenGroup, makePublicNetwork, waitServer, type ServerView } from '../test/support/real-cloud-world.ts';
import { least, median, report, type Figure } from './measure.ts';

const LABEL = 'gantry.bench=boot';
const TOML = '[compute]\ncpu_allocation_ratio = 64\nquota_instances = -1\nquota_cores = -1\nquota_ram = -1\n\n[network]\nquota_port = -1\n';

interface Bench {
  cloud: RealCloud;
  /** Makes a server and gives its id. */
  post(name: string): Promise<string>;
  /** The image as the node's engine knows it. */
  tag: string;
}

async function prepare(disk: number): Promise<Bench> {
  const cloud = await startRealCloud({ name: 'gbboot', toml: TOML });
  try {
    const { admin } = cloud;
    const imageRef = await makeImage(admin, 'hello', buildGuestImage());
    const flavorRef = await makeFlavor(admin, 'bench', { disk });
    const network = await makePublicNetwork(admin, '10.10.79');
    const group = await makeOpenGroup(admin);
    const post = (name: string): Promise<string> => createServer(admin, { name, imageRef, flavorRef, networks: [{ uuid: network }], security_groups: [{ name: group }] });
    // The first boot brings the image to the node.
    const first = await post('warm');
    await portAnswers(addressOf(await waitServer(admin, first, 'ACTIVE')));
    const { stdout } = await docker('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=gantry/*/${imageRef}`);
    await deleteServer(admin, first);
    return { cloud, post, tag: stdout.trim() };
  } catch (error) {
    await cloud.stop();
    throw error;
  }
}

async function docker(...args: string[]): Promise<{ stdout: string }> {
  const ran = await runProgram(['docker', ...args]);
  if (ran.code !== 0) throw new Error(`docker ${args.join(' ')}: ${ran.stderr}`);
  return ran;
}

/** Until the guest's own network stack answers, by refusing a port that nothing listens on: the cable works both ways. */
async function portAnswers(address: string): Promise<void> {
  for (;;) {
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: address, port: 9, timeout: 1000 });
      socket.once('connect', () => resolve(true)).once('timeout', () => resolve(false)).once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
      socket.once('close', () => socket.destroy());
    });
    if (answered) return;
    await sleep(2);
  }
}

interface Times {
  active: number[];
  working: number[];
  docker: number[];
}

async function oneByOne({ cloud, post, tag }: Bench, rounds: number): Promise<Times> {
  const times: Times = { active: [], working: [], docker: [] };
  const byApi = async (round: number): Promise<void> => {
    const began = performance.now();
    const id = await post(`boot-${round}`);
    const server = await untilActive(cloud, id);
    times.active.push(performance.now() - began);
    await portAnswers(addressOf(server));
    times.working.push(performance.now() - began);
    await deleteServer(cloud.admin, id);
  };
  const byDocker = async (): Promise<void> => {
    const began = performance.now();
    const { stdout } = await docker('run', '-d', '--network', 'bridge', '--label', LABEL, tag);
    times.docker.push(performance.now() - began);
    await docker('rm', '-f', stdout.trim());
  };
  for (let round = 0; round < rounds; round++) {
    const turns = [() => byApi(round), byDocker];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
  }
  return times;
}

async function untilActive({ admin }: RealCloud, id: string): Promise<ServerView> {
  for (;;) {
    const { server } = (await admin.call('compute', 'GET', `/servers/${id}`)) as { server: ServerView };
    if (server.status === 'ACTIVE') return server;
    if (server.status === 'ERROR') throw new Error(`server ${id}: ${server.fault?.message}`);
    await sleep(10);
  }
}

/** @returns ms until all of `width` were there. */
async function manyByApi({ cloud, post }: Bench, width: number): Promise<number> {
  const { admin } = cloud;
  const began = performance.now();
  const ids = await Promise.all(Array.from({ length: width }, (_, number) => post(`many-${number}`)));
  const waiting = new Set(ids);
  const answering: Promise<void>[] = [];
  while (waiting.size > 0) {
    const { servers } = (await admin.call('compute', 'GET', '/servers/detail?limit=1000')) as { servers: ServerView[] };
    for (const server of servers) {
      if (server.status === 'ERROR') throw new Error(`server ${server.id}: ${server.fault?.message}`);
      if (server.status === 'ACTIVE' && waiting.delete(server.id)) answering.push(portAnswers(addressOf(server)));
    }
    await sleep(50);
  }
  await Promise.all(answering);
  const ms = performance.now() - began;
  await Promise.all(ids.map((id) => admin.call('compute', 'DELETE', `/servers/${id}`)));
  for (const id of ids) while (!(await isGone(admin, id))) await sleep(50);
  return ms;
}

async function manyByDocker({ tag }: Bench, width: number): Promise<number> {
  const began = performance.now();
  const ran = await Promise.all(Array.from({ length: width }, () => docker('run', '-d', '--network', 'bridge', '--label', LABEL, tag)));
  const ms = performance.now() - began;
  await docker('rm', '-f', ...ran.map(({ stdout }) => stdout.trim()));
  return ms;
}

async function removeOwn(): Promise<void> {
  const { stdout } = await docker('ps', '-aq', '--filter', `label=${LABEL}`);
  const ids = stdout.split('\n').filter((id) => id !== '');
  if (ids.length > 0) await docker('rm', '-f', ...ids);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' }, width: { type: 'string', default: '50' }, waves: { type: 'string', default: '3' }, disk: { type: 'string', default: '0' }, out: { type: 'string' } } });
  const width = Number(values.width);
  await removeOwn();
  const bench = await prepare(Number(values.disk));
  try {
    const times = await oneByOne(bench, Number(values.rounds));
    const waves = { api: [] as number[], docker: [] as number[] };
    for (let wave = 0; wave < Number(values.waves); wave++) {
      waves.api.push(await manyByApi(bench, width));
      waves.docker.push(await manyByDocker(bench, width));
    }
    report('Boot', figures(times, waves, width), values.out);
  } finally {
    await bench.cloud.stop();
    await removeOwn();
  }
}

function figures(times: Times, waves: { api: number[]; docker: number[] }, width: number): Figure[] {
  const pair = (name: string, list: number[]): Figure[] => [
    { name: `${name}, median`, value: median(list), unit: 'ms', note: `n = ${list.length}` },
    { name: `${name}, least`, value: least(list), unit: 'ms' },
  ];
  const seconds = (list: number[]): string => list.map((ms) => (ms / 1000).toFixed(2)).join(' ');
  return [
    ...pair('POST to ACTIVE', times.active),
    ...pair('POST to ACTIVE and port answers', times.working),
    ...pair('docker run -d', times.docker),
    { name: 'ratio of medians', value: median(times.working) / median(times.docker), unit: '×', budget: { at: '<=', value: 0.9 } },
    { name: 'ratio of least', value: least(times.working) / least(times.docker), unit: '×' },
    { name: `${width} servers at once`, value: (width * 1000) / median(waves.api), unit: 'per s', note: `${seconds(waves.api)} s` },
    { name: `${width} docker run -d at once`, value: (width * 1000) / median(waves.docker), unit: 'per s', note: `${seconds(waves.docker)} s` },
    { name: 'ratio of rates', value: median(waves.docker) / median(waves.api), unit: '×', budget: { at: '>=', value: 1.2 } },
  ];
}

await main();
