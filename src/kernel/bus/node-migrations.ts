import type { Migration } from '../db/migrate.ts';

/** The table of the cloud's nodes. */
export const nodeMigrations: Migration[] = [
  {
    service: 'kernel-bus',
    number: 1,
    name: 'nodes',
    async up(tx) {
      await tx.schema
        .createTable('nodes')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('hostname', 'text', (column) => column.notNull().unique())
        .addColumn('key_hash', 'text', (column) => column.notNull())
        .addColumn('roles', 'text', (column) => column.notNull())
        .addColumn('tunnel_ip', 'text')
        .addColumn('host_ip', 'text')
        .addColumn('resources', 'text')
        .addColumn('disabled', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('created_at', 'text', (column) => column.notNull())
        .addColumn('last_seen_at', 'text', (column) => column.notNull())
        .execute();
    },
  },
];
