/** The states that a volume goes through, and who may take it from one to the next. */
import { isoMicros } from '../../../kernel/clock.ts';
import type { TaskDeps } from '../deps.ts';
import { invalidVolume, volumeNotFound } from '../faults.ts';
import { volumes, type Reader } from '../store/rows.ts';
import type { VolumeRow } from '../store/tables.ts';

type Deps = Pick<TaskDeps, 'clock'>;

/** Changes a volume that is in one of these states. @throws Fault 404; 400 with `reason` when it is in another */
export async function changeVolume(tx: Reader, deps: Deps, id: string, from: readonly string[] | undefined, change: Partial<VolumeRow>, reason = ''): Promise<VolumeRow> {
  const only = from === undefined ? [] : [{ column: 'status', op: 'in' as const, value: from }];
  const row = await volumes.update(tx, id, { ...change, updated_at: isoMicros(deps.clock.now()) }, only);
  if (row !== undefined) return row;
  const now = await volumes.find(tx, id);
  if (now === undefined) throw volumeNotFound(id);
  throw invalidVolume(reason === '' ? `Volume ${id} status must be ${(from ?? []).join(' or ')}, but current status is: ${now.status}.` : reason);
}

/** What a volume is once nothing is done with it: what it was, by what it is attached to. */
export const restingStatus = (row: Pick<VolumeRow, 'attach_status' | 'previous_status'>): string => (row.attach_status === 'attached' ? 'in-use' : 'available');
