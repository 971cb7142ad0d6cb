/** A group is what its volumes are: it waits for them to be made, and goes with the last of them. */
import { isoMicros } from '../../../kernel/clock.ts';
import type { TaskDeps } from '../deps.ts';
import { groups, groupSnapshots, snapshots, volumes, type Reader } from '../store/rows.ts';

type Deps = Pick<TaskDeps, 'clock'>;

/** Called in the transaction that settles one of its volumes. */
export async function settleGroup(tx: Reader, deps: Deps, group_id: string): Promise<void> {
  const group = await groups.find(tx, group_id);
  if (group === undefined || !['creating', 'deleting'].includes(group.status)) return;
  const members = await volumes.all(tx, [{ column: 'group_id', op: 'eq', value: group_id }]);
  if (members.some(({ status }) => status === group.status)) return;
  if (group.status === 'deleting' && members.length === 0) return void (await groups.remove(tx, group_id));
  const failed = group.status === 'deleting' || members.some(({ status }) => status === 'error');
  await groups.update(tx, group_id, { status: failed ? (group.status === 'deleting' ? 'error_deleting' : 'error') : 'available', updated_at: isoMicros(deps.clock.now()) });
}

/** Called in the transaction that settles one of its snapshots. */
export async function settleGroupSnapshot(tx: Reader, deps: Deps, id: string): Promise<void> {
  const row = await groupSnapshots.find(tx, id);
  if (row === undefined || !['creating', 'deleting'].includes(row.status)) return;
  const parts = await snapshots.all(tx, [{ column: 'group_snapshot_id', op: 'eq', value: id }]);
  if (parts.some(({ status }) => status === row.status)) return;
  if (row.status === 'deleting' && parts.length === 0) return void (await groupSnapshots.remove(tx, id));
  const failed = row.status === 'deleting' || parts.some(({ status }) => status === 'error');
  await groupSnapshots.update(tx, id, { status: failed ? (row.status === 'deleting' ? 'error_deleting' : 'error') : 'available', updated_at: isoMicros(deps.clock.now()) });
}
