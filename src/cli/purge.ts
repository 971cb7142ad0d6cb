import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { silentLog } from '../kernel/log/log.ts';
import { cloudsYamlPath, editCloudsYaml, entryNames, removeClouds } from './clouds-yaml.ts';
import { foreignEntries, OWN_ENTRIES } from './data-dir.ts';
import { dockerRequest, engineAnswers } from './docker.ts';
import { hostProbes, run, which } from './doctor/probes.ts';
import { refuseSharedEngine, stopCloud } from './down.ts';
import { CliError } from './errors.ts';
import { containersOf } from './guests.ts';
import { removeLeftovers, VIEWS } from './leftovers.ts';
import { releaseBelow } from './mounts.ts';
import type { Output } from './output.ts';
import type { Settings } from './settings.ts';
import { engineDir, ownsEngine, stopOwnPair, unregisterRuntime } from './up/engine.ts';
import { takeLock } from './up/lock.ts';
import { otherClouds, refuseNamesake, removeRuntime } from './up/runtime.ts';
import { forgetFirewall } from './up/firewall.ts';
import { forgetTraces } from './up/traces.ts';

const NAMESPACES = '/run/netns';

/** `gantry down --purge`: removes all that Gantry made for this cloud, and only that. Names each thing. */
export async function purge(settings: Settings, output: Output): Promise<number> {
  const { data_dir, config } = settings;
  if (process.getuid?.() !== 0) throw new CliError('GY-ROOT-001', 'namespaces and containers can be removed by root only', { next: 'sudo ./gantry down --purge' });
  refuseNamesake(config.cloud.name, data_dir, 'down --purge');
  await refuseSharedEngine(settings);
  const release = existsSync(data_dir) ? takeLock(data_dir, 'down') : () => {};
  const parts: (() => Promise<string[]> | string[])[] = [
    () => (existsSync(data_dir) ? stopCloud(settings) : []),
    () => removeContainers(settings),
    () => removeNetworks(config.cloud.name),
    () => removeLeftovers(config.cloud.name, config.agent.state_dir, hostProbes()),
    () => removeEngine(settings),
    () => removeEmptyFolders(),
    () => removeClientEntry(settings),
  ];
  const troubles: string[] = [];
  try {
    // One part that resists does not keep the others.
    for (const part of parts) {
      try {
        for (const line of await part()) output.note(line);
      } catch (error) {
        troubles.push((error as Error).message);
      }
    }
    if (troubles.length > 0) throw new CliError('GY-PURGE-001', `not all could be removed: ${troubles.join('; ')}`, { next: 'put that right, then run the same command again' });
    for (const line of removeDataDir(data_dir)) output.note(line);
    output.note('packages that were installed stay; everything else of this cloud is gone');
    return 0;
  } finally {
    release();
  }
}

async function removeContainers(settings: Settings): Promise<string[]> {
  const socket = settings.config.agent.docker_socket;
  const { name } = settings.config.cloud;
  // An engine of our own that is down goes with all its files.
  if (ownsEngine(settings.data_dir) && !(await engineAnswers(socket))) return [];
  if (!(await engineAnswers(socket))) {
    // no agent ever ran here, so there never was a container
    if (!settings.exists || readdirIf(join(settings.data_dir, 'agent')).length === 0) return [];
    throw new CliError('GY-DOCKER-001', `Docker does not answer at ${socket}, so the containers of this cloud cannot be removed`, { next: 'start Docker, then run the same command again' });
  }
  const containers = await containersOf(socket, name);
  await Promise.all(containers.map((container) => dockerRequest(socket, 'DELETE', `/containers/${container.id}?force=1&v=1`, 60_000)));
  for (const { id } of containers) rmSync(join('/run/gantry/netns', id), { force: true });
  return [...containers.map((container) => `removed container ${container.name}`), ...(await removeImages(socket, name))];
}

/** Images are named gantry/<cloud>/<id>. */
async function removeImages(socket: string, cloud: string): Promise<string[]> {
  const rows = (await dockerRequest(socket, 'GET', '/images/json')) as { Id: string; RepoTags: string[] | null }[];
  const tags = rows.flatMap((row) => row.RepoTags ?? []).filter((tag) => tag.startsWith(`gantry/${cloud}/`));
  const gone: string[] = [];
  for (const tag of tags) {
    const done = await dockerRequest(socket, 'DELETE', `/images/${encodeURIComponent(tag)}`).then(() => true, (error: Error & { status?: number }) => {
      // In use by a container that is not ours.
      if (error.status === 409 || error.status === 404) return false;
      throw error;
    });
    if (done) gone.push(`removed image ${tag}`);
  }
  return gone;
}

