import { namedIndex } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Disk images and the container form that is made of them. */
export const conversions: Migration = {
  service: 'image',
  number: 5,
  name: 'conversions',
  async up(tx) {
    for (const column of ['conversion_state', 'conversion_message', 'system']) await tx.schema.alterTable('image_images').addColumn(column, 'text').execute();
    await namedIndex(tx, 'image_images', 'conversion', 'conversion_state', 'id');
  },
};
