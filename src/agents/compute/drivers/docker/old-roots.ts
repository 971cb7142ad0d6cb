/** The root file system of a server that is off, as a folder of this node: for the guest that runs in its place. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, realpath, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { conflict, notImplemented } from '../../../../kernel/fault.ts';
import type { ContainerInspect } from './engine-types.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
/** Its layers by the short names that the engine gives them, since the kernel takes no more than a page of options. */
const MOUNT = 'cd "$1" && mount -t overlay overlay -o "nodev,index=off,lowerdir=$2,upperdir=$3/diff,workdir=$3/work" "$4"';

export interface OldRoots {
  /** Mounted, also when it is so already. @returns the folder */
  put(serverId: string, container: Pick<ContainerInspect, 'GraphDriver'>): Promise<string>;
  /** What is not there is no error. */
  remove(serverId: string): Promise<void>;
}

export function createOldRoots(dir: string): OldRoots {
  const folder = (serverId: string): string => join(dir, serverId);
  return {
    async put(serverId, { GraphDriver }) {
      const upper = GraphDriver?.Data?.['UpperDir'];
      if (upper === undefined || basename(upper) !== 'diff') throw notImplemented('compute.rescue-unsupported', "Servers are rescued where the engine's storage driver is overlay2 only.");
      const layer = dirname(upper);
      await mkdir(folder(serverId), { recursive: true, mode: 0o700 });
      if (await isMounted(folder(serverId))) return folder(serverId);
      try {
        const lower = (await readFile(join(layer, 'lower'), 'utf8')).trim();
        await run('/bin/sh', ['-c', MOUNT, 'sh', dirname(layer), lower, basename(layer), folder(serverId)], { timeout: TIMEOUT_MS });
      } catch (error) {
        throw conflict('compute.rescue-failed', 'Could not mount the root file system of the server.', { cause: error });
      }
      return folder(serverId);
    },
    async remove(serverId) {
      if (await isMounted(folder(serverId))) await run('umount', [folder(serverId)], { timeout: TIMEOUT_MS });
      await rmdir(folder(serverId)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
    },
  };
}

async function isMounted(path: string): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').some((line) => line.split(' ')[4] === real);
}
