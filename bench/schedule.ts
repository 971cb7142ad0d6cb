/**
 * How many servers are given a node in a second when there are many nodes.
 * `node bench/schedule.ts [--hosts 1000] [--servers 1000] [--concurrency 4] [--out FILE]`: nodes in memory, in one process, on a database of its own. No root, no Docker.
 */
import { parseArgs } from 'node:util';
import { uuid } from '../src/kernel/ids.ts';
import { createBuildFailures } from '../src/services/compute/model/build-failures.ts';
import { claimPlace } from '../src/services/compute/tasks/place-server.ts';
import { serveCompute, type ServedWorld } from '../test/support/compute-world.ts';
import { type Figure, percentile, report } from './measure.ts';

const NO_QUOTA = { quota_instances: -1, quota_cores: -1, quota_ram: -1 };

/** Of a server that has been made: what others like it are asked for with. */
async function model(world: ServedWorld) {
  const id = await world.boot();
  const { read } = world.db;
  const row = await read.selectFrom('compute_servers').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const boot = await read.selectFrom('compute_server_boots').selectAll().where('server_id', '=', id).executeTakeFirstOrThrow();
  return { row, boot };
}

async function schedule(world: ServedWorld, servers: number, concurrency: number): Promise<{ took: number[]; elapsed: number; cpu: number; hosts: number }> {
  const { row, boot } = await model(world);
  const took: number[] = [];
  const hosts = new Set<string>();
  let left = servers;
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const from = performance.now();
      const { host } = await claimPlace({ ...world.deps, failures: createBuildFailures() } as never, { row: { ...row, id: uuid(), node_id: null } as never, boot: boot as never, excluded: [] });
      took.push(performance.now() - from);
      hosts.add(host);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
  const { user, system } = process.cpuUsage(cpu);
  return { took, elapsed: performance.now() - began, cpu: (user + system) / 1000, hosts: hosts.size };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { hosts: { type: 'string', default: '1000' }, servers: { type: 'string', default: '1000' }, concurrency: { type: 'string', default: '4' }, out: { type: 'string' } } });
  const [nodes, servers, concurrency] = [Number(values.hosts), Number(values.servers), Number(values.concurrency)];
  const world = await serveCompute({ nodes, config: NO_QUOTA });
  try {
    const { took, elapsed, cpu, hosts } = await schedule(world, servers, concurrency);
    const figures: Figure[] = [
      { name: `schedules, ${nodes} hosts`, value: (servers * 1000) / elapsed, unit: 'per s', note: `${servers} servers came to ${hosts} hosts, ${concurrency} at once` },
      { name: 'one schedule: CPU', value: cpu / servers, unit: 'ms' },
      { name: 'one schedule, p50', value: percentile(took, 50), unit: 'ms' },
      { name: 'one schedule, p99', value: percentile(took, 99), unit: 'ms' },
      { name: 'memory of the process', value: process.memoryUsage().rss / 1048576, unit: 'MiB', note: 'with all nodes in it' },
    ];
    report('Scheduler', figures, values.out);
  } finally {
    await world.close();
  }
}

await main();
