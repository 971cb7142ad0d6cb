import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DriverContext } from './driver-context.ts';
import type { EngineInfo } from './engine-types.ts';
import { engineCall } from './spawn.ts';

/** The device file of the whole disk that the engine's data are on; undefined: they are on none. */
export async function engineDisk({ engine }: DriverContext): Promise<string | undefined> {
  const { DockerRootDir } = await engineCall('read the resources of the node', () => engine.json<EngineInfo>('GET', '/info'));
  return await diskOf(DockerRootDir).catch(() => undefined);
}

async function diskOf(path: string): Promise<string | undefined> {
  const { dev } = await stat(path);
  // As the kernel composes it: twelve bits of major, twenty of minor.
  const device = await realpath(`/sys/dev/block/${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`);
  const partition = await readFile(join(device, 'partition'), 'utf8').catch(() => undefined);
  const event = await readFile(join(partition === undefined ? device : dirname(device), 'uevent'), 'utf8');
  const name = /^DEVNAME=(.+)$/m.exec(event)?.[1];
  return name === undefined ? undefined : `/dev/${name}`;
}
