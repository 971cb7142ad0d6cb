import type { Migration } from '../../../../kernel/db/migrate.ts';

export const createProviders: Migration = {
  service: 'placement',
  number: 1,
  name: 'providers',
  async up(tx) {
    await tx.schema
      .createTable('placement_providers')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('generation', 'integer', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('updated_at', 'text', (column) => column.notNull())
      .execute();
    await tx.schema
      .createTable('placement_inventories')
      .addColumn('provider_id', 'text', (column) => column.notNull().references('placement_providers.id'))
      .addColumn('resource_class', 'text', (column) => column.notNull())
      .addColumn('total', 'integer', (column) => column.notNull())
      .addColumn('reserved', 'integer', (column) => column.notNull())
      .addColumn('min_unit', 'integer', (column) => column.notNull())
      .addColumn('max_unit', 'integer', (column) => column.notNull())
      .addColumn('step_size', 'integer', (column) => column.notNull())
      .addColumn('allocation_ratio', 'real', (column) => column.notNull())
      .addPrimaryKeyConstraint('placement_inventories_key', ['provider_id', 'resource_class'])
      .execute();
    await tx.schema.createIndex('placement_inventories_class').on('placement_inventories').columns(['resource_class', 'provider_id']).execute();
    await tx.schema
      .createTable('placement_consumers')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('project_id', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text', (column) => column.notNull())
      .addColumn('type', 'text')
      .addColumn('generation', 'integer', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('updated_at', 'text', (column) => column.notNull())
      .execute();
    await tx.schema.createIndex('placement_consumers_project').on('placement_consumers').columns(['project_id', 'user_id']).execute();
    await tx.schema
      .createTable('placement_allocations')
      .addColumn('consumer_id', 'text', (column) => column.notNull().references('placement_consumers.id').onDelete('cascade'))
      .addColumn('provider_id', 'text', (column) => column.notNull().references('placement_providers.id'))
      .addColumn('resource_class', 'text', (column) => column.notNull())
      .addColumn('used', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('placement_allocations_key', ['consumer_id', 'provider_id', 'resource_class'])
      .execute();
    await tx.schema.createIndex('placement_allocations_provider').on('placement_allocations').columns(['provider_id', 'resource_class', 'used']).execute();
    for (const [table, column] of [['placement_traits', 'trait'], ['placement_aggregates', 'aggregate_id']] as const) {
      await tx.schema
        .createTable(table)
        .addColumn('provider_id', 'text', (at) => at.notNull().references('placement_providers.id').onDelete('cascade'))
        .addColumn(column, 'text', (at) => at.notNull())
        .addPrimaryKeyConstraint(`${table}_key`, ['provider_id', column])
        .execute();
      await tx.schema.createIndex(`${table}_${column}`).on(table).columns([column, 'provider_id']).execute();
    }
    for (const table of ['placement_custom_classes', 'placement_custom_traits']) {
      await tx.schema
        .createTable(table)
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('created_at', 'text', (column) => column.notNull())
        .execute();
    }
  },
};
