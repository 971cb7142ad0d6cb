import { create, id, index, nullable, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** What others still need of images that may have been deleted. */
export const holds: Migration = {
  service: 'image',
  number: 7,
  name: 'holds',
  async up(tx) {
    await create(tx, 'image_holds', (table) => nullable(texts(id(table, 'holder'), 'image_id'), 'manifest_digest', 'system'));
    await index(tx, 'image_holds', 'image_id');
    await index(tx, 'image_holds', 'manifest_digest');
  },
};
