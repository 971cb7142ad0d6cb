/** All that a node is told about a server it has to start. */
import type { GuestLimits, GuestSpec, InjectedFile } from '../../../agents/compute/protocol.ts';
import type { NodeNetworkState } from '../../../agents/network/protocol.ts';
import type { ServerNic } from '../../network/client.ts';
import type { ComputeConfig } from '../config.ts';
import { flavorOptions } from '../model/flavor-words.ts';
import { settingsOf } from '../model/guest-settings.ts';
import type { BootImage } from '../model/image-checks.ts';
import { configDrive } from '../model/metadata/config-drive.ts';
import { instanceFacts } from '../model/metadata/facts.ts';
import type { FlavorSnapshot } from '../model/flavors.ts';
import { flavorOf, metadataOf } from '../model/server-row.ts';
import { mayHaveDoor } from '../model/ssh-access.ts';
import { guestVolume, type ReservedDevice } from './guest-volumes.ts';
import type { ServerBootRow, ServerRow } from '../store/tables.ts';

export interface GuestDevices {
  nics: readonly ServerNic[];
  /** Those that are reserved for it. */
  volumes: readonly ReservedDevice[];
  network: NodeNetworkState;
}

export function guestSpec(row: ServerRow, boot: ServerBootRow, { nics, volumes, network }: GuestDevices, config: ComputeConfig): GuestSpec {
  const flavor = flavorOf(row);
  const { system, admin_user: login_user, origin: _origin, ...image } = JSON.parse(boot.image_json) as BootImage;
  const { passwords, options } = settingsOf(boot);
  const { pids: _pids, ...of_flavor } = flavorOptions(flavor.extra_specs);
  return {
    server_id: row.id,
    name: row.name,
    hostname: row.hostname,
    project_id: row.project_id,
    user_id: row.user_id,
    flavor_name: flavor.name,
    image,
    limits: limitsOf(flavor, config.pids_limit),
    command: JSON.parse(boot.command_json) as string[] | null,
    ssh_door: boot.public_key !== null && system === undefined && mayHaveDoor(row),
    ...(options === undefined ? {} : { options }),
    of_flavor,
    environment: JSON.parse(boot.environment_json) as Record<string, string>,
    files: [...(JSON.parse(boot.files_json) as InjectedFile[]), ...seedFiles(row, boot, system?.has_cloud_init ?? false)],
    ssh_keys: boot.public_key === null ? [] : [boot.public_key],
    ...(passwords === undefined ? {} : { passwords }),
    dns: { servers: nameservers(nics), search: [] },
    metadata: metadataOf(row),
    ...(system === undefined ? {} : { system: { init: system.init, user: system.user } }),
    ...(login_user === undefined ? {} : { login_user }),
    ...(boot.user_data === null || system?.has_cloud_init ? {} : { user_data: boot.user_data }),
    ...(row.config_drive === '' ? {} : { config_drive: configDrive(instanceFacts(row, boot, { nics, volumes }, { domain: config.dhcp_domain, default_zone: config.default_availability_zone })) }),
    network,
    volumes: volumes.map(guestVolume),
  };
}

/** @param pids of flavors that say nothing of processes. */
export function limitsOf(flavor: FlavorSnapshot, pids: number): GuestLimits {
  const own = Number(flavor.extra_specs['docker:pids']);
  return { vcpus: flavor.vcpus, memory_mb: flavor.ram_mb, swap_mb: flavor.swap_mb, disk_gb: flavor.disk_gb, pids: Number.isInteger(own) && own > 0 ? own : pids };
}

const SEED = '/var/lib/cloud/seed/nocloud';

const NO_USER_DATA = Buffer.from('#cloud-config\n').toString('base64');

/** User data where cloud-init's NoCloud source looks for it; a system with cloud-init gets its key and name that way in any case. */
function seedFiles(row: ServerRow, boot: ServerBootRow, has_cloud_init: boolean): InjectedFile[] {
  if (boot.user_data === null && !has_cloud_init) return [];
  const meta = { 'instance-id': row.id, 'local-hostname': row.hostname, ...(boot.public_key === null ? {} : { 'public-keys': [boot.public_key] }) };
  return [
    { path: `${SEED}/user-data`, content: (boot.user_data ?? NO_USER_DATA).replaceAll(/\s/g, ''), mode: 0o600 },
    { path: `${SEED}/meta-data`, content: Buffer.from(`${JSON.stringify(meta)}\n`).toString('base64'), mode: 0o644 },
  ];
}

function nameservers(nics: readonly ServerNic[]): string[] {
  return [...new Set(nics.flatMap(({ fixed_ips }) => fixed_ips.flatMap(({ dns_nameservers }) => dns_nameservers)))];
}
