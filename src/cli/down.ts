import { dockerRequest, engineAnswers } from './docker.ts';
import type { Output } from './output.ts';
import { stopPart } from './process/parts.ts';
import type { Settings } from './settings.ts';
import { ownsEngine, stopOwnPair } from './up/engine.ts';
import { takeLock } from './up/lock.ts';
import { noteRunning, runningBefore } from './up/world-state.ts';
import { existsSync } from 'node:fs';

export interface Container {
  id: string;
  name: string;
  server_id: string | undefined;
  running: boolean;
}

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

async function stopGuests(data_dir: string, socket: string, cloud: string): Promise<string[]> {
  if (!(await engineAnswers(socket))) return [];
  const running = (await containersOf(socket, undefined)).filter((container) => container.running);
  const guests = running.filter((container) => container.server_id !== undefined);
  const mine = await containersOf(socket, cloud);
  const ids = guests.filter((guest) => mine.some((one) => one.id === guest.id)).map((guest) => guest.server_id!);
  noteRunning(data_dir, [...new Set([...runningBefore(data_dir), ...ids])]);
  await Promise.all(running.map((container) => dockerRequest(socket, 'POST', `/containers/${container.id}/stop?t=10`, 30_000)));
  return running.map((container) => `stopped container ${container.name}`);
}

/** Containers of a cloud by its label, or all of the engine. */
export async function containersOf(socket: string, cloud: string | undefined): Promise<Container[]> {
  const filters = cloud === undefined ? '' : `&filters=${encodeURIComponent(JSON.stringify({ label: [`gantry.cloud=${cloud}`] }))}`;
  const rows = (await dockerRequest(socket, 'GET', `/containers/json?all=1${filters}`)) as { Id: string; Names: string[]; State: string; Labels: Record<string, string> }[];
  return rows.map((row) => ({ id: row.Id, name: (row.Names[0] ?? row.Id).replace(/^\//, ''), server_id: row.Labels['gantry.server'], running: row.State === 'running' || row.State === 'paused' }));
}
