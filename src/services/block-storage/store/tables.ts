/** The rows of block storage. Flags are 0/1, instants ISO text, `…_json` JSON. */
export interface Owned {
  id: string;
  project_id: string;
  user_id: string;
  created_at: string;
  updated_at: string | null;
}

export interface VolumeRow extends Owned {
  name: string | null;
  description: string | null;
  /** GiB */
  size: number;
  status: string;
  previous_status: string | null;
  attach_status: string;
  migration_status: string | null;
  bootable: number;
  multiattach: number;
  encrypted: number;
  read_only: number;
  type_id: string;
  snapshot_id: string | null;
  source_volid: string | null;
  group_id: string | null;
  availability_zone: string;
  /** `node@backend#pool`, once it has a place. */
  host: string | null;
  node_id: string | null;
  encryption_key_id: string | null;
  metadata_json: string;
  /** Null: it came of no image. */
  image_metadata_json: string | null;
  launched_at: string | null;
}

export interface SnapshotRow extends Owned {
  name: string | null;
  description: string | null;
  volume_id: string;
  volume_size: number;
  status: string;
  progress: string;
  metadata_json: string;
  group_snapshot_id: string | null;
}

export interface AttachmentRow {
  id: string;
  volume_id: string;
  project_id: string;
  instance_id: string | null;
  attached_host: string | null;
  node_id: string | null;
  mountpoint: string | null;
  attach_mode: string | null;
  attach_status: string;
  connector_json: string | null;
  created_at: string;
  attached_at: string | null;
  detached_at: string | null;
}

export interface TypeRow {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  qos_specs_id: string | null;
  extra_specs_json: string;
  /** Null: volumes of this type are not encrypted. */
  encryption_json: string | null;
  created_at: string;
  updated_at: string | null;
}

export interface QosRow {
  id: string;
  name: string;
  consumer: string;
  specs_json: string;
  created_at: string;
}

export interface TransferRow {
  id: string;
  volume_id: string;
  project_id: string;
  name: string | null;
  salt: string;
  crypt_hash: string;
  no_snapshots: number;
  destination_project_id: string | null;
  accepted: number;
  created_at: string;
}

export interface BackupRow extends Owned {
  name: string | null;
  description: string | null;
  volume_id: string;
  snapshot_id: string | null;
  parent_id: string | null;
  container: string;
  availability_zone: string | null;
  status: string;
  fail_reason: string | null;
  size: number;
  object_count: number;
  is_incremental: number;
  restore_volume_id: string | null;
  data_timestamp: string;
  metadata_json: string;
  chunks_json: string;
}

export interface GroupRow extends Owned {
  name: string | null;
  description: string | null;
  status: string;
  group_type_id: string;
  volume_types_json: string;
  availability_zone: string;
  group_snapshot_id: string | null;
  source_group_id: string | null;
  host: string | null;
}

export interface GroupTypeRow {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  specs_json: string;
  created_at: string;
  updated_at: string | null;
}

export interface GroupSnapshotRow extends Owned {
  group_id: string;
  group_type_id: string;
  name: string | null;
  description: string | null;
  status: string;
}

export interface MessageRow {
  id: string;
  project_id: string;
  request_id: string;
  resource_type: string;
  resource_uuid: string;
  event_id: string;
  message_level: string;
  user_message: string;
  created_at: string;
  guaranteed_until: string;
}

/** A backend of a node, as it was reported last. */
export interface BackendRow {
  /** `node@backend` */
  host: string;
  id: string;
  node_id: string;
  hostname: string;
  availability_zone: string;
  disabled: number;
  disabled_reason: string | null;
  frozen: number;
  report_json: string;
  updated_at: string;
}

/** What a node holds that it should not, as it was away when it was told. */
export interface GarbageRow {
  id: string;
  node_id: string;
  volume_id: string;
}

export interface BlockStorageTables {
  block_storage_volumes: VolumeRow;
  block_storage_snapshots: SnapshotRow;
  block_storage_attachments: AttachmentRow;
  block_storage_types: TypeRow;
  block_storage_type_access: { type_id: string; project_id: string };
  block_storage_group_type_access: { type_id: string; project_id: string };
  block_storage_qos_specs: QosRow;
  block_storage_quotas: { project_id: string; resource: string; hard_limit: number };
  block_storage_quota_classes: { class_name: string; resource: string; hard_limit: number };
  block_storage_project_locks: { project_id: string; taken: number };
  block_storage_transfers: TransferRow;
  block_storage_backups: BackupRow;
  block_storage_groups: GroupRow;
  block_storage_group_types: GroupTypeRow;
  block_storage_group_snapshots: GroupSnapshotRow;
  block_storage_messages: MessageRow;
  block_storage_default_types: { project_id: string; type_id: string };
  block_storage_backends: BackendRow;
  block_storage_garbage: GarbageRow;
}
