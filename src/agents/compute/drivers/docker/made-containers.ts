import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface MadeContainer {
  id: string;
  server_id: string;
}

/** Every container that was made here, until neither the engine nor the kernel knows it any more: an engine that is killed may forget what runs. */
export interface MadeContainers {
  add(made: MadeContainer): Promise<void>;
  remove(containerId: string): Promise<void>;
  list(): Promise<MadeContainer[]>;
}

/** One file per container in `dir`, which holds the server's id. */
export function createMadeContainers(dir: string): MadeContainers {
  return {
    async add({ id, server_id }) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(join(dir, id), server_id, { mode: 0o600 });
    },
    async remove(containerId) {
      await rm(join(dir, containerId), { force: true });
    },
    async list() {
      const ids = (await readdir(dir).catch(() => [])).filter((name) => /^[0-9a-f]{64}$/.test(name));
      return await Promise.all(ids.map(async (id) => ({ id, server_id: await readFile(join(dir, id), 'utf8').catch(() => '') })));
    },
  };
}
