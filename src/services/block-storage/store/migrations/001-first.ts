import type { Kysely } from 'kysely';
import { create, id, index, integers, key, nullable, texts, unique, type Table } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

const table = (name: string): string => `block_storage_${name}`;
const owned = (columns: Table): Table => nullable(texts(id(columns), 'project_id', 'user_id', 'created_at'), 'updated_at', 'name', 'description');

export const first: Migration = {
  service: 'block-storage',
  number: 1,
  name: 'first',
  async up(tx) {
    await volumes(tx);
    await types(tx);
    await parts(tx);
    await groups(tx);
    await places(tx);
  },
};

async function volumes(tx: Kysely<any>): Promise<void> {
  await create(tx, table('volumes'), (columns) => {
    const all = integers(texts(owned(columns), 'status', 'attach_status', 'type_id', 'availability_zone', 'metadata_json'), 'size', 'bootable', 'multiattach', 'encrypted', 'read_only');
    return nullable(all, 'previous_status', 'migration_status', 'snapshot_id', 'source_volid', 'group_id', 'host', 'node_id', 'encryption_key_id', 'image_metadata_json', 'launched_at');
  });
  await index(tx, table('volumes'), 'project_id', 'created_at', 'id');
  await index(tx, table('volumes'), 'created_at', 'id');
  for (const column of ['type_id', 'snapshot_id', 'source_volid', 'group_id', 'node_id']) await index(tx, table('volumes'), column);
  await create(tx, table('snapshots'), (columns) => nullable(integers(texts(owned(columns), 'volume_id', 'status', 'progress', 'metadata_json'), 'volume_size'), 'group_snapshot_id'));
  await index(tx, table('snapshots'), 'project_id', 'created_at', 'id');
  await index(tx, table('snapshots'), 'created_at', 'id');
  await index(tx, table('snapshots'), 'volume_id', 'created_at');
  await index(tx, table('snapshots'), 'group_snapshot_id');
  await create(tx, table('attachments'), (columns) =>
    nullable(texts(id(columns), 'volume_id', 'project_id', 'attach_status', 'created_at'), 'instance_id', 'attached_host', 'node_id', 'mountpoint', 'attach_mode', 'connector_json', 'attached_at', 'detached_at'));
  for (const column of ['volume_id', 'instance_id']) await index(tx, table('attachments'), column);
  await index(tx, table('attachments'), 'project_id', 'created_at', 'id');
  await index(tx, table('attachments'), 'created_at', 'id');
}

async function types(tx: Kysely<any>): Promise<void> {
  await create(tx, table('types'), (columns) => nullable(integers(texts(id(columns), 'name', 'extra_specs_json', 'created_at'), 'is_public'), 'description', 'qos_specs_id', 'encryption_json', 'updated_at'));
  await unique(tx, table('types'), 'name');
  await create(tx, table('group_types'), (columns) => nullable(integers(texts(id(columns), 'name', 'specs_json', 'created_at'), 'is_public'), 'description', 'updated_at'));
  await unique(tx, table('group_types'), 'name');
  for (const name of ['type_access', 'group_type_access']) {
    await create(tx, table(name), (columns) => key(texts(columns, 'type_id', 'project_id'), `${table(name)}_pk`, 'type_id', 'project_id'));
    await index(tx, table(name), 'project_id');
  }
  await create(tx, table('default_types'), (columns) => texts(id(columns, 'project_id'), 'type_id'));
  await create(tx, table('qos_specs'), (columns) => texts(id(columns), 'name', 'consumer', 'specs_json', 'created_at'));
  await unique(tx, table('qos_specs'), 'name');
  await create(tx, table('quotas'), (columns) => key(integers(texts(columns, 'project_id', 'resource'), 'hard_limit'), table('quotas_pk'), 'project_id', 'resource'));
  await create(tx, table('quota_classes'), (columns) => key(integers(texts(columns, 'class_name', 'resource'), 'hard_limit'), table('quota_classes_pk'), 'class_name', 'resource'));
  await create(tx, table('project_locks'), (columns) => integers(id(columns, 'project_id'), 'taken'));
}

async function parts(tx: Kysely<any>): Promise<void> {
  await create(tx, table('transfers'), (columns) =>
    nullable(integers(texts(id(columns), 'volume_id', 'project_id', 'salt', 'crypt_hash', 'created_at'), 'no_snapshots', 'accepted'), 'name', 'destination_project_id'));
  await index(tx, table('transfers'), 'volume_id');
  await index(tx, table('transfers'), 'project_id', 'created_at', 'id');
  await index(tx, table('transfers'), 'created_at', 'id');
  await create(tx, table('backups'), (columns) => {
    const all = integers(texts(owned(columns), 'volume_id', 'container', 'status', 'data_timestamp', 'metadata_json', 'chunks_json'), 'size', 'object_count', 'is_incremental');
    return nullable(all, 'snapshot_id', 'parent_id', 'availability_zone', 'fail_reason', 'restore_volume_id');
  });
  for (const column of ['volume_id', 'parent_id']) await index(tx, table('backups'), column);
  await index(tx, table('backups'), 'project_id', 'created_at', 'id');
  await index(tx, table('backups'), 'created_at', 'id');
  await create(tx, table('messages'), (columns) =>
    texts(id(columns), 'project_id', 'request_id', 'resource_type', 'resource_uuid', 'event_id', 'message_level', 'user_message', 'created_at', 'guaranteed_until'));
  await index(tx, table('messages'), 'project_id', 'created_at', 'id');
  await index(tx, table('messages'), 'created_at', 'id');
  await index(tx, table('messages'), 'guaranteed_until');
}

async function groups(tx: Kysely<any>): Promise<void> {
  await create(tx, table('groups'), (columns) =>
    nullable(texts(owned(columns), 'status', 'group_type_id', 'volume_types_json', 'availability_zone'), 'group_snapshot_id', 'source_group_id', 'host'));
  await index(tx, table('groups'), 'project_id', 'created_at', 'id');
  await index(tx, table('groups'), 'created_at', 'id');
  await index(tx, table('groups'), 'group_type_id');
  await create(tx, table('group_snapshots'), (columns) => texts(owned(columns), 'group_id', 'group_type_id', 'status'));
  await index(tx, table('group_snapshots'), 'project_id', 'created_at', 'id');
  await index(tx, table('group_snapshots'), 'created_at', 'id');
  await index(tx, table('group_snapshots'), 'group_id');
}

async function places(tx: Kysely<any>): Promise<void> {
  await create(tx, table('backends'), (columns) =>
    nullable(integers(texts(id(columns), 'host', 'node_id', 'hostname', 'availability_zone', 'report_json', 'updated_at'), 'disabled', 'frozen'), 'disabled_reason'));
  await unique(tx, table('backends'), 'host');
  await create(tx, table('garbage'), (columns) => texts(id(columns), 'node_id', 'volume_id'));
  await index(tx, table('garbage'), 'node_id');
}
