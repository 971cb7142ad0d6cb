/** Tasks as glance's API shows them. */
import type { Transaction } from 'kysely';
import { isoMicros, isoSeconds } from '../../../kernel/clock.ts';
import { notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ImageDeps } from '../deps.ts';
import { findImageTask, updateImageTask } from '../store/image-tasks.ts';
import type { ImageTables, ImageTaskRow } from '../store/tables.ts';

/** Who asked for a task. */
export interface Asker {
  project_id: string;
  user_id: string;
  request_id: string;
}

export function newImageTask(deps: Pick<ImageDeps, 'clock'>, asker: Asker, type: ImageTaskRow['type'], image_id: string | null, input: object): ImageTaskRow {
  const now = isoMicros(deps.clock.now());
  return {
    id: uuid(), type, status: 'pending', owner: asker.project_id, user_id: asker.user_id, request_id: asker.request_id, image_id,
    input: JSON.stringify(input), result: null, message: '', expires_at: null, created_at: now, updated_at: now,
  };
}

export async function getImageTask(deps: ImageDeps, id: string): Promise<ImageTaskRow> {
  const row = await findImageTask(deps.db.read, id);
  const expired = row !== undefined && row.expires_at !== null && row.expires_at < isoMicros(deps.clock.now());
  if (!row || expired) throw notFound('image.task-not-found', `No task found with ID ${id}`);
  return row;
}

type EndDeps = Pick<ImageDeps, 'clock' | 'config'>;

/** Ends a task; from now on its time runs. */
export async function endImageTask(deps: EndDeps, tx: Transaction<ImageTables>, id: string, end: { image_id: string } | { message: string }): Promise<void> {
  const now = deps.clock.now();
  const expires_at = isoMicros(new Date(now.getTime() + deps.config.task_hours * 3_600_000));
  const outcome = 'message' in end ? { status: 'failure' as const, message: end.message, result: null } : { status: 'success' as const, message: '', result: JSON.stringify(end) };
  await updateImageTask(tx, id, { ...outcome, expires_at, updated_at: isoMicros(now) });
}

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
const links = (row: ImageTaskRow) => ({ self: `/v2/tasks/${row.id}`, schema: '/v2/schemas/task' });

/** As in a list. */
export function taskStub(row: ImageTaskRow) {
  return {
    id: row.id, type: row.type, status: row.status, owner: row.owner, created_at: isoSeconds(row.created_at), updated_at: isoSeconds(row.updated_at), ...links(row),
    ...(row.expires_at === null ? {} : { expires_at: isoSeconds(row.expires_at) }),
  };
}

export function taskView(row: ImageTaskRow) {
  return {
    ...taskStub(row), input: parsed(row.input), result: parsed(row.result), message: row.message, user_id: row.user_id, request_id: row.request_id,
    ...(row.image_id === null ? {} : { image_id: row.image_id }),
  };
}

/** As `/v2/images/{id}/tasks` shows it: the row, and no links. */
export function imageTaskView(row: ImageTaskRow) {
  const { id, type, status, owner, user_id, request_id, image_id, message } = row;
  return {
    id, type, status, owner, user_id, request_id, image_id, message, input: parsed(row.input), result: parsed(row.result), deleted: false, deleted_at: null,
    created_at: isoSeconds(row.created_at), updated_at: isoSeconds(row.updated_at), expires_at: row.expires_at === null ? null : isoSeconds(row.expires_at),
  };
}
