import { mkdir, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the runtime `gantry` looks up the network namespace of a container that is about to start. */
export interface NetnsLinks {
  put(containerId: string, netns: string): Promise<void>;
  remove(containerId: string): Promise<void>;
  /** Whether the link leads to a live network namespace: after a reboot of the host it does not. */
  ready(containerId: string): Promise<boolean>;
  path(containerId: string): string;
  /** Of all clouds of this host. */
  list(): Promise<{ container_id: string; netns: string }[]>;
}

export function createNetnsLinks(dir: string): NetnsLinks {
  const path = (containerId: string): string => join(dir, containerId);
  return {
    path,
    async put(containerId, netns) {
      await mkdir(dir, { recursive: true, mode: 0o755 });
      await rm(path(containerId), { force: true });
      await symlink(netns, path(containerId));
    },
    async remove(containerId) {
      await rm(path(containerId), { force: true });
    },
    async list() {
      const ids = await readdir(dir).catch(() => []);
      const links = ids.map(async (container_id) => ({ container_id, netns: await readlink(path(container_id)).catch(() => '') }));
      return await Promise.all(links);
    },
    async ready(containerId) {
      try {
        const [there, own] = await Promise.all([stat(path(containerId)), stat('/proc/self/ns/net')]);
        return there.dev === own.dev;
      } catch {
        return false;
      }
    },
  };
}
