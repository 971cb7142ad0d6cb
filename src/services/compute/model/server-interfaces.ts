/** NICs of a server that lives: what a user may ask, and what nova answers when it cannot be (nova/api/openstack/compute/attach_interfaces.py). */
import type { Auth } from '../../../kernel/context.ts';
import { badRequest, conflict, type Fault, isFault, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { PlannedNic, RequestedNic, ServerNic } from '../../network/client.ts';
import type { ComputeDeps } from '../deps.ts';
import type { ServerRow } from '../store/tables.ts';
import { checkAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';

export async function liveNics(deps: ComputeDeps, server_id: string): Promise<ServerNic[]> {
  return (await deps.network.nicsOf([server_id])).get(server_id) ?? [];
}

/** @throws Fault 404 */
export async function findNic(deps: ComputeDeps, server_id: string, port_id: string): Promise<ServerNic> {
  const nic = (await liveNics(deps, server_id)).find((one) => one.port_id === port_id);
  if (nic === undefined) throw notFound('compute.interface-not-found', `Instance ${server_id} does not have a port with id ${port_id}`);
  return nic;
}

/** Faults: 400, 404, 409 in nova's words. Answers when the NIC belongs to the server; its node plugs it at once. */
export async function attachInterface(deps: ComputeDeps, actor: Actor, auth: Auth, row: ServerRow, wanted: RequestedNic): Promise<ServerNic> {
  checkAction('attach_interface', row, actor.is_admin);
  if (wanted.tag !== undefined && (await liveNics(deps, row.id)).some(({ tag }) => tag === wanted.tag)) {
    throw badRequest('compute.tag-in-use', `Invalid input received: Tag ${wanted.tag} is already in use.`);
  }
  const nic = await plan(deps, { ...auth, project_id: row.project_id }, wanted);
  const new_port_id = uuid();
  const task = await beginTask(deps, actor, row, {
    action: 'attach_interface', task_state: row.task_state, recorded: 'attach_interface', kind: 'attach-interface', input: { nic, new_port_id },
  });
  await deps.tasks.ended(task);
  return await findNic(deps, row.id, nic.port_id ?? new_port_id);
}

export async function detachInterface(deps: ComputeDeps, actor: Actor, row: ServerRow, port_id: string): Promise<void> {
  checkAction('detach_interface', row, actor.is_admin);
  if (!(await liveNics(deps, row.id)).some((one) => one.port_id === port_id)) throw notFound('compute.interface-not-attached', `Port ${port_id} is not attached`);
  await beginTask(deps, actor, row, { action: 'detach_interface', task_state: row.task_state, recorded: 'detach_interface', kind: 'detach-interface', input: { port_id } });
}

async function plan(deps: ComputeDeps, auth: Auth, wanted: RequestedNic): Promise<PlannedNic> {
  const named = wanted.network_id !== undefined || wanted.port_id !== undefined;
  try {
    const [nic] = await deps.network.planNics(auth, named ? [wanted] : [], 1);
    if (nic === undefined) throw badRequest('compute.no-network', `No specific network was requested and none are available for project '${auth.project_id}'.`);
    return { ...nic, tag: wanted.tag };
  } catch (error) {
    throw isFault(error) ? (asOfAttach(error) ?? error) : error;
  }
}

/** What a boot answers in one way, an attachment does in another. */
function asOfAttach(fault: Fault): Fault | undefined {
  switch (fault.code) {
    case 'network.port-not-found':
    case 'network.network-not-found':
      return notFound(fault.code, fault.message);
    case 'network.fixed-ip-in-use':
      return conflict(fault.code, fault.message);
    case 'network.ambiguous':
      return badRequest(fault.code, 'More than one possible network found. Specify network ID(s) to select which one(s) to connect to.');
    default:
      return undefined;
  }
}
