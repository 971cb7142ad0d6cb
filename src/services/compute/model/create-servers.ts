/** From a checked request to rows and a boot that begins when they have committed. */
import type { Kysely } from 'kysely';
import type { GuestOptions, InjectedFile } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Auth, Context } from '../../../kernel/context.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { badRequest, forbidden } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { PlannedNic, RequestedNic } from '../../network/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { insertServers, setTags } from '../store/servers.ts';
import { insertDevices } from '../store/block-devices.ts';
import type { ComputeTables, ServerBootRow, ServerRow } from '../store/tables.ts';
import type { WantedVolume } from './block-device-mapping.ts';
import { imageOfRoot, newDevices, type PlannedVolume, planVolumes } from './volumes-at-create.ts';
import { flavorOptions } from './flavor-words.ts';
import { checkRuntime } from './node-runtimes.ts';
import { guestOptions } from './guest-words.ts';
import { refused } from './word-values.ts';
import { type FlavorSnapshot, flavorForServer } from './flavors.ts';
import { guestCommand, guestEnvironment } from './guest-command.ts';
import { type GuestSettings, passwordsFor } from './guest-settings.ts';
import { schedulingProperties } from './host-demands.ts';
import { type BootImage, checkImage, checkImageOnVolume, holdImage, imageForServer, originOf } from './image-checks.ts';
import { getKeypair } from './keypairs.ts';
import { claimServerQuota, quotasOf } from './quota-sets.ts';
import { startAction } from './server-actions.ts';
import { checkGroupQuota, groupForServer } from './server-groups.ts';
import { serverNames } from './server-names.ts';
import { type Placement, resolvePlacement } from './server-placement.ts';
import { powerStates } from './server-state.ts';

/** `POST /servers` after its schema: what the caller wants, in our words. */
export interface CreateServers {
  name: string;
  description: string | null;
  hostname: string | undefined;
  image_id: string;
  flavor_id: string;
  /** An empty list: the project's one network, or none if it has none. */
  networks: RequestedNic[] | 'auto' | 'none';
  security_groups: string[];
  key_name: string | null;
  metadata: Record<string, string>;
  tags: string[];
  user_data: string | null;
  /** `drawn` by lot, because the caller gave none; null: servers are given none. */
  admin_password: { text: string; drawn: boolean } | null;
  files: InjectedFile[];
  config_drive: boolean;
  min_count: number;
  max_count: number;
  access_ip_v4: string | null;
  access_ip_v6: string | null;
  disk_config: 'AUTO' | 'MANUAL' | undefined;
  zone: string | undefined;
  host: string | undefined;
  hypervisor_hostname: string | undefined;
  /** zone:host:node asks for the node without a look at its zone. */
  forced: boolean;
  hints: Record<string, unknown>;
  volumes: WantedVolume[];
  /** Whether the caller knows of volumes that several servers have. */
  multiattach: boolean;
}

interface Resolved {
  volumes: PlannedVolume[];
  /** The server's own root is on a volume. */
  boots_volume: boolean;
  flavor: FlavorSnapshot;
  image: ImageInfo;
  image_ref: BootImage;
  public_key: string | null;
  nics: PlannedNic[];
  security_groups: { id: string; name: string }[];
  group_id: string | null;
  placement: Placement;
  command: string[] | null;
  environment: Record<string, string>;
  /** Asked for by the image or by the configuration. */
  config_drive: boolean;
  settings: GuestSettings;
}

export interface Caller {
  ctx: Context;
  auth: Auth;
  is_admin: boolean;
  /** May use flavors without a disk limit. */
  zero_disk: boolean;
}

/**
 * @returns the servers, all of one reservation.
 * Faults: 400 and 403 in nova's words, 409 where networking says so. Nothing is kept of a call that fails.
 */
