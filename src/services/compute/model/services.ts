/** Nova's services: one `nova-compute` for each node, and those that the controller itself is. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { badRequest, conflict, type Fault, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { forgetHost } from '../store/aggregates.ts';
import { countServersOnHosts, decideNode, deleteNode, findNodeByHost, type NodeDecision, type NumberedNodeRow } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';
import { nodesWithZones } from './availability-zones.ts';

export interface ServiceInfo {
  uuid: string;
  /** Up to 2.52. */
  number: number;
  binary: string;
  host: string;
  zone: string;
  disabled: boolean;
  disabled_reason: string | null;
  forced_down: boolean;
  up: boolean;
  /** ISO instant at which it was last known to live. */
  updated_at: string;
  /** Of `nova-compute` only. */
  node_id: string | undefined;
}

const CONTROLLER = ['nova-conductor', 'nova-scheduler'] as const;
export const COMPUTE = 'nova-compute';
export const INTERNAL_ZONE = 'internal';

/** The parts of this process: whoever can ask finds them alive. */
function ownServices(deps: Pick<ComputeDeps, 'clock'>): ServiceInfo[] {
  const host = hostname();
  return CONTROLLER.map((binary, index) => ({
    uuid: uuidOf(`${binary}@${host}`),
    number: index + 1,
    binary,
    host,
    zone: INTERNAL_ZONE,
    disabled: false,
    disabled_reason: null,
    forced_down: false,
    up: true,
    updated_at: isoMicros(deps.clock.now()),
    node_id: undefined,
  }));
}

/** The same name has the same UUID after every restart. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function isNodeUp(deps: Pick<ComputeDeps, 'nodes'>, node: NumberedNodeRow): boolean {
  return node.forced_down === 0 && deps.nodes.isConnected(node.id);
}

export const serviceNumber = (node: NumberedNodeRow): number => node.number + CONTROLLER.length;

function serviceOfNode(deps: Pick<ComputeDeps, 'nodes' | 'clock'>, node: NumberedNodeRow, zone: string): ServiceInfo {
  const up = isNodeUp(deps, node);
  return {
    uuid: node.id,
    number: serviceNumber(node),
    binary: COMPUTE,
    host: node.host,
    zone,
    disabled: node.disabled === 1,
    disabled_reason: node.disabled_reason,
    forced_down: node.forced_down === 1,
    up,
    // The link to a node that is up has just been heard.
    updated_at: up ? isoMicros(deps.clock.now()) : node.last_seen_at,
    node_id: node.id,
  };
}

type Deps = Pick<ComputeDeps, 'db' | 'config' | 'clock' | 'nodes'>;

export async function listServices(deps: Deps): Promise<ServiceInfo[]> {
  const ofNodes = (await nodesWithZones(deps)).map(({ node, zone }) => serviceOfNode(deps, node, zone));
  return [...ownServices(deps), ...ofNodes.sort((a, b) => a.number - b.number)];
}

const missing = (id: string): Fault => notFound('compute.service-not-found', `Service ${id} could not be found.`);

/** @param key a UUID, or up to 2.52 a number. @throws Fault 404 */
export async function requireService(deps: Deps, key: string | number): Promise<ServiceInfo> {
  const found = (await listServices(deps)).find((service) => (typeof key === 'number' ? service.number === key : service.uuid === key.toLowerCase()));
  if (found === undefined) throw missing(String(key));
  return found;
}

/** @throws Fault 400 for all but `nova-compute`. */
export function requireCompute(binary: string): void {
  if (binary === COMPUTE) return;
  throw badRequest('compute.service-fixed', `Updating a ${binary} service is not supported. Only nova-compute services can be updated.`);
}

/** What an operator decides about a service. @throws Fault 400, 404 */
export async function decideService(deps: Deps, service: ServiceInfo, change: NodeDecision): Promise<ServiceInfo> {
  requireCompute(service.binary);
  const row = await deps.db.transaction((tx) => decideNode(asTransaction<ComputeTables>(tx), service.uuid, change));
  if (row === undefined) throw missing(service.uuid);
  return serviceOfNode(deps, row, service.zone);
}

/** Up to 2.52 a service is named by host and binary. Faults: 400, 404 */
export async function decideByHost(deps: Deps, host: string, binary: string, change: NodeDecision): Promise<void> {
  requireCompute(binary);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const node = await findNodeByHost(tx, host);
    if (node === undefined) throw notFound('compute.host-not-found', `Could not find binary ${binary} on host ${host}.`);
    await decideNode(tx, node.id, change);
  });
}

/** Forgets a node. One that is still connected comes back with its next report. Faults: 400, 409 while it runs servers. */
export async function removeService(deps: Deps & Pick<ComputeDeps, 'placement'>, service: ServiceInfo): Promise<void> {
  if (service.node_id === undefined) throw badRequest('compute.service-fixed', `The ${service.binary} service is part of the controller and cannot be deleted.`);
  const { node_id, host } = service;
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    if ((await countServersOnHosts(tx, [host])) > 0) {
      throw conflict('compute.service-in-use', 'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.');
    }
    await forgetHost(tx, host);
    await deleteNode(tx, node_id);
  });
  await deps.placement.removeProvider(node_id);
}
