/** Images that are made of servers: what they say of themselves, and the work that fills them (nova `compute/utils.py` create_image). */
import type { Kysely } from 'kysely';
import { badRequest, conflict } from '../../../kernel/fault.ts';
import type { ImageCaller, ImageInfo } from '../../image/client.ts';
import type { ComputeConfig } from '../config.ts';
import type { ComputeDeps } from '../deps.ts';
import { findBoot } from '../store/servers.ts';
import type { ComputeTables, ServerBootRow, ServerRow } from '../store/tables.ts';
import type { BootImage } from './image-checks.ts';
import { inNovaWords } from './images.ts';
import { bootsFromVolume, flavorOf } from './server-row.ts';
import { checkAction, type ServerAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';

const NEVER_INHERITED = [
  'cinder_encryption_key_id', 'cinder_encryption_key_deletion_policy', 'img_signature', 'img_signature_hash_method', 'img_signature_key_type', 'img_signature_certificate_uuid',
];
/** What other parts of the cloud write, of the image itself. */
const NOT_OF_THE_SERVER = ['docker:ref', 'docker:digest'];

interface WantedImage {
  name: string;
  type: 'snapshot' | 'backup';
  properties: Record<string, string>;
}

export interface MadeImage {
  image: ImageInfo;
  /** Belongs into the transaction that begins the work. */
  insert(tx: Kysely<ComputeTables>): Promise<void>;
}

/** The queued image of a server. Faults: in nova's words. */
export async function imageOfServer(deps: ComputeDeps, caller: ImageCaller, row: ServerRow, wanted: WantedImage): Promise<MadeImage> {
  if (bootsFromVolume(row)) throw badRequest('compute.image-of-volume', `Instance ${row.id} boots from a volume: what it has written is there, and is kept by a snapshot of that volume.`);
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, row.id);
  if (boot === undefined) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  const is_foreign = caller.auth.project_id !== row.project_id;
  // What the caller says of it counts, even against nova's own words.
  const properties = { ...inherited(deps.config, boot), instance_uuid: row.id, user_id: caller.auth.user_id, image_type: wanted.type, ...wanted.properties };
  const state = { image_location: 'snapshot', image_state: 'available', owner_id: row.project_id };
  const { min_ram = 0, min_disk = 0 } = (JSON.parse(boot.image_json) as BootImage).origin ?? {};
  const made = await inNovaWords(row.id, deps.image.snapshots.create(caller, {
    name: wanted.name,
    visibility: is_foreign ? 'shared' : 'private',
    min_ram,
    min_disk: Math.max(min_disk, flavorOf(row).disk_gb),
    properties: { ...properties, ...state },
    ...(is_foreign ? { member: row.project_id } : {}),
  }), 'Not allowed to make an image.');
  return { image: made.image, insert: (tx) => made.insert(tx as never) };
}

function inherited({ non_inheritable_image_properties }: ComputeConfig, boot: ServerBootRow): Record<string, string> {
  const { properties = {} } = (JSON.parse(boot.image_json) as BootImage).origin ?? {};
  const not = new Set([...NEVER_INHERITED, ...NOT_OF_THE_SERVER, ...non_inheritable_image_properties]);
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !not.has(name) && !name.startsWith('os_glance')));
}

export interface Snapshot {
  name: string;
  metadata: Record<string, string>;
  backup?: { type: string; rotation: number };
}

/** @returns the id of the image, which is queued. Faults: in nova's words. */
export async function snapshotServer(deps: ComputeDeps, actor: Actor, caller: ImageCaller, row: ServerRow, asked: Snapshot): Promise<string> {
  const { name, metadata, backup } = asked;
  const action: ServerAction = backup === undefined ? 'createImage' : 'createBackup';
  checkAction(action, row, actor.is_admin);
  if (row.node_id === null) throw badRequest('compute.server-not-ready', `Instance ${row.id} is not ready`);
  const properties = backup === undefined ? metadata : { ...metadata, backup_type: backup.type };
  const { image, insert } = await imageOfServer(deps, caller, row, { name, type: backup === undefined ? 'snapshot' : 'backup', properties });
  await beginTask(deps, actor, row, {
    action,
    task_state: backup === undefined ? 'image_snapshot_pending' : 'image_backup',
    recorded: action,
    kind: 'snapshot',
    input: { image_id: image.id, ...(backup === undefined ? {} : { backup }) },
    also: insert,
  });
  return image.id;
}
