/** Servers as nova shows them, at every microversion. */
import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { isoMicrosNoZone, isoSeconds } from '../../../kernel/clock.ts';
import { addressesOf, faultOf, flavorOf, groupsOf, metadataOf, tagsOf } from '../model/server-row.ts';
import { statusOf } from '../model/server-state.ts';
import type { ListedServer } from '../store/servers.ts';
import type { BlockDeviceRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { link } from './parameters.ts';

type Json = Record<string, unknown>;
type AttachedDevice = Pick<BlockDeviceRow, 'volume_id' | 'delete_on_termination'>;

export interface ViewOptions {
  version: number;
  /** `http://host:5000/compute` */
  base: string;
  is_admin: boolean;
  /** Policies of the caller. */
  extended: boolean;
  extra_specs: boolean;
  /** State by host; undefined: the caller may not see it. */
  host_status: ((row: ListedServer) => string) | undefined;
  user_data: ReadonlyMap<string, string | null>;
  volumes: ReadonlyMap<string, readonly AttachedDevice[]>;
  host_id: (host: string, project_id: string) => string;
  /** For one server, not for lists. */
  show_groups: boolean;
}

/** What every representation of a server has in common. */
export const serverReply = Type.Object({ id: Type.String(), links: Type.Array(link) });

const WITH_FAULT = new Set(['ERROR', 'DELETED']);
const WITH_PROGRESS = new Set(['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING']);

export function serverLinks(base: string, id: string): { rel: string; href: string }[] {
  return [
    { rel: 'self', href: `${base}/v2.1/servers/${id}` },
    { rel: 'bookmark', href: `${base}/servers/${id}` },
  ];
}

const bookmark = (base: string, kind: string, id: string): Json => ({ id, links: [{ rel: 'bookmark', href: `${base}/${kind}/${id}` }] });

export function serverBrief(row: Pick<ListedServer, 'id' | 'name'>, base: string): Json {
  return { id: row.id, name: row.name, links: serverLinks(base, row.id) };
}

/** Nova's hash that tells hosts apart without naming them; empty without a host. */
export function hostIdOf(host: string | null, project_id: string): string {
  return host === null ? '' : createHash('sha224').update(project_id + host).digest('hex');
}

export const instanceName = (id: string): string => `instance-${id.slice(0, 8)}`;

export function shownStatus(row: ListedServer): string {
  return row.deleted === 1 ? 'DELETED' : statusOf(row.vm_state, row.task_state);
}

/** The body that GET shows. */
export function serverDetail(row: ListedServer, options: ViewOptions): Json {
  return { ...serverCore(row, options), ...serverExtras(row, options) };
}

/** What PUT shows before 2.75: no more than this. */
export function serverCore(row: ListedServer, options: ViewOptions, extendAddress = true): Json {
  const { version, base } = options;
  const status = shownStatus(row);
  const out: Json = {
    id: row.id,
    name: row.name,
    status,
    tenant_id: row.project_id,
    user_id: row.user_id,
    metadata: metadataOf(row),
    hostId: row.host === null ? '' : options.host_id(row.host, row.project_id),
    image: row.image_id === '' ? '' : bookmark(base, 'images', row.image_id),
    flavor: shownFlavor(row, options),
    created: isoSeconds(row.created_at),
    updated: isoSeconds(row.updated_at),
    addresses: shownAddresses(row, extendAddress),
    accessIPv4: row.access_ip_v4 ?? '',
    accessIPv6: row.access_ip_v6 ?? '',
    links: serverLinks(base, row.id),
    'OS-DCF:diskConfig': row.disk_config,
  };
  if (WITH_PROGRESS.has(status)) out['progress'] = row.progress;
  if (WITH_FAULT.has(status)) {
    const fault = shownFault(row, options.is_admin);
    if (fault) out['fault'] = fault;
  }
  if (version >= versions.SERVER_LOCKED) out['locked'] = row.locked_by !== null;
  if (version >= versions.SERVER_DESCRIPTION) out['description'] = row.description;
  if (version >= versions.SERVER_TAGS) out['tags'] = tagsOf(row);
  if (version >= versions.TRUSTED_CERTIFICATES) out['trusted_image_certificates'] = null;
  if (options.show_groups && version >= versions.SERVER_SHOWS_GROUP) out['server_groups'] = row.server_group_id === null ? [] : [row.server_group_id];
  if (version >= versions.LOCK_REASON) out['locked_reason'] = row.locked_reason;
  if (version >= versions.SERVER_HOSTNAME) out['OS-EXT-SRV-ATTR:hostname'] = row.hostname;
  return out;
}

function serverExtras(row: ListedServer, options: ViewOptions): Json {
  const out: Json = {
    'OS-EXT-AZ:availability_zone': row.zone ?? '',
    config_drive: row.config_drive,
    key_name: row.key_name,
    'OS-SRV-USG:launched_at': row.launched_at === null ? null : isoMicrosNoZone(row.launched_at),
    'OS-SRV-USG:terminated_at': row.terminated_at === null ? null : isoMicrosNoZone(row.terminated_at),
    'OS-EXT-STS:task_state': row.task_state,
    'OS-EXT-STS:vm_state': row.vm_state,
    'OS-EXT-STS:power_state': row.power_state,
    'os-extended-volumes:volumes_attached': shownVolumes(options.volumes.get(row.id) ?? [], options.version),
  };
  const groups = groupsOf(row);
  if (groups.length > 0) out['security_groups'] = groups.map(({ name }) => ({ name }));
  if (options.extended) Object.assign(out, adminAttributes(row, options));
  if (options.version >= versions.SERVER_HOST_STATUS && options.host_status) out['host_status'] = options.host_status(row);
  if (options.version >= versions.PINNED_ZONE) out['pinned_availability_zone'] = row.pinned_zone;
  return out;
}

function shownVolumes(devices: readonly AttachedDevice[], version: number): Json[] {
  const more = version >= versions.SERVER_MORE_ATTRIBUTES;
  return devices.map(({ volume_id: id, delete_on_termination }) => ({ id, ...(more ? { delete_on_termination: delete_on_termination === 1 } : {}) }));
}

function adminAttributes(row: ListedServer, options: ViewOptions): Json {
  const key = 'OS-EXT-SRV-ATTR:';
  const out: Json = { [`${key}host`]: row.host, [`${key}instance_name`]: instanceName(row.id), [`${key}hypervisor_hostname`]: row.host };
  if (options.version < versions.SERVER_MORE_ATTRIBUTES) return out;
  return {
    ...out,
    [`${key}hostname`]: row.hostname,
    [`${key}kernel_id`]: '',
    [`${key}ramdisk_id`]: '',
    [`${key}launch_index`]: row.launch_index,
    [`${key}reservation_id`]: row.reservation_id,
    [`${key}root_device_name`]: null,
    [`${key}user_data`]: options.user_data.get(row.id) ?? null,
  };
}

function shownFlavor(row: ListedServer, { version, base, extra_specs }: ViewOptions): Json {
  if (version < versions.SERVER_FLAVOR_EMBEDDED) return bookmark(base, 'flavors', row.flavor_id);
  const flavor = flavorOf(row);
  return {
    vcpus: flavor.vcpus,
    ram: flavor.ram_mb,
    disk: flavor.disk_gb,
    ephemeral: flavor.ephemeral_gb,
    swap: flavor.swap_mb,
    original_name: flavor.name,
    ...(extra_specs ? { extra_specs: flavor.extra_specs } : {}),
  };
}

function shownFault(row: ListedServer, is_admin: boolean): Json | undefined {
  const fault = faultOf(row);
  if (fault === null) return undefined;
  const details = fault.details !== null && (is_admin || fault.code !== 500) ? { details: fault.details } : {};
  return { code: fault.code, created: isoSeconds(fault.created), message: fault.message, ...details };
}

/** By network name; nothing while the server is being made. */
export function shownAddresses(row: ListedServer, extended: boolean): Record<string, object[]> {
  if (row.vm_state === 'building' || row.addresses_json === '{}') return {};
  const addresses = addressesOf(row);
  if (extended) return addresses;
  return Object.fromEntries(Object.entries(addresses).map(([network, list]) => [network, list.map(({ version, addr }) => ({ version, addr }))]));
}
