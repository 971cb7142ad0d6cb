import { create, integers, key, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** What projects have that have no limits of their own, where it is not the configuration. */
export const quotaClasses: Migration = {
  service: 'compute',
  number: 3,
  name: 'quota-classes',
  async up(tx) {
    await create(tx, 'compute_quota_classes', (table) =>
      key(integers(texts(table, 'class_name', 'resource'), 'hard_limit'), 'compute_quota_classes_pk', 'class_name', 'resource'));
  },
};
