/** Who has a volume: reserved, being attached, attached, being detached. */
import { isoMicros } from '../../../kernel/clock.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { TaskDeps } from '../deps.ts';
import { attachmentNotFound, invalidVolume } from '../faults.ts';
import { attachments, volumes, type Reader } from '../store/rows.ts';
import type { AttachmentRow, VolumeRow } from '../store/tables.ts';
import { changeVolume } from './volume-state.ts';

type Deps = Pick<TaskDeps, 'db' | 'clock'>;

export const attachmentsOf = (db: Reader, volume_id: string): Promise<AttachmentRow[]> =>
  attachments.all(db, [{ column: 'volume_id', op: 'eq', value: volume_id }], [{ column: 'created_at', direction: 'asc' }]);

const RESERVABLE = ['available', 'downloading'];

/** The volume is `reserved`, or stays in use by others. @throws Fault 400 it is not available, 404 */
export async function reserve(deps: Deps, volume_id: string, server_id: string | null, mode: string | null = null): Promise<AttachmentRow> {
  return await deps.db.transaction(async (tx) => {
    const row = await changeVolume(tx, deps, volume_id, undefined, {});
    const shared = row.multiattach === 1 && ['in-use', 'reserved', 'attaching'].includes(row.status);
    if (!shared && !['available'].includes(row.status)) throw invalidVolume(`Volume ${volume_id} status must be ${RESERVABLE.join(' or ')} to reserve, but the current status is ${row.status}.`);
    if (server_id !== null && (await attachmentsOf(tx, volume_id)).some(({ instance_id, attach_status }) => instance_id === server_id && attach_status === 'attached' && !shared)) {
      throw invalidVolume(`Volume ${volume_id} is already attached to server ${server_id}.`);
    }
    if (!shared) await volumes.update(tx, volume_id, { status: 'reserved', attach_status: 'reserved' });
    const attachment = newAttachment(deps, row, { instance_id: server_id, attach_status: 'reserved', attach_mode: mode });
    await attachments.insert(tx, attachment);
    return attachment;
  });
}

export function newAttachment(deps: Pick<Deps, 'clock'>, { id, project_id }: Pick<VolumeRow, 'id' | 'project_id'>, given: Partial<AttachmentRow>): AttachmentRow {
  return {
    id: uuid(), volume_id: id, project_id, instance_id: null, attached_host: null, node_id: null, mountpoint: null, attach_mode: null, attach_status: 'reserved', connector_json: null,
    created_at: isoMicros(deps.clock.now()), attached_at: null, detached_at: null, ...given,
  };
}

/** Changes an attachment, and its volume after it. @throws Fault 404 */
export async function changeAttachment(deps: Deps, id: string, change: Partial<AttachmentRow>): Promise<AttachmentRow> {
  return await deps.db.transaction(async (tx) => {
    const row = await attachments.update(tx, id, change);
    if (row === undefined) throw attachmentNotFound(id);
    await followAttachments(tx, deps, row.volume_id);
    return row;
  });
}

/** Idempotent. */
export async function release(deps: Deps, id: string): Promise<AttachmentRow | undefined> {
  return await deps.db.transaction(async (tx) => {
    const row = await attachments.find(tx, id);
    if (row === undefined) return undefined;
    await attachments.remove(tx, id);
    await followAttachments(tx, deps, row.volume_id);
    return row;
  });
}

/** A volume is what the furthest of its attachments is. */
export async function followAttachments(tx: Reader, deps: Pick<Deps, 'clock'>, volume_id: string): Promise<void> {
  const all = await attachmentsOf(tx, volume_id);
  const has = (status: string): boolean => all.some(({ attach_status }) => attach_status === status);
  const state = has('attached') ? { status: 'in-use', attach_status: 'attached' }
    : has('attaching') ? { status: 'attaching', attach_status: 'attaching' }
    : has('reserved') ? { status: 'reserved', attach_status: 'reserved' }
    : all.length > 0 ? { status: 'error_attaching', attach_status: 'error_attaching' }
    : { status: 'available', attach_status: 'detached' };
  // What else is being done with the volume goes on: only its rest changes.
  const row = await volumes.find(tx, volume_id);
  if (row === undefined) return;
  const updated_at = isoMicros(deps.clock.now());
  const idle = ['available', 'reserved', 'attaching', 'in-use', 'detaching', 'error_attaching', 'error_detaching'].includes(row.status);
  await volumes.update(tx, volume_id, idle ? { ...state, updated_at } : { attach_status: state.attach_status, updated_at, ...(row.previous_status === null ? {} : { previous_status: state.status }) });
}