export async function createServers(deps: ComputeDeps, caller: Caller, asked: CreateServers): Promise<ServerRow[]> {
  if (asked.min_count > asked.max_count) throw badRequest('compute.count-invalid', 'min_count must be <= max_count');
  if (asked.hostname !== undefined && asked.max_count > 1) {
    throw badRequest('compute.hostname-ambiguous', 'Unable to allocate a single hostname to multiple instances');
  }
  const resolved = await resolve(deps, caller, asked);
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const count = await claimServerQuota(tx, deps, projectOf(caller.auth), resolved.flavor, { min: asked.min_count, max: asked.max_count }, caller.auth.user_id);
    await checkGroupQuota(tx, deps, projectOf(caller.auth), resolved.group_id, count);
    const rows = newRows(deps, caller.auth, asked, resolved, count);
    await insertServers(tx, rows, rows.map((row) => newBoot(row, asked, resolved, caller.auth)));
    for (const row of rows) {
      await holdImage(deps, raw, row.id, resolved.image.id);
      await insertDevices(tx, newDevices(row.id, resolved.volumes, row.created_at));
      if (asked.tags.length > 0) await setTags(tx, row.id, asked.tags);
      const action_id = await startAction(tx, caller.ctx, row.id, 'create');
      await deps.tasks.start(raw, 'boot', { server_id: row.id, action_id }, caller.ctx);
    }
    return rows;
  });
}

function projectOf(auth: Auth): string {
  if (auth.project_id === undefined) throw forbidden('compute.project-needed', 'A server needs a project: use a token that is scoped to one.');
  return auth.project_id;
}

async function resolve(deps: ComputeDeps, caller: Caller, asked: CreateServers): Promise<Resolved> {
  const { auth } = caller;
  const quotas = await quotasOf(deps.db.read as Kysely<ComputeTables>, deps, projectOf(auth));
  checkMetadataQuota(quotas.metadata_items, asked.metadata);
  checkFileQuota(quotas, asked.files);
  const flavor = await flavorForServer(deps, auth, asked.flavor_id, caller.is_admin);
  const volumes = await planVolumes(deps, auth, asked);
  const of_volume = await imageOfRoot(deps, auth, volumes);
  const image = of_volume ?? (await imageForServer(deps, auth, asked.image_id));
  const image_ref = of_volume === undefined ? checkImage(image, flavor, caller.zero_disk) : checkImageOnVolume(image, flavor);
  const words = { image_id: image.id, properties: image.properties, system: image_ref.system !== undefined };
  const options = guestOptions(asked.metadata, words);
  await checkRuntime(deps, flavorOptions(flavor.extra_specs).runtime);
  checkReadOnly(options, asked);
  const command = guestCommand(asked.metadata, words);
  const environment = guestEnvironment(asked.metadata, image.properties);
  const public_key = await publicKey(deps, auth, asked.key_name);
  const placement = await resolvePlacement(deps, asked);
  const group_id = await groupForServer(deps, auth, asked.hints['group']);
  const security_groups = await deps.network.resolveSecurityGroups(auth, asked.security_groups.length === 0 ? ['default'] : asked.security_groups);
  const nics = await deps.network.planNics(auth, asked.networks, asked.max_count);
  const config_drive = deps.config.force_config_drive || image.properties['img_config_drive'] === 'mandatory';
  const settings = { options, ...(asked.admin_password === null ? {} : { passwords: passwordsFor(image_ref, asked.admin_password.text, asked.admin_password.drawn) }) };
  return { volumes, boots_volume: of_volume !== undefined, config_drive, flavor, image, image_ref, public_key, nics, security_groups, group_id, placement, command, environment, settings };
}

/** Files are put in before the guest starts, and where nothing can be written they cannot be. @throws Fault 400 */
function checkReadOnly({ read_only }: GuestOptions, { files, user_data }: CreateServers): void {
  if (read_only === true && (files.length > 0 || user_data !== null)) throw refused('docker:read_only', 'does not go with files or user data: nothing can be put into such a server');
}

/** @throws Fault 403 in nova's words. */
export function checkMetadataQuota(limit: number, metadata: Readonly<Record<string, string>>): void {
  if (limit >= 0 && Object.keys(metadata).length > limit) {
    throw forbidden('compute.metadata-quota', `Maximum number of metadata items exceeds ${limit}`, { type: 'MetadataLimitExceeded' });
  }
}

type FileQuotas = { injected_files: number; injected_file_content_bytes: number; injected_file_path_length: number };

