import type { TaskDefinition } from '../../../kernel/task/define.ts';
import type { Tasks } from '../../../kernel/task/tasks.ts';
import type { TaskDeps, Work } from '../deps.ts';
import type { WorkInputs, WorkKind } from '../work.ts';
import { createBackupTask, deleteBackupTask, restoreBackupTask } from './backups.ts';
import { extendVolumeTask, reimageVolumeTask, revertVolumeTask } from './change-volume.ts';
import { createVolumeTask } from './create-volume.ts';
import { deleteVolumeTask } from './delete-volume.ts';
import { createSnapshotTask, deleteSnapshotTask } from './snapshots.ts';

/** The lock: one piece of work at a time on each volume, snapshot and backup. Deleting a volume stops what holds it. */
function lockOf(kind: WorkKind, input: { volume_id?: string; snapshot_id?: string; backup_id?: string | null }): string {
  if (kind === 'delete-volume') return `volume:${input.volume_id}:delete`;
  if (kind === 'create-snapshot' || kind === 'delete-snapshot') return `volume-snapshot:${input.snapshot_id}`;
  if (kind === 'create-backup' || kind === 'delete-backup') return `volume-backup:${input.backup_id}`;
  return `volume:${input.volume_id}`;
}

/** The kinds to register, and how the rest of the service asks for them. */
export function blockStorageTasks(deps: TaskDeps, tasks: Tasks): { definitions: TaskDefinition[]; work: Work } {
  const kinds: Partial<Record<WorkKind, TaskDefinition<never>>> = {
    'create-volume': createVolumeTask(deps),
    'delete-volume': deleteVolumeTask(deps),
    'extend-volume': extendVolumeTask(deps),
    'revert-volume': revertVolumeTask(deps),
    'reimage-volume': reimageVolumeTask(deps),
    'create-snapshot': createSnapshotTask(deps),
    'delete-snapshot': deleteSnapshotTask(deps),
    'create-backup': createBackupTask(deps),
    'restore-backup': restoreBackupTask(deps),
    'delete-backup': deleteBackupTask(deps),
  };
  const work: Work = {
    async start<Kind extends WorkKind>(tx: Parameters<Work['start']>[0], kind: Kind, input: WorkInputs[Kind], ids: Parameters<Work['start']>[3]) {
      const { request_id, global_request_id } = ids;
      return await tasks.start(tx, kinds[kind] as TaskDefinition<WorkInputs[Kind]>, { resource: lockOf(kind, input), input, request_id, global_request_id });
    },
  };
  return { definitions: Object.values(kinds) as TaskDefinition[], work };
}
