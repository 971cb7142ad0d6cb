import { randomInt } from 'node:crypto';
import { savepoint } from '../../../kernel/db/database.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../../../kernel/db/errors.ts';
import { uuid } from '../../../kernel/ids.ts';
import { flatNetworkInUse, invalidInput, invalidSharedSetting, mtuConflict, networkInUse, networkNotFound, noNetworkAvailable, ruleInvalid, tunnelIdInUse, zoneNotFound } from '../faults.ts';
import { defaultExternalNetwork, deleteNetworkRow, flatNetworkOf, insertNetwork, lockNetwork, lowestFreeZone, segmentTaken, updateNetworkRow, zoneTaken } from '../store/networks.ts';
import { deletePortRows, nodesOfNetworks, portsOfNetwork } from '../store/ports.ts';
import { deleteSubnetRows, subnetIdsOfNetworks, subnetsOfNetworks } from '../store/subnets.ts';
import type { Bit, NetworkRow, Tx } from '../store/tables.ts';
import { removeTags } from '../store/tags.ts';
import { instant, nodesChanged, type NetworkDeps } from '../deps.ts';
import { takeQuota } from './quotas.ts';

export interface NewNetwork {
  project_id: string;
  name: string;
  description: string;
  admin_state_up: boolean;
  shared: boolean;
  'router:external': boolean;
  is_default: boolean;
  mtu: number;
  port_security_enabled: boolean;
  availability_zone_hints: string[];
  'provider:network_type'?: string | undefined;
  'provider:physical_network'?: string | undefined;
  'provider:segmentation_id'?: number | undefined;
}

/** Ports of these owners go with their network. */
const AUTO_DELETED = new Set(['network:dhcp', 'network:distributed', 'network:floatingip_agent_gateway']);
/** The one availability zone there is. */
export const ZONE = 'nova';
const VXLAN_OVERHEAD = 50;
const MIN_MTU = { 4: 68, 6: 1280 } as const;
const RANDOM_TRIES = 12;
const INSERT_TRIES = 5;

export async function createNetwork(env: NetworkDeps, tx: Tx, wanted: NewNetwork): Promise<NetworkRow> {
  const elsewhere = wanted.availability_zone_hints.find((zone) => zone !== ZONE);
  if (elsewhere !== undefined) throw zoneNotFound(elsewhere);
  await takeQuota(env, tx, wanted.project_id, { network: 1 });
  if (wanted.is_default) await checkDefault(tx, wanted['router:external'], undefined);
  for (let tried = 1; ; tried++) {
    const row = await draft(env, tx, wanted);
    try {
      await savepoint(tx, () => insertNetwork(tx, row));
      return row;
    } catch (error) {
      // Somebody else took the segment or the zone in between: those are looked for anew, or turn out to be taken.
      if (!isUniqueViolation(error) || tried === INSERT_TRIES) throw error;
    }
  }
}

async function draft(env: NetworkDeps, tx: Tx, wanted: NewNetwork): Promise<NetworkRow> {
  const segment = await chooseSegment(env, tx, wanted);
  const most = segment.network_type === 'vxlan' ? env.config.mtu - VXLAN_OVERHEAD : env.config.mtu;
  const now = instant(env);
  return {
    id: uuid(),
    project_id: wanted.project_id,
    name: wanted.name,
    description: wanted.description,
    admin_state_up: bit(wanted.admin_state_up),
    shared: bit(wanted.shared),
    external: bit(wanted['router:external']),
    is_default: bit(wanted.is_default),
    mtu: chooseMtu(wanted.mtu, most),
    port_security_enabled: bit(wanted.port_security_enabled),
    ...segment,
    zone: await chooseZone(tx),
    availability_zone_hints: JSON.stringify(wanted.availability_zone_hints),
    created_at: now,
    updated_at: now,
    revision_number: 1,
  };
}

type Segment = Pick<NetworkRow, 'network_type' | 'physical_network' | 'segmentation_id'>;

