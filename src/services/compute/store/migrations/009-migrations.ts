import { create, id, index, integers, nullable, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Every move of a server, and every change of its size. */
export const serverMigrations: Migration = {
  service: 'compute',
  number: 9,
  name: 'migrations',
  async up(tx) {
    await create(tx, 'compute_migrations', (table) => {
      let columns = integers(id(table, 'uuid'), 'id');
      columns = texts(columns, 'server_id', 'migration_type', 'status', 'old_flavor_json', 'new_flavor_json', 'before_json', 'created_at', 'updated_at');
      return nullable(columns, 'source_node_id', 'source_compute', 'dest_node_id', 'dest_compute', 'dest_host', 'user_id', 'project_id');
    });
    await index(tx, 'compute_migrations', 'id');
    await index(tx, 'compute_migrations', 'server_id', 'status');
    await index(tx, 'compute_migrations', 'created_at', 'id');
    await index(tx, 'compute_migrations', 'status', 'source_node_id');
  },
};
