import { namedIndex } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Who is writing to an upload, and since when nobody has begun to push to a repository. */
export const registryBounds: Migration = {
  service: 'image',
  number: 6,
  name: 'registry-bounds',
  async up(tx) {
    for (const column of ['writer', 'writing_until']) await tx.schema.alterTable('image_uploads').addColumn(column, 'text').execute();
    await tx.schema.alterTable('image_repositories').addColumn('touched_at', 'text', (column) => column.notNull().defaultTo('')).execute();
    await namedIndex(tx, 'image_repositories', 'touched', 'touched_at');
  },
};
