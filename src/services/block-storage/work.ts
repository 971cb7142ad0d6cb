import type { ImageRef } from '../../agents/compute/protocol.ts';

/** The long work of this service, by kind, and what each wants to know. */
export interface WorkInputs {
  'create-volume': { volume_id: string; node_id?: string | null; image?: ImageRef | null; backup_id?: string | null };
  'delete-volume': { volume_id: string };
  'extend-volume': { volume_id: string; old_size: number; new_size: number };
  'create-snapshot': { snapshot_id: string; volume_id: string };
  'delete-snapshot': { snapshot_id: string; volume_id: string };
  'revert-volume': { volume_id: string; snapshot_id: string };
  'reimage-volume': { volume_id: string; image: ImageRef };
  'upload-image': { volume_id: string; image_id: string };
  'create-backup': { backup_id: string; volume_id: string };
  'restore-backup': { backup_id: string; volume_id: string };
  'delete-backup': { backup_id: string };
}

export type WorkKind = keyof WorkInputs;
