/** Volumes are asked for, and asked to go. */
import type { ImageRef } from '../../../agents/compute/protocol.ts';
import type { VolumeSource } from '../../../agents/volume/protocol.ts';
import type { Auth } from '../../../kernel/context.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { BlockStorageDeps, RequestIds } from '../deps.ts';
import { backupNotFound, groupNotFound, invalidGroup, invalidInputOf, invalidSnapshot, invalidVolume, snapshotNotFound, volumeNotFound } from '../faults.ts';
import { attachments, backups, groups, snapshots, types, volumes, type Reader } from '../store/rows.ts';
import type { TypeRow, VolumeRow } from '../store/tables.ts';
import { checkVolumeSize, claim } from './quotas.ts';
import { defaultType, extraSpecs, eyesOf, isTrueSpec, resolveType } from './types.ts';
import { changeVolume } from './volume-state.ts';

export interface VolumeWanted {
  name: string | null;
  description: string | null;
  /** GiB; null: as its source. */
  size: number | null;
  /** Id or name. */
  type: string | null;
  metadata: Record<string, string>;
  availability_zone: string | null;
  snapshot_id: string | null;
  source_volid: string | null;
  image_id: string | null;
  backup_id: string | null;
  group_id: string | null;
  /** Where the server is that it is made for. */
  node_id?: string | null;
  /** Which it is to have; left out: a new one. */
  id?: string;
}

interface Source {
  size: number;
  kind: VolumeSource['kind'];
  node_id: string | null;
  type_id: string | null;
  image?: ImageInfo;
  bootable: boolean;
  image_metadata: Record<string, unknown> | null;
  encryption_key_id: string | null;
  availability_zone: string | null;
}

type Caller = { auth: Auth } & RequestIds;

const GIB = 2 ** 30;
const NOTHING: Source = { size: 0, kind: 'blank', node_id: null, type_id: null, bootable: false, image_metadata: null, encryption_key_id: null, availability_zone: null };

/** @throws Fault 400, 404, 413. */
export async function createVolume(deps: BlockStorageDeps, caller: Caller, wanted: VolumeWanted): Promise<VolumeRow> {
  const project_id = caller.auth.project_id;
  if (project_id === undefined) throw badRequest('block-storage.project-needed', 'A volume needs a project: use a token that is scoped to one.');
  const source = await sourceOf(deps, caller.auth, wanted);
  const size = wanted.size ?? source.size;
  if (size < 1) throw badRequest('block-storage.size', "Invalid input received: Invalid volume size provided for create request: None (size argument must be an integer (or string representation of an integer) and greater than zero).");
  if (size < source.size) throw tooSmall(source, size);
  const type = await typeOf(deps, caller.auth, wanted, source);
  await checkVolumeSize(deps.db.read, deps, project_id, size);
  const row = newVolume(deps, caller.auth, { ...wanted, size, project_id }, type, source);
  const image = source.image === undefined ? null : imageRef(source.image);
  await deps.db.transaction(async (tx) => {
    await checkGroup(tx, caller.auth, row);
    await claim(tx, deps, project_id, { volumes: 1, gigabytes: size }, type.name);
    await volumes.insert(tx, row);
    await deps.work.start(tx, 'create-volume', { volume_id: row.id, node_id: source.node_id ?? wanted.node_id ?? null, image, backup_id: wanted.backup_id }, caller);
  });
  return row;
}

function tooSmall({ kind, size, image }: Source, asked: number): Fault {
  if (kind === 'image') return invalidInputOf(`Size of specified image ${size}GB is larger than volume size ${asked}GB.${image === undefined ? '' : ''}`);
  return invalidInputOf(`Volume size '${asked}'GB cannot be smaller than the ${kind} size ${size}GB. They must be >= ${kind === 'volume' ? 'original volume' : kind} size.`);
}

async function typeOf(deps: BlockStorageDeps, auth: Auth, { type, image_id }: VolumeWanted, source: Source): Promise<TypeRow> {
  const named = type ?? (image_id === null ? null : (source.image?.properties['cinder_img_volume_type'] ?? null));
  if (named !== null && named !== '') return await resolveType(deps.db.read, eyesOf(auth), named);
  const inherited = source.type_id === null ? undefined : await types.find(deps.db.read, source.type_id);
  return inherited ?? (await defaultType(deps, auth.project_id));
}