async function removeNetworks(name: string): Promise<string[]> {
  const ours = (): string[] => readdirIf(NAMESPACES).filter((namespace) => namespace === name || namespace.startsWith(`${name}-`));
  const links = (): string[] => readdirIf('/sys/class/net').filter((link) => link.startsWith(`${name}-`));
  const before = [...ours().map((one) => `namespace ${one}`), ...links().map((one) => `link ${one}`)];
  if (which('ip') === undefined || which('nft') === undefined) return [];
  const { createLinuxNetworkDriver } = await import('../agents/network/drivers/linux/index.ts');
  const driver = createLinuxNetworkDriver({ cloud: name, log: silentLog });
  try {
    await driver.purge();
  } finally {
    await driver.close();
  }
  // Links to namespaces that are gone, also of containers that somebody else has removed.
  for (const entry of readdirIf('/run/gantry/netns')) {
    const path = join('/run/gantry/netns', entry);
    if (readlinkSync(path).startsWith(`/run/netns/${name}-`)) rmSync(path, { force: true });
  }
  if (before.length > 0 && existsSync(NAMESPACES) && readdirSync(NAMESPACES).length === 0) removeNamespaceFolder();
  const left = new Set([...ours().map((one) => `namespace ${one}`), ...links().map((one) => `link ${one}`)]);
  return before.filter((one) => !left.has(one)).map((one) => `removed ${one}`);
}

/** Those of all clouds of the host. */
function removeEmptyFolders(): string[] {
  for (const folder of ['/run/gantry/netns', VIEWS, dirname(VIEWS)]) if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
  return [];
}

/** iproute2 mounts its folder upon itself with the first namespace, and never takes it away. */
function removeNamespaceFolder(): void {
  run('umount', [NAMESPACES]);
  try {
    rmdirSync(NAMESPACES);
  } catch {
    // somebody has made a namespace meanwhile
  }
}

async function removeEngine(settings: Settings): Promise<string[]> {
  const { data_dir, config } = settings;
  const said: string[] = [];
  if (ownsEngine(data_dir)) {
    if (await stopOwnPair(data_dir)) said.push('stopped our own Docker engine');
    said.push(...forgetFirewall(engineDir(data_dir)), ...forgetTraces(engineDir(data_dir)));
  } else if (otherClouds(config.cloud.name).length === 0 && (await unregisterRuntime(settings))) {
    said.push(`removed runtime ${config.agent.runtime} from the engine's settings`);
  }
  return [...said, ...removeRuntime(config.cloud.name).map((path) => `removed ${path}`)];
}

function removeClientEntry(settings: Settings): string[] {
  const path = cloudsYamlPath();
  if (!existsSync(path)) return [];
  const names = Object.values(entryNames(settings.config.cloud.name));
  const changed = editCloudsYaml(path, (text) => removeClouds(text, names, `${settings.config.api.public_url}/identity/v3`), { backup: false });
  const backup = `${path}.before-gantry`;
  // the backup of a later cloud holds this one's entry
  if (existsSync(backup)) editCloudsYaml(backup, (text) => removeClouds(text, names, `${settings.config.api.public_url}/identity/v3`), { backup: false });
  const left = parseYaml(readFileSync(path, 'utf8')) as { clouds?: object } | null;
  const was = existsSync(backup) ? (parseYaml(readFileSync(backup, 'utf8')) as { clouds?: object } | null) : undefined;
  if (JSON.stringify(was) === JSON.stringify(left)) rmSync(backup, { force: true });
  if (changed && Object.keys(was?.clouds ?? {}).length === 0 && Object.keys(left?.clouds ?? {}).length === 0 && Object.keys(left ?? {}).length <= 1) {
    rmSync(path);
    for (const folder of [dirname(path), dirname(dirname(path))]) if (folder !== homedir() && readdirSync(folder).length === 0) rmdirSync(folder);
  }
  return changed ? [`removed ${settings.config.cloud.name} from ${path}`] : [];
}

/** Only what `up` has made is removed; a folder in which others keep something stays. */
function removeDataDir(data_dir: string): string[] {
  if (!existsSync(join(data_dir, 'gantry.toml'))) return [];
  releaseBelow(data_dir);
  for (const name of OWN_ENTRIES) rmSync(join(data_dir, name), { recursive: true, force: true });
  const others = foreignEntries(data_dir);
  if (others.length > 0) return [`${data_dir} stays: ${others.slice(0, 3).join(', ')}${others.length > 3 ? ' …' : ''} in it is not of this cloud`];
  rmdirSync(data_dir);
  return [`removed ${data_dir}`];
}

function readdirIf(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
