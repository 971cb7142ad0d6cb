import type { Migration } from '../../../../kernel/db/migrate.ts';

export const aggregates: Migration = {
  service: 'compute',
  number: 4,
  name: 'aggregates',
  async up(tx) {
    await tx.schema
      .createTable('compute_aggregates')
      .addColumn('id', 'integer', (column) => column.primaryKey().notNull())
      .addColumn('uuid', 'text', (column) => column.notNull().unique())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('metadata_json', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('updated_at', 'text')
      .execute();
    await tx.schema
      .createTable('compute_aggregate_hosts')
      .addColumn('aggregate_id', 'integer', (column) => column.notNull())
      .addColumn('host', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('compute_aggregate_hosts_pk', ['aggregate_id', 'host'])
      .execute();
    await tx.schema.createIndex('compute_aggregate_hosts_by_host').on('compute_aggregate_hosts').column('host').execute();
  },
};
