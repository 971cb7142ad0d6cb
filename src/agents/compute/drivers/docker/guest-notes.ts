import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeNetworkState } from '../../../network/protocol.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import type { GuestVolume } from '../../protocol.ts';
import type { GuestView } from './views.ts';

/** The little that Docker cannot keep for us of a guest. A run is named by its `StartedAt`. */
export interface GuestNote {
  /** The cables it last had, to plug them again after a reboot of the host. */
  network?: NodeNetworkState;
  /** What it is shown of its machine. */
  view?: GuestView;
  /** That it has, or is about to have. */
  volumes?: GuestVolume[];
  /** The run that was ended on request: its exit code is not a crash. */
  stopped_run?: string;
  /** The run that was suspended: it is frozen, and not merely paused. */
  suspended_run?: string;
  /** How often it was started again after it had ended by itself; `ended_run` is the last that did. */
  restarts?: { count: number; in_a_row: number; ended_run: string; exit_code: number; oom_killed: boolean; ended_at: string };
  /** The run after which it was not started again. */
  gave_up_run?: string;
  /** The run in which the kernel killed one of its processes for memory. */
  oom_run?: string;
  /** It stands still for a capture, and for nothing else. */
  frozen?: boolean;
}

export interface GuestNotes {
  read(serverId: string): Promise<GuestNote>;
  update(serverId: string, change: GuestNote): Promise<void>;
  remove(serverId: string): Promise<void>;
  /** Servers of which there is a note. */
  list(): Promise<string[]>;
}

/** One file per guest in `dir`, replaced as a whole. */
export function createGuestNotes(dir: string): GuestNotes {
  const lock = createKeyedLock();
  const path = (serverId: string): string => join(dir, `${serverId}.json`);

  async function read(serverId: string): Promise<GuestNote> {
    try {
      return JSON.parse(await readFile(path(serverId), 'utf8')) as GuestNote;
    } catch (error) {
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw error;
    }
  }

  return {
    read,
    async list() {
      const files = await readdir(dir).catch(() => []);
      return [...new Set(files.map((file) => file.replace(/\.json(\.new)?$/, '')))].filter(isUuid);
    },
    update: (serverId, change) =>
      lock.run(serverId, async () => {
        const note = { ...(await read(serverId)), ...change };
        await mkdir(dir, { recursive: true, mode: 0o700 });
        await writeFile(`${path(serverId)}.new`, JSON.stringify(note), { mode: 0o600 });
        await rename(`${path(serverId)}.new`, path(serverId));
      }),
    remove: (serverId) =>
      lock.run(serverId, async () => {
        await rm(path(serverId), { force: true });
        await rm(`${path(serverId)}.new`, { force: true });
      }),
  };
}

/** Of all guests. */
export async function claimedVolumes(notes: Pick<GuestNotes, 'list' | 'read'>): Promise<string[]> {
  const all = await Promise.all((await notes.list()).map((serverId) => notes.read(serverId)));
  return all.flatMap(({ volumes = [] }) => volumes.map(({ volume_id }) => volume_id));
}
