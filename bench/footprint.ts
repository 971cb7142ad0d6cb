/**
 * Memory of controller and agent, idle and with servers, and what they burn while nothing happens.
 * `node bench/footprint.ts [--servers 100] [--seconds 20] [--out FILE]`. Needs root, Docker and the runtime that `./gantry up` installs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildGuestImage } from '../src/cli/guest-image.ts';
import { startRealCloud, type PartName, type RealCloud } from '../test/support/real-cloud.ts';
import { makeFlavor, makeImage, makeNetwork } from '../test/support/real-cloud-world.ts';
import { cpuMs, pssMib, report, type Figure } from './measure.ts';

const TOML = '[compute]\ncpu_allocation_ratio = 64\nquota_instances = -1\nquota_cores = -1\nquota_ram = -1\n\n[network]\nquota_port = -1\n';
const parts: PartName[] = ['controller', 'agent'];

interface Rest {
  pss: Record<string, number>;
  /** Percent of one core. */
  cpu: Record<string, number>;
}

async function atRest(cloud: RealCloud, seconds: number): Promise<Rest> {
  // What was begun by whatever came before ends.
  await sleep(5000);
  const before = parts.map((part) => cpuMs(cloud.pid(part)!));
  await sleep(seconds * 1000);
  const rest: Rest = { pss: {}, cpu: {} };
  parts.forEach((part, index) => {
    rest.cpu[part] = (cpuMs(cloud.pid(part)!) - before[index]!) / (seconds * 10);
    rest.pss[part] = pssMib(cloud.pid(part)!);
  });
  return rest;
}

function figures(when: string, { pss, cpu }: Rest, budget: { pss: number; cpu?: number }): Figure[] {
  const both = (values: Record<string, number>): number => parts.reduce((total, part) => total + values[part]!, 0);
  const split = (values: Record<string, number>): string => parts.map((part) => `${part} ${values[part]!.toFixed(1)}`).join(', ');
  return [
    { name: `memory ${when}`, value: both(pss), unit: 'MiB PSS', budget: { at: '<=', value: budget.pss }, note: split(pss) },
    { name: `CPU ${when}`, value: both(cpu), unit: '% of a core', ...(budget.cpu !== undefined && { budget: { at: '<=' as const, value: budget.cpu } }), note: split(cpu) },
  ];
}

async function boot({ admin }: RealCloud, count: number): Promise<void> {
  const image = await makeImage(admin, 'hello', buildGuestImage());
  const flavor = await makeFlavor(admin, 'bench');
  const network = await makeNetwork(admin, 'bench', '10.100.0.0/16');
  for (let made = 0; made < count; made += 10) {
    const now = Math.min(10, count - made);
    await admin.call('compute', 'POST', '/servers', { server: { name: `bench-${made}`, imageRef: image, flavorRef: flavor, networks: [{ uuid: network }], min_count: now, max_count: now } });
  }
  for (;;) {
    const { servers } = (await admin.call('compute', 'GET', '/servers/detail?limit=1000')) as { servers: { status: string; fault?: { message: string } }[] };
    const failed = servers.find((server) => server.status === 'ERROR');
    if (failed !== undefined) throw new Error(`a server did not boot: ${failed.fault?.message}`);
    if (servers.length === count && servers.every((server) => server.status === 'ACTIVE')) return;
    await sleep(500);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { servers: { type: 'string', default: '100' }, seconds: { type: 'string', default: '20' }, out: { type: 'string' } } });
  const cloud = await startRealCloud({ name: 'gbfoot', toml: TOML });
  try {
    const idle = await atRest(cloud, Number(values.seconds));
    await boot(cloud, Number(values.servers));
    const busy = await atRest(cloud, Number(values.seconds));
    report('Footprint', [...figures('idle', idle, { pss: 200, cpu: 1 }), ...figures(`with ${values.servers} servers`, busy, { pss: 350 })], values.out);
  } finally {
    await cloud.stop();
  }
}

await main();
