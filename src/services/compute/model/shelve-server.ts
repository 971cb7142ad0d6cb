/** Servers are put on the shelf, off their nodes, and back to work (nova `compute/api.py` shelve, shelve_offload, unshelve). */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { badRequest, conflict } from '../../../kernel/fault.ts';
import type { ImageCaller } from '../../image/client.ts';
import type { ComputeDeps, ComputeTasks, JobDeps, RequestIds } from '../deps.ts';
import { findBoot, type ServerChange, updateBoot, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { zonesOfHosts } from './availability-zones.ts';
import { startAction } from './server-actions.ts';
import { type Placement, resolvePlacement } from './server-placement.ts';
import { checkAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';
import { imageOfServer } from './snapshot-server.ts';

/** Faults: in nova's words. */
export async function shelveServer(deps: ComputeDeps, actor: Actor, caller: ImageCaller, row: ServerRow): Promise<void> {
  checkAction('shelve', row, actor.is_admin);
  if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  const { image, insert } = await imageOfServer(deps, caller, row, { name: `${row.name}-shelved`, type: 'snapshot', properties: {} });
  await beginTask(deps, actor, row, { action: 'shelve', task_state: 'shelving', recorded: 'shelve', kind: 'shelve', input: { image_id: image.id, was: row.vm_state }, also: insert });
}

export async function offloadServer(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  await beginTask(deps, actor, row, { action: 'shelveOffload', task_state: 'shelving_offloading', recorded: 'shelveOffload', kind: 'offload', input: {} });
}

/** As nobody's request: its time on the node is over. @returns false when it is not on the shelf, or busy. */
export async function offloadInTime(deps: JobDeps, tasks: ComputeTasks, server_id: string, ids: RequestIds): Promise<boolean> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const change = { task_state: 'shelving_offloading', updated_at: isoMicros(deps.clock.now()) };
    if ((await updateServer(tx, server_id, change, { task_state: null, vm_states: ['shelved'] })) === undefined) return false;
    const action_id = await startAction(tx, { ...ids, clock: deps.clock, auth: undefined }, server_id, 'shelveOffload');
    await tasks.start(raw, 'offload', { server_id, action_id }, ids);
    return true;
  });
}

/** What is not there stays as it is; a zone of null: any from now on. */
export interface Unshelve {
  zone?: string | null;
  host?: string;
}

/** Faults: 400 no such zone or host, 409 it is not off its node or the host is in another zone. */
export async function unshelveServer(deps: ComputeDeps, actor: Actor, row: ServerRow, { zone, host }: Unshelve): Promise<void> {
  checkAction('unshelve', row, actor.is_admin);
  const is_placed = zone !== undefined || host !== undefined;
  if (is_placed && row.vm_state !== 'shelved_offloaded') {
    throw conflict('compute.not-offloaded', `Specifying an availability zone or a host when unshelving server ${row.id} with status ${row.vm_state} is not supported. The server status must be SHELVED_OFFLOADED.`);
  }
  const change = is_placed ? await placed(deps, row, zone, host) : undefined;
  await beginTask(deps, actor, row, {
    action: 'unshelve', task_state: 'unshelving', recorded: 'unshelve', kind: 'unshelve',
    input: { offloaded: row.vm_state === 'shelved_offloaded', host: host ?? null },
    ...(change === undefined ? {} : { change: change.row, also: (tx) => updateBoot(tx, row.id, { requested_json: change.requested_json }) }),
  });
}

/** The host is for this once, the zone for as long as the server lives. */
async function placed(deps: ComputeDeps, row: ServerRow, zone: string | null | undefined, host: string | undefined): Promise<{ row: ServerChange; requested_json: string }> {
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, row.id);
  if (boot === undefined) throw badRequest('compute.server-not-ready', `Instance ${row.id} is not ready`);
  const requested = JSON.parse(boot.requested_json) as Placement;
  const pinned = zone === undefined ? row.pinned_zone : zone;
  await resolvePlacement(deps, { zone: zone ?? undefined, host, hypervisor_hostname: undefined, forced: false });
  if (host !== undefined && pinned !== null) {
    const actual = (await zonesOfHosts(deps)).get(host) ?? deps.config.default_availability_zone;
    if (actual !== pinned) throw conflict('compute.host-not-in-zone', `Host ${host} is not in the availability zone ${pinned}.`);
  }
  return { row: { pinned_zone: pinned, zone: pinned }, requested_json: JSON.stringify({ ...requested, zone: pinned, host: null }) };
}