export function checkFileQuota(quotas: FileQuotas, files: readonly InjectedFile[]): void {
  const over = (limit: number, value: number): boolean => limit >= 0 && value > limit;
  if (over(quotas.injected_files, files.length)) throw forbidden('compute.file-quota', 'Personality file limit exceeded');
  for (const { path, content } of files) {
    if (over(quotas.injected_file_path_length, path.length)) {
      throw forbidden('compute.file-quota', `Personality file path exceeds maximum ${quotas.injected_file_path_length}`);
    }
    if (over(quotas.injected_file_content_bytes, Buffer.byteLength(content, 'base64'))) {
      throw forbidden('compute.file-quota', `Personality file content exceeds maximum ${quotas.injected_file_content_bytes}`);
    }
  }
}

export async function publicKey(deps: ComputeDeps, auth: Auth, name: string | null): Promise<string | null> {
  if (name === null) return null;
  const keypair = await getKeypair(deps, auth.user_id, name);
  if (keypair === undefined) throw badRequest('compute.keypair-not-found', 'Invalid key_name provided.');
  return keypair.public_key;
}

function newRows(deps: ComputeDeps, auth: Auth, asked: CreateServers, resolved: Resolved, count: number): ServerRow[] {
  const base = isoMicros(deps.clock.now());
  const reservation_id = `r-${uuid().replaceAll('-', '').slice(0, 8)}`;
  return Array.from({ length: count }, (_, index) => newRow(auth, asked, resolved, { base, reservation_id, index, count }));
}

interface Position {
  base: string;
  reservation_id: string;
  index: number;
  count: number;
}

function newRow(auth: Auth, asked: CreateServers, resolved: Resolved, position: Position): ServerRow {
  const id = uuid();
  // The microseconds keep the servers of one call in their order.
  const at = `${position.base.slice(0, 23)}${String(position.index % 1000).padStart(3, '0')}Z`;
  const { flavor, image, placement } = resolved;
  return {
    id,
    ...serverNames(asked, id, position.index, position.count),
    description: asked.description,
    project_id: projectOf(auth),
    user_id: auth.user_id,
    reservation_id: position.reservation_id,
    launch_index: position.index,
    image_id: resolved.boots_volume ? '' : image.id,
    image_name: resolved.boots_volume ? null : image.name,
    flavor_json: JSON.stringify(flavor),
    flavor_id: flavor.id,
    vcpus: flavor.vcpus,
    ram_mb: flavor.ram_mb,
    metadata_json: JSON.stringify(asked.metadata),
    tags_json: JSON.stringify([...new Set(asked.tags)].sort()),
    nics_json: '[]',
    addresses_json: '{}',
    security_groups_json: JSON.stringify(resolved.nics.length === 0 ? [] : resolved.security_groups),
    key_name: asked.key_name,
    access_ip_v4: asked.access_ip_v4,
    access_ip_v6: asked.access_ip_v6,
    disk_config: asked.disk_config ?? 'MANUAL',
    config_drive: asked.config_drive || resolved.config_drive ? 'True' : '',
    has_user_data: asked.user_data === null ? 0 : 1,
    pinned_zone: placement.zone,
    server_group_id: resolved.group_id,
    node_id: null,
    host: null,
    zone: placement.zone,
    vm_state: 'building',
    task_state: 'scheduling',
    power_state: powerStates.nostate,
    progress: 0,
    locked_by: null,
    locked_reason: null,
    fault_json: null,
    launched_at: null,
    terminated_at: null,
    created_at: at,
    updated_at: at,
    deleted: 0,
    deleted_at: null,
  };
}

function newBoot(row: ServerRow, asked: CreateServers, resolved: Resolved, auth: Auth): ServerBootRow {
  return {
    server_id: row.id,
    user_data: asked.user_data,
    public_key: resolved.public_key,
    image_json: JSON.stringify({ ...resolved.image_ref, origin: originOf(resolved.image, auth) }),
    nics_json: JSON.stringify(resolved.nics),
    security_group_ids_json: JSON.stringify(resolved.security_groups.map(({ id }) => id)),
    files_json: JSON.stringify(asked.files),
    command_json: JSON.stringify(resolved.command),
    environment_json: JSON.stringify(resolved.environment),
    hints_json: JSON.stringify(asked.hints),
    requested_json: JSON.stringify({ ...resolved.placement, image_properties: schedulingProperties(resolved.image.properties) } satisfies Placement),
    guest_json: JSON.stringify(resolved.settings),
  };
}
