/** Servers of a host that is down are made anew elsewhere (nova/api/openstack/compute/evacuate.py, nova/compute/api.py). */
import { as } from '../../../kernel/db/database.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findNode, findNodeByHost } from '../store/nodes.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { newMoveId, recordMove } from './server-migrations.ts';
import { flavorOf } from './server-row.ts';
import { checkAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';
import { isNodeUp } from './services.ts';

export interface Evacuation {
  /** The one to go to; null: any other. */
  host: string | null;
  /** Said to be on storage that the other host sees too, which is nowhere so here. */
  shared: boolean;
  /** To that host without asking the scheduler. */
  forced: boolean;
  /** It is not to run there. */
  stopped: boolean;
}

/** @throws Fault 400, 404 for an unknown host, 409 */
export async function evacuateServer(deps: ComputeDeps, actor: Actor, row: ServerRow, asked: Evacuation): Promise<void> {
  const db = as<ComputeTables>(deps.db).read;
  if (asked.host !== null) {
    if ((await findNodeByHost(db, asked.host)) === undefined) throw notFound('compute.host-not-found', `Compute host ${asked.host} not found.`);
    if (asked.host === row.host) throw badRequest('compute.same-host', "The target host can't be the same one.");
  }
  checkAction('evacuate', row, actor.is_admin);
  if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  const node = await findNode(db, row.node_id);
  if (node !== undefined && isNodeUp(deps, node)) throw badRequest('compute.host-in-use', `Compute service of ${row.host} is still in use.`);
  if (asked.shared) throw badRequest('compute.no-shared-storage', 'Invalid state of instance files on shared storage: servers here keep their files on their own host.');
  const uuid = newMoveId();
  await beginTask(deps, actor, row, {
    action: 'evacuate',
    task_state: 'rebuilding',
    recorded: 'evacuate',
    kind: 'evacuate',
    input: { migration: uuid, host: asked.host, forced: asked.forced && asked.host !== null, stopped: asked.stopped || row.vm_state === 'stopped' },
    also: async (tx) => void (await recordMove(tx, actor.ctx, row, { uuid, type: 'evacuation', status: 'accepted', flavor: flavorOf(row) })),
  });
}
