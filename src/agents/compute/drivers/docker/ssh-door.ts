/** Whether a guest is reached by ssh only if the node listens for it. */
import { readlink } from 'node:fs/promises';
import { SSH_LABEL } from './container-config.ts';
import type { DriverContext } from './driver-context.ts';
import { isEngineStatus } from './engine-error.ts';
import { findContainer, inspectContainer } from './guests.ts';

const SERVERS = ['/usr/sbin/sshd', '/usr/bin/sshd', '/usr/sbin/dropbear', '/usr/bin/dropbear', '/usr/sbin/dropbearmulti', '/usr/bin/dropbearmulti'];

/** The path of its network namespace; undefined when it has an ssh server, wants none, or does not run. */
export async function sshDoor(ctx: DriverContext, serverId: string): Promise<string | undefined> {
  const found = await findContainer(ctx, serverId);
  if (found?.State !== 'running' || found.Labels[SSH_LABEL] !== '1') return undefined;
  const container = await inspectContainer(ctx, found.Id);
  if (container === undefined || container.Config.ExposedPorts?.['22/tcp'] !== undefined) return undefined;
  for (const path of SERVERS) if (await hasFile(ctx, found.Id, path)) return undefined;
  return await readlink(ctx.links.path(found.Id)).catch(() => undefined);
}

async function hasFile({ engine }: DriverContext, id: string, path: string): Promise<boolean> {
  try {
    await engine.json('HEAD', `/containers/${id}/archive`, { query: { path } });
    return true;
  } catch (error) {
    if (isEngineStatus(error, 404)) return false;
    throw error;
  }
}
