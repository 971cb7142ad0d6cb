/** Removes from Docker and the kernel what a cloud of this name has, whether or not its rows are still there. */
import { existsSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createLinuxNetworkDriver } from '../../src/agents/network/drivers/linux/index.ts';
import { dockerRequest, engineAnswers } from '../../src/cli/docker.ts';
import { hostProbes } from '../../src/cli/doctor/probes.ts';
import { viewsOf } from '../../src/cli/leftovers.ts';
import { silentLog } from '../../src/kernel/log/log.ts';

export const DOCKER_SOCKET = process.env['GANTRY_TEST_DOCKER'] ?? '/var/run/docker.sock';
const NETNS_LINKS = '/run/gantry/netns';

export async function removeRemains(name: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  if (await engineAnswers(DOCKER_SOCKET)) await removeContainers(name);
  const traces = [...entries('/run/netns'), ...entries('/sys/class/net')].some((entry) => entry === name || entry.startsWith(`${name}-`));
  if (traces) await removeWiring(name);
  for (const folder of viewsOf(name, hostProbes())) rmSync(folder, { recursive: true, force: true });
  for (const entry of entries(NETNS_LINKS)) {
    if (readlinkSync(join(NETNS_LINKS, entry)).startsWith(`/run/netns/${name}-`)) rmSync(join(NETNS_LINKS, entry), { force: true });
  }
}

async function removeContainers(name: string): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`gantry.cloud=${name}`] }));
  const containers = (await dockerRequest(DOCKER_SOCKET, 'GET', `/containers/json?all=1&filters=${filters}`, 60_000)) as { Id: string }[];
  for (const { Id: id } of containers) {
    await ignoring([404, 409], dockerRequest(DOCKER_SOCKET, 'DELETE', `/containers/${id}?force=1&v=1`, 60_000));
    rmSync(join(NETNS_LINKS, id), { force: true });
  }
  const images = (await dockerRequest(DOCKER_SOCKET, 'GET', '/images/json')) as { RepoTags: string[] | null }[];
  for (const tag of images.flatMap((image) => image.RepoTags ?? [])) {
    if (tag.startsWith(`gantry/${name}/`)) await ignoring([404, 409], dockerRequest(DOCKER_SOCKET, 'DELETE', `/images/${encodeURIComponent(tag)}`, 60_000));
  }
}

async function removeWiring(name: string): Promise<void> {
  const driver = createLinuxNetworkDriver({ cloud: name, log: silentLog });
  try {
    await driver.purge();
  } finally {
    await driver.close();
  }
}

async function ignoring(statuses: number[], work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!statuses.includes((error as { status?: number }).status ?? 0)) throw error;
  }
}

function entries(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