async function chooseSegment(env: NetworkDeps, tx: Tx, wanted: NewNetwork): Promise<Segment> {
  const type = wanted['provider:network_type'];
  const physical_network = wanted['provider:physical_network'] ?? null;
  const id = wanted['provider:segmentation_id'];
  if (type === undefined && (physical_network !== null || id !== undefined)) throw invalidInput('network_type required');
  switch (type) {
    case undefined:
    case 'vxlan':
      if (physical_network !== null) throw invalidInput('provider:physical_network specified for vxlan network');
      return { network_type: 'vxlan', physical_network: null, segmentation_id: await chooseVni(env, tx, id) };
    case 'flat':
      if (physical_network === null || physical_network === '') throw invalidInput('physical_network required for flat provider network');
      if (id !== undefined) throw invalidInput('segmentation_id prohibited for flat provider network');
      if ((await flatNetworkOf(tx, physical_network)) !== undefined) throw flatNetworkInUse(physical_network);
      return { network_type: 'flat', physical_network, segmentation_id: null };
    case 'local':
      if (physical_network !== null) throw invalidInput('physical_network prohibited for local provider network');
      if (id !== undefined) throw invalidInput('segmentation_id prohibited for local provider network');
      return { network_type: 'local', physical_network: null, segmentation_id: null };
    default:
      throw invalidInput(`network_type value '${type}' not supported`);
  }
}

async function chooseVni(env: NetworkDeps, tx: Tx, asked: number | undefined): Promise<number> {
  if (asked !== undefined) {
    if (asked < 1 || asked > 16_777_215) throw invalidInput(`segmentation_id out of range (1 through 16777215)`);
    if (await segmentTaken(tx, 'vxlan', asked)) throw tunnelIdInUse(asked);
    return asked;
  }
  const { vni_min, vni_max } = env.config;
  for (let tried = 0; tried < RANDOM_TRIES; tried++) {
    const id = randomInt(vni_min, vni_max + 1);
    if (!(await segmentTaken(tx, 'vxlan', id))) return id;
  }
  for (let id = vni_min; id <= vni_max && id < vni_min + 4096; id++) if (!(await segmentTaken(tx, 'vxlan', id))) return id;
  throw noNetworkAvailable();
}

/** Random, so that networks made at once rarely want the same one. */
async function chooseZone(tx: Tx): Promise<number> {
  for (let tried = 0; tried < RANDOM_TRIES; tried++) {
    const zone = randomInt(1, 65_536);
    if (!(await zoneTaken(tx, zone))) return zone;
  }
  const zone = await lowestFreeZone(tx);
  if (zone === 0) throw noNetworkAvailable();
  return zone;
}

function chooseMtu(asked: number, most: number): number {
  if (asked === 0) return most;
  if (asked > most) throw invalidInput(`Requested MTU is too big, maximum is ${most}`);
  return asked;
}

async function checkDefault(tx: Tx, external: boolean, own: string | undefined): Promise<void> {
  if (!external) throw invalidInput("is_default can be set only on a network that is router:external");
  const other = await defaultExternalNetwork(tx);
  if (other !== undefined && other !== own) throw ruleInvalid('DefaultExternalNetworkExists', `A default external network already exists: ${other}.`);
}

export type NetworkChange = Partial<Omit<NewNetwork, 'project_id' | 'availability_zone_hints'>>;

/** Faults: 404; 409 for sharing that others use, or an MTU too small for its subnets. */
export async function updateNetwork(env: NetworkDeps, tx: Tx, id: string, change: NetworkChange): Promise<NetworkRow> {
  const before = await lockNetwork(tx, id, instant(env));
  if (before === undefined) throw networkNotFound(id);
  if (change.shared === false && before.shared === 1) await checkUnshare(tx, before);
  if (change.mtu !== undefined) await checkMtu(env, tx, before, change.mtu);
  refuseProviderChange(before, change);
  const external = change['router:external'] ?? before.external === 1;
  if (change.is_default === true) await checkDefault(tx, external, id);
  const next: Partial<NetworkRow> = {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.description === undefined ? {} : { description: change.description }),
    ...bits(change),
    ...(change.mtu === undefined ? {} : { mtu: change.mtu === 0 ? mostMtu(env, before) : change.mtu }),
  };
  if (Object.keys(next).length > 0) await updateNetworkRow(tx, id, next);
  await nodesChanged(env, tx, await nodesOfNetworks(tx, [id]));
  return { ...before, ...next };
}

