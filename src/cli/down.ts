import { existsSync } from 'node:fs';
import { CliError } from './errors.ts';
import { containersOf, stopGuests } from './guests.ts';
import type { Output } from './output.ts';
import { stopPart } from './process/parts.ts';
import type { Settings } from './settings.ts';
import { ownsEngine, stopOwnPair } from './up/engine.ts';
import { takeLock } from './up/lock.ts';
import { nameOfCloud, otherClouds } from './up/runtime.ts';

/** `gantry down`: ends what `up` started and keeps all data. Guests run on unless their engine is one of our own. */
export async function down(settings: Settings, output: Output): Promise<number> {
  if (!existsSync(settings.data_dir)) {
    output.note(`nothing to stop: there is no cloud in ${settings.data_dir}`);
    return 0;
  }
  const release = takeLock(settings.data_dir, 'down');
  try {
    for (const line of await stopCloud(settings)) output.note(line);
    return 0;
  } finally {
    release();
  }
}

/** The engine of our own may have guests of other clouds by now, whose data would go with it. @throws CliError */
export async function refuseSharedEngine({ data_dir, config }: Settings): Promise<void> {
  if (!ownsEngine(data_dir)) return;
  for (const other of otherClouds(config.cloud.name)) {
    const name = nameOfCloud(other);
    const containers = name === undefined ? [] : await containersOf(config.agent.docker_socket, name).catch(() => []);
    if (containers.length === 0) continue;
    const reason = `the cloud named ${name} in ${other} has ${containers.length} containers in the engine of this one`;
    throw new CliError('GY-CLOUD-005', reason, { next: `./gantry down --purge --data-dir ${other}   (or delete its servers), then run the same command again` });
  }
}

/** @returns what was stopped, a line each. */
export async function stopCloud(settings: Settings): Promise<string[]> {
  const { data_dir, config } = settings;
  const said: string[] = [];
  // The agent first: it would take the end of guests for a crash of theirs.
  for (const part of ['agent', 'controller']) if (await stopPart(data_dir, part)) said.push(`stopped ${part}`);
  if (!ownsEngine(data_dir)) return said.length > 0 ? said : ['nothing was running'];
  said.push(...(await stopGuests(data_dir, config.agent.docker_socket, config.cloud.name)));
  if (await stopOwnPair(data_dir)) said.push('stopped our own Docker engine');
  return said.length > 0 ? said : ['nothing was running'];
}
