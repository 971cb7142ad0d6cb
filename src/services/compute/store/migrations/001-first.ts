import type { Kysely } from 'kysely';
import { id, integers, nullable, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

async function index(db: Kysely<any>, table: string, columns: string[]): Promise<void> {
  await db.schema.createIndex(`${table}_by_${columns.join('_')}`.slice(0, 63)).on(table).columns(columns).execute();
}

async function servers(db: Kysely<any>): Promise<void> {
  let table = id(db.schema.createTable('compute_servers'));
  table = texts(table, 'name', 'hostname', 'project_id', 'user_id', 'reservation_id', 'image_id', 'flavor_json', 'flavor_id');
  table = texts(table, 'metadata_json', 'tags_json', 'nics_json', 'addresses_json', 'security_groups_json', 'disk_config', 'config_drive');
  table = texts(table, 'vm_state', 'created_at', 'updated_at');
  table = integers(table, 'launch_index', 'vcpus', 'ram_mb', 'has_user_data', 'power_state', 'progress', 'deleted');
  table = nullable(table, 'description', 'image_name', 'key_name', 'access_ip_v4', 'access_ip_v6', 'pinned_zone', 'server_group_id');
  table = nullable(table, 'node_id', 'host', 'zone', 'task_state', 'locked_by', 'locked_reason', 'fault_json');
  table = nullable(table, 'launched_at', 'terminated_at', 'deleted_at');
  await table.execute();
  await index(db, 'compute_servers', ['project_id', 'deleted', 'created_at', 'id']);
  await index(db, 'compute_servers', ['deleted', 'created_at', 'id']);
  await index(db, 'compute_servers', ['project_id', 'deleted', 'vcpus', 'ram_mb']);
  await index(db, 'compute_servers', ['project_id', 'updated_at', 'id']);
  await index(db, 'compute_servers', ['updated_at', 'id']);
  await index(db, 'compute_servers', ['node_id', 'deleted']);
  await index(db, 'compute_servers', ['server_group_id', 'deleted']);
  await index(db, 'compute_servers', ['deleted', 'task_state']);
}

async function serverParts(db: Kysely<any>): Promise<void> {
  let boots = id(db.schema.createTable('compute_server_boots'), 'server_id');
  boots = nullable(boots, 'user_data', 'public_key');
  boots = texts(boots, 'image_json', 'nics_json', 'security_group_ids_json', 'files_json', 'command_json', 'environment_json');
  await texts(boots, 'hints_json', 'requested_json').execute();

  const tags = texts(db.schema.createTable('compute_server_tags'), 'server_id', 'tag');
  await tags.addPrimaryKeyConstraint('compute_server_tags_pk', ['server_id', 'tag']).execute();
  await index(db, 'compute_server_tags', ['tag', 'server_id']);

  let actions = id(db.schema.createTable('compute_server_actions'));
  actions = texts(actions, 'server_id', 'action', 'request_id', 'start_time', 'updated_at');
  await nullable(actions, 'project_id', 'user_id', 'message').execute();
  await index(db, 'compute_server_actions', ['server_id', 'start_time', 'id']);
  await index(db, 'compute_server_actions', ['server_id', 'request_id']);

  let events = id(db.schema.createTable('compute_server_action_events'));
  events = texts(events, 'action_id', 'event', 'start_time');
  await nullable(events, 'finish_time', 'result', 'traceback', 'details', 'host').execute();
  await index(db, 'compute_server_action_events', ['action_id', 'start_time']);

  let groups = id(db.schema.createTable('compute_server_groups'));
  groups = texts(groups, 'name', 'project_id', 'user_id', 'policy', 'rules_json', 'created_at');
  await groups.execute();
  await index(db, 'compute_server_groups', ['project_id', 'created_at', 'id']);
  await index(db, 'compute_server_groups', ['created_at', 'id']);
}

async function flavors(db: Kysely<any>): Promise<void> {
  let table = id(db.schema.createTable('compute_flavors'));
  table = texts(table, 'name', 'extra_specs', 'created_at');
  table = integers(table, 'vcpus', 'ram_mb', 'disk_gb', 'ephemeral_gb', 'swap_mb', 'is_public', 'disabled');
  table = table.addColumn('rxtx_factor', 'real', (c) => c.notNull());
  await nullable(table, 'description', 'updated_at').execute();
  await db.schema.createIndex('compute_flavors_name').unique().on('compute_flavors').column('name').execute();
  const access = texts(db.schema.createTable('compute_flavor_access'), 'flavor_id', 'project_id');
  await access.addPrimaryKeyConstraint('compute_flavor_access_pk', ['flavor_id', 'project_id']).execute();
  await index(db, 'compute_flavor_access', ['project_id', 'flavor_id']);
}

async function keypairsAndQuotas(db: Kysely<any>): Promise<void> {
  const keypairs = texts(db.schema.createTable('compute_keypairs'), 'user_id', 'name', 'type', 'public_key', 'fingerprint', 'created_at');
  await keypairs.addPrimaryKeyConstraint('compute_keypairs_pk', ['user_id', 'name']).execute();
  const quotas = integers(texts(db.schema.createTable('compute_quotas'), 'project_id', 'user_id', 'resource'), 'hard_limit');
  await quotas.addPrimaryKeyConstraint('compute_quotas_pk', ['project_id', 'user_id', 'resource']).execute();
  const locks = id(db.schema.createTable('compute_project_locks'), 'project_id');
  await integers(locks, 'taken').execute();
}

async function nodes(db: Kysely<any>): Promise<void> {
  let table = id(db.schema.createTable('compute_nodes'));
  table = texts(table, 'host', 'last_seen_at', 'resources_json', 'created_at', 'updated_at');
  await nullable(integers(table, 'disabled', 'forced_down', 'connected'), 'disabled_reason').execute();
  await db.schema.createIndex('compute_nodes_host').unique().on('compute_nodes').column('host').execute();
}

export const first: Migration = {
  service: 'compute',
  number: 1,
  name: 'first',
  async up(tx) {
    await servers(tx);
    await serverParts(tx);
    await flavors(tx);
    await keypairsAndQuotas(tx);
    await nodes(tx);
  },
};
