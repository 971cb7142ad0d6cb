import type { Migration } from '../../../../kernel/db/migrate.ts';

/** What projects have that have no limits of their own, where it is not the configuration. */
export const quotaClasses: Migration = {
  service: 'compute',
  number: 3,
  name: 'quota-classes',
  async up(tx) {
    await tx.schema
      .createTable('compute_quota_classes')
      .addColumn('class_name', 'text', (column) => column.notNull())
      .addColumn('resource', 'text', (column) => column.notNull())
      .addColumn('hard_limit', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('compute_quota_classes_pk', ['class_name', 'resource'])
      .execute();
  },
};