async function sourceOf(deps: BlockStorageDeps, auth: Auth, wanted: VolumeWanted): Promise<Source> {
  const named = [wanted.snapshot_id, wanted.source_volid, wanted.image_id, wanted.backup_id].filter((id) => id !== null);
  if (named.length > 1) throw invalidInputOf('May specify only one of snapshot, imageRef or source volume');
  if (wanted.snapshot_id !== null) return await fromSnapshot(deps, auth, wanted.snapshot_id);
  if (wanted.source_volid !== null) return await fromVolume(deps, auth, wanted.source_volid);
  if (wanted.image_id !== null) return await fromImage(deps, auth, wanted.image_id);
  if (wanted.backup_id !== null) return await fromBackup(deps, auth, wanted.backup_id);
  return NOTHING;
}

export const mine = (auth: Auth, row: { project_id: string } | undefined): boolean => row !== undefined && (row.project_id === auth.project_id || auth.roles.includes('admin'));

const ofVolume = (row: VolumeRow): Source => ({
  ...NOTHING, kind: 'volume', size: row.size, node_id: row.node_id, type_id: row.type_id, bootable: row.bootable === 1,
  image_metadata: row.image_metadata_json === null ? null : (JSON.parse(row.image_metadata_json) as Record<string, unknown>),
  encryption_key_id: row.encryption_key_id, availability_zone: row.availability_zone,
});

async function fromSnapshot(deps: BlockStorageDeps, auth: Auth, id: string): Promise<Source> {
  const row = await snapshots.find(deps.db.read, id);
  if (row === undefined || !mine(auth, row)) throw snapshotNotFound(id);
  if (row.status !== 'available') throw invalidSnapshot('Originating snapshot status must be one of available values');
  const volume = await volumes.find(deps.db.read, row.volume_id);
  if (volume === undefined) throw volumeNotFound(row.volume_id);
  return { ...ofVolume(volume), kind: 'snapshot', size: row.volume_size };
}

async function fromVolume(deps: BlockStorageDeps, auth: Auth, id: string): Promise<Source> {
  const row = await volumes.find(deps.db.read, id);
  if (row === undefined || !mine(auth, row)) throw volumeNotFound(id);
  if (!['available', 'in-use'].includes(row.status)) throw invalidVolume('Originating volume status must be one of available, in-use values');
  return ofVolume(row);
}

async function fromImage(deps: BlockStorageDeps, auth: Auth, id: string): Promise<Source> {
  const image = await imageFor(deps, auth, id);
  const size = Math.max(Math.ceil((image.size ?? 0) / GIB), image.min_disk, 1);
  return { ...NOTHING, kind: 'image', size, image, bootable: true, image_metadata: imageMetadata(image) };
}

/** @throws Fault 400 when it cannot be used */
export async function imageFor(deps: BlockStorageDeps, auth: Auth, id: string): Promise<ImageInfo> {
  const image = await deps.image.getImage(auth, id).catch(() => undefined);
  if (image === undefined) throw badRequest('block-storage.image-invalid', 'Invalid image identifier or unable to access requested image.');
  if (image.status !== 'active' || image.digest === null) throw invalidInputOf(`Image ${id} is not active.`);
  return image;
}

export const imageRef = (image: ImageInfo): ImageRef => ({ id: image.id, digest: image.digest ?? '', size: image.size ?? 0, container_format: image.container_format ?? 'bare', disk_format: image.disk_format ?? 'raw' });

/** What a volume remembers of the image that it came from: text, as cinder keeps it. */
export function imageMetadata(image: ImageInfo): Record<string, string> {
  const { id, name, container_format, disk_format, min_disk, min_ram, size, digest } = image;
  return { ...image.properties, image_id: id, image_name: name ?? '', container_format: container_format ?? '', disk_format: disk_format ?? '', min_disk: String(min_disk), min_ram: String(min_ram), size: String(size ?? 0), checksum: digest ?? '' };
}

