import { readdirSync, readFileSync } from 'node:fs';
import { dockerRequest, engineAnswers } from './docker.ts';
import { identityOf } from './process/pid-file.ts';
import { commandOf, end } from './process/parts.ts';
import { noteRunning, runningBefore } from './up/world-state.ts';

export interface Container {
  id: string;
  name: string;
  cloud: string | undefined;
  server_id: string | undefined;
  image_id: string | undefined;
  running: boolean;
}

/** Containers of a cloud by its label, or all of the engine. */
export async function containersOf(socket: string, cloud: string | undefined): Promise<Container[]> {
  const filters = cloud === undefined ? '' : `&filters=${encodeURIComponent(JSON.stringify({ label: [`gantry.cloud=${cloud}`] }))}`;
  const rows = (await dockerRequest(socket, 'GET', `/containers/json?all=1${filters}`)) as { Id: string; Names: string[]; State: string; Labels: Record<string, string> }[];
  return rows.map((row) => ({
    id: row.Id,
    name: (row.Names[0] ?? row.Id).replace(/^\//, ''),
    cloud: row.Labels['gantry.cloud'],
    server_id: row.Labels['gantry.server'],
    image_id: row.Labels['gantry.image'],
    running: row.State === 'running' || row.State === 'paused',
  }));
}

/** Stops all that runs on an engine of our own, and notes which servers did, so that the next `up` starts them again. */
export async function stopGuests(data_dir: string, socket: string, cloud: string): Promise<string[]> {
  if (!(await engineAnswers(socket))) return [];
  const running = (await containersOf(socket, undefined)).filter((container) => container.running);
  const servers = running.filter((container) => container.cloud === cloud && container.server_id !== undefined).map((container) => container.server_id!);
  noteRunning(data_dir, [...new Set([...runningBefore(data_dir), ...servers])]);
  await Promise.all(running.map((container) => dockerRequest(socket, 'POST', `/containers/${container.id}/stop?t=10`, 30_000)));
  return running.map((container) => `stopped container ${container.name}`);
}

/** Ends containers that outlived their engine: whatever hangs below a shim of this containerd, then the shim. */
export async function endShims(containerd_socket: string): Promise<void> {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  const shims = processes.filter((pid) => {
    const words = commandOf(pid);
    return words[0]?.includes('containerd-shim') === true && words.includes(containerd_socket);
  });
  for (const shim of shims) {
    for (const child of processes.filter((pid) => parentOf(pid) === shim)) await end(identityOf(child));
    await end(identityOf(shim));
  }
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
