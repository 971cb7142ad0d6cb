/** What other services tell of servers (nova/api/openstack/compute/server_external_events.py). */
import type { Kysely } from 'kysely';
import type { ComputeDeps } from '../deps.ts';
import { findServers } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import { refreshNics } from './server-nics.ts';
import { volumeExtended } from './volume-extended.ts';

export interface ExternalEvent {
  name: string;
  server_uuid: string;
  status?: string;
  tag?: string;
}

export interface JudgedEvent extends ExternalEvent {
  status: string;
  /** 200 it was used; 400 it lacks its tag; 404 no such server; 422 the server cannot use it: it has no host, or no such device. */
  code: number;
}

const NETWORK = new Set(['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted']);
const EXTENDED = 'volume-extended';
const TAGGED = new Set([EXTENDED, 'power-update', 'accelerator-request-bound']);

/** Events of networking make a server's addresses be read again, those of block storage tell its guest; nothing else is told from outside to a container. */
export async function acceptEvents(deps: ComputeDeps, events: readonly ExternalEvent[]): Promise<JudgedEvent[]> {
  const rows = await findServers(deps.db.read as Kysely<ComputeTables>, [...new Set(events.map(({ server_uuid }) => server_uuid))]);
  const living = new Map(rows.filter(({ deleted }) => deleted === 0).map((row) => [row.id, row]));
  const judged = events.map((event): JudgedEvent => {
    const row = living.get(event.server_uuid);
    const code = row === undefined ? 404 : TAGGED.has(event.name) && event.tag === undefined ? 400 : row.host === null || (!NETWORK.has(event.name) && event.name !== EXTENDED) ? 422 : 200;
    return { ...event, status: code === 200 ? 'completed' : 'failed', code };
  });
  for (const event of judged) if (event.code === 200 && event.name === EXTENDED) await tellExtended(deps, event);
  const used = judged.filter(({ code, name }) => code === 200 && NETWORK.has(name)).map(({ server_uuid }) => server_uuid);
  if (used.length > 0) await refreshNics(deps, [...new Set(used)]);
  return judged;
}

/** The tag is the volume; whoever told of it does not wait for the guest. */
async function tellExtended(deps: ComputeDeps, event: JudgedEvent): Promise<void> {
  const known = await volumeExtended(deps, event.tag!, event.server_uuid).catch((error: unknown) => {
    deps.log.warn({ err: error, volume_id: event.tag, server_id: event.server_uuid }, 'a guest could not be told that its volume has grown');
    return true;
  });
  if (!known) Object.assign(event, { code: 422, status: 'failed' });
}
