import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, foreign, id, index, integers, nullable, texts, unique, type Table } from '../../../../kernel/db/columns.ts';

/** How much of a resource a project may use: what is registered for all, and what differs for one. */
export const limits: Migration = {
  service: 'identity',
  number: 3,
  name: 'limits',
  async up(tx) {
    // No region is '': it counts when it comes to being the only one.
    await create(tx, 'identity_registered_limits', (t) => integers(nullable(texts(foreign(id(t), 'service_id', 'identity_services'), 'region_id', 'resource_name'), 'description'), 'default_limit'));
    await unique(tx, 'identity_registered_limits', 'service_id', 'region_id', 'resource_name');
    await index(tx, 'identity_registered_limits', 'resource_name');
    await index(tx, 'identity_registered_limits', 'region_id');

    await create(tx, 'identity_limits', (t) => {
      const described = nullable(texts(foreign(id(t), 'registered_limit_id', 'identity_registered_limits'), 'service_id', 'region_id', 'resource_name'), 'description');
      return whose(whose(integers(described, 'resource_limit'), 'project_id'), 'domain_id');
    });
    await unique(tx, 'identity_limits', 'registered_limit_id', 'project_id');
    await unique(tx, 'identity_limits', 'registered_limit_id', 'domain_id');
    await index(tx, 'identity_limits', 'project_id', 'resource_name');
    await index(tx, 'identity_limits', 'domain_id', 'resource_name');
    await index(tx, 'identity_limits', 'service_id');
  },
};

/** Either of the two is null; the limit goes with the other. */
function whose(table: Table, name: string): Table {
  return table.addColumn(name, 'text', (column) => column.references('identity_projects.id').onDelete('cascade'));
}
