import type { Migration } from '../../../../kernel/db/migrate.ts';

/** What a guest has encrypted for its owner. */
export const serverPasswords: Migration = {
  service: 'compute',
  number: 7,
  name: 'server-passwords',
  async up(tx) {
    await tx.schema.createTable('compute_server_passwords').addColumn('server_id', 'text', (column) => column.primaryKey()).addColumn('password', 'text', (column) => column.notNull()).execute();
  },
};
