import { create, id, index, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Servers that were put on a shelf, and the images that hold what they have written. */
export const shelved: Migration = {
  service: 'compute',
  number: 11,
  name: 'shelved',
  async up(tx) {
    await create(tx, 'compute_shelved_servers', (table) => texts(id(table, 'server_id'), 'image_id', 'image_json', 'shelved_at'));
    await index(tx, 'compute_shelved_servers', 'shelved_at');
  },
};
