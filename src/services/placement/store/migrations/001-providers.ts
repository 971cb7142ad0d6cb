import { create, foreign, id, integers, key, namedIndex, nullable, restricted, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

export const providers: Migration = {
  service: 'placement',
  number: 1,
  name: 'providers',
  async up(tx) {
    await create(tx, 'placement_providers', (table) =>
      texts(integers(id(table).addColumn('name', 'text', (column) => column.notNull().unique()), 'generation'), 'created_at', 'updated_at'));

    await create(tx, 'placement_inventories', (table) => {
      const amounts = integers(texts(restricted(table, 'provider_id', 'placement_providers'), 'resource_class'), 'total', 'reserved', 'min_unit', 'max_unit', 'step_size');
      return key(amounts.addColumn('allocation_ratio', 'real', (column) => column.notNull()), 'placement_inventories_key', 'provider_id', 'resource_class');
    });
    await namedIndex(tx, 'placement_inventories', 'class', 'resource_class', 'provider_id');

    await create(tx, 'placement_consumers', (table) =>
      texts(integers(nullable(texts(id(table), 'project_id', 'user_id'), 'type'), 'generation'), 'created_at', 'updated_at'));
    await namedIndex(tx, 'placement_consumers', 'project', 'project_id', 'user_id');

    await create(tx, 'placement_allocations', (table) => {
      const held = texts(restricted(foreign(table, 'consumer_id', 'placement_consumers'), 'provider_id', 'placement_providers'), 'resource_class');
      return key(integers(held, 'used'), 'placement_allocations_key', 'consumer_id', 'provider_id', 'resource_class');
    });
    await namedIndex(tx, 'placement_allocations', 'provider', 'provider_id', 'resource_class', 'used');

    for (const [name, column] of [['placement_traits', 'trait'], ['placement_aggregates', 'aggregate_id']] as const) {
      await create(tx, name, (table) => key(texts(foreign(table, 'provider_id', 'placement_providers'), column), `${name}_key`, 'provider_id', column));
      await namedIndex(tx, name, column, column, 'provider_id');
    }
    for (const name of ['placement_custom_classes', 'placement_custom_traits']) {
      await create(tx, name, (table) => texts(id(table, 'name'), 'created_at'));
    }
  },
};
