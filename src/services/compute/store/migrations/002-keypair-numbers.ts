import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Nova shows a number as the `id` of a key pair. Those made before have none: 0. */
export const keypairNumbers: Migration = {
  service: 'compute',
  number: 2,
  name: 'keypair-numbers',
  async up(tx) {
    await tx.schema.alterTable('compute_keypairs').addColumn('number', 'integer', (column) => column.notNull().defaultTo(0)).execute();
    await tx.schema.createIndex('compute_keypairs_by_number').on('compute_keypairs').column('number').execute();
  },
};
