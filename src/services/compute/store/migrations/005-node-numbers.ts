import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Up to 2.52 nodes are known by a number. Those made before get one when they report. Usage is listed by project and server. */
export const nodeNumbers: Migration = {
  service: 'compute',
  number: 5,
  name: 'node-numbers',
  async up(tx) {
    await tx.schema.alterTable('compute_nodes').addColumn('number', 'integer', (column) => column.notNull().defaultTo(0)).execute();
    await tx.schema.createIndex('compute_nodes_by_number').on('compute_nodes').column('number').execute();
    await tx.schema.createIndex('compute_servers_by_project_and_id').on('compute_servers').columns(['project_id', 'id']).execute();
  },
};