async function fromBackup(deps: BlockStorageDeps, auth: Auth, id: string): Promise<Source> {
  const row = await backups.find(deps.db.read, id);
  if (row === undefined || !mine(auth, row)) throw backupNotFound(id);
  if (row.status !== 'available') throw invalidInputOf('Backup status must be available');
  return { ...NOTHING, kind: 'backup', size: row.size };
}

function newVolume(deps: BlockStorageDeps, auth: Auth, wanted: VolumeWanted & { size: number; project_id: string }, type: TypeRow, source: Source): VolumeRow {
  const encrypted = type.encryption_json !== null;
  const { name, description, size, project_id, snapshot_id, source_volid, group_id } = wanted;
  return {
    id: wanted.id ?? uuid(), project_id, user_id: auth.user_id, name, description, size, snapshot_id, source_volid, group_id, type_id: type.id,
    status: 'creating', previous_status: null, attach_status: 'detached', migration_status: null,
    bootable: source.kind !== 'image' && source.bootable ? 1 : 0, multiattach: isTrueSpec(extraSpecs(type)['multiattach']) ? 1 : 0, encrypted: encrypted ? 1 : 0, read_only: 0,
    availability_zone: wanted.availability_zone ?? source.availability_zone ?? deps.config.default_availability_zone, host: null, node_id: null,
    encryption_key_id: encrypted ? (source.encryption_key_id ?? uuid()) : null, metadata_json: JSON.stringify(wanted.metadata),
    image_metadata_json: source.image_metadata === null ? null : JSON.stringify(source.image_metadata), launched_at: null, created_at: isoMicros(deps.clock.now()), updated_at: null,
  };
}

async function checkGroup(tx: Reader, auth: Auth, row: VolumeRow): Promise<void> {
  if (row.group_id === null) return;
  const group = await groups.find(tx, row.group_id);
  if (group === undefined || !mine(auth, group)) throw groupNotFound(row.group_id);
  if (!(JSON.parse(group.volume_types_json) as string[]).includes(row.type_id)) throw invalidGroup(`Volume type ${row.type_id} is not supported by the group.`);
}

const DELETABLE = ['available', 'error', 'error_restoring', 'error_extending', 'error_managing', 'error_deleting', 'in-use-error'];

/** @param force whatever state it is in. @throws Fault 400 */
export async function removeVolume(deps: BlockStorageDeps, caller: RequestIds, row: VolumeRow, how: { force?: boolean; cascade?: boolean } = {}): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const parts = await snapshots.all(tx, [{ column: 'volume_id', op: 'eq', value: row.id }]);
    if (parts.length > 0 && how.cascade !== true) throw invalidVolume('Volume cannot be deleted while in a state of being attached or having snapshots: it has dependent snapshots.');
    const attached = await attachments.all(tx, [{ column: 'volume_id', op: 'eq', value: row.id }]);
    if (attached.length > 0 && how.force !== true) throw invalidVolume('Volume cannot be deleted while attached or reserved.');
    if (row.migration_status !== null && !['deleting', 'error', 'success'].includes(row.migration_status)) throw invalidVolume('Volume cannot be deleted while migrating.');
    const reason = `Volume status must be ${DELETABLE.join(' or ')} and must not be migrating, attached, belong to a group, have snapshots or be disassociated from snapshots after volume transfer.`;
    await changeVolume(tx, deps, row.id, how.force === true ? undefined : DELETABLE, { status: 'deleting' }, reason);
    for (const { id } of parts) await snapshots.update(tx, id, { status: 'deleting' });
    await startDeletion(deps, tx, caller, row.id);
  });
}

/** Whatever else is done with it stops first. */
export async function startDeletion(deps: BlockStorageDeps, tx: Parameters<BlockStorageDeps['work']['start']>[0], caller: RequestIds, volume_id: string): Promise<void> {
  await deps.engine.cancel(tx, `volume:${volume_id}`);
  await deps.work.start(tx, 'delete-volume', { volume_id }, caller);
}