function bits(change: NetworkChange): Partial<NetworkRow> {
  const out: Partial<NetworkRow> = {};
  if (change.admin_state_up !== undefined) out.admin_state_up = bit(change.admin_state_up);
  if (change.shared !== undefined) out.shared = bit(change.shared);
  if (change['router:external'] !== undefined) out.external = bit(change['router:external']);
  if (change.is_default !== undefined) out.is_default = bit(change.is_default);
  if (change.port_security_enabled !== undefined) out.port_security_enabled = bit(change.port_security_enabled);
  return out;
}

function mostMtu(env: NetworkDeps, row: NetworkRow): number {
  return row.network_type === 'vxlan' ? env.config.mtu - VXLAN_OVERHEAD : env.config.mtu;
}

async function checkMtu(env: NetworkDeps, tx: Tx, before: NetworkRow, asked: number): Promise<void> {
  const mtu = chooseMtu(asked, mostMtu(env, before));
  const versions = (await subnetsOfNetworks(tx, [before.id])).map((subnet) => subnet.ip_version);
  const least = versions.includes(6) ? MIN_MTU[6] : MIN_MTU[4];
  if (mtu < least) throw mtuConflict(before.id, least);
}

function refuseProviderChange(before: NetworkRow, change: NetworkChange): void {
  const provider = { 'provider:network_type': before.network_type, 'provider:physical_network': before.physical_network, 'provider:segmentation_id': before.segmentation_id };
  const differing = (Object.keys(provider) as (keyof typeof provider)[]).filter((key) => change[key] !== undefined && change[key] !== provider[key]);
  if (differing.length > 0) throw invalidInput(`Plugin does not support updating the following provider network attributes: ${differing.join(', ')}`);
}

async function checkUnshare(tx: Tx, network: NetworkRow): Promise<void> {
  const foreign = (await portsOfNetwork(tx, network.id)).some((port) => port.project_id !== network.project_id && port.project_id !== '');
  if (foreign) throw invalidSharedSetting(network.name);
}

/** Its subnets and its service ports go with it. Faults: 404; 409 NetworkInUse. */
export async function deleteNetwork(env: NetworkDeps, tx: Tx, id: string): Promise<void> {
  if ((await lockNetwork(tx, id, instant(env))) === undefined) throw networkNotFound(id);
  const ports = await portsOfNetwork(tx, id);
  const inUse = ports.filter((port) => !AUTO_DELETED.has(port.device_owner)).map((port) => port.id);
  if (inUse.length > 0) throw networkInUse(id, inUse);
  const subnets = (await subnetIdsOfNetworks(tx, [id])).map((subnet) => subnet.id);
  await deletePortRows(tx, ports.map((port) => port.id));
  await removeTags(tx, [id, ...subnets]);
  try {
    await deleteSubnetRows(tx, subnets);
    await deleteNetworkRow(tx, id);
  } catch (error) {
    // A port or subnet came in between.
    if (isForeignKeyViolation(error)) throw networkInUse(id);
    throw error;
  }
  await nodesChanged(env, tx, ports.map((port) => port.node_id));
}

export function bit(value: boolean): Bit {
  return value ? 1 : 0;
}

/** What the rules of networks look at. */
export function networkTarget(row: NetworkRow): Record<string, unknown> {
  return { project_id: row.project_id, tenant_id: row.project_id, shared: row.shared === 1, 'router:external': row.external === 1 };
}
