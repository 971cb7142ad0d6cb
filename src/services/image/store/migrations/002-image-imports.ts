import { create, id, namedIndex, nullable, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

export const imageImports: Migration = {
  service: 'image',
  number: 2,
  name: 'image-imports',
  async up(tx) {
    for (const column of ['stores', 'import_task', 'importing_to', 'failed_import']) await tx.schema.alterTable('image_images').addColumn(column, 'text').execute();
    await create(tx, 'image_tasks', (table) => {
      const named = texts(id(table), 'type', 'status', 'owner', 'user_id', 'request_id', 'input', 'message', 'created_at', 'updated_at');
      return nullable(named, 'image_id', 'result', 'expires_at');
    });
    await namedIndex(tx, 'image_tasks', 'listing', 'created_at', 'id');
    await namedIndex(tx, 'image_tasks', 'image', 'image_id', 'created_at');
    await namedIndex(tx, 'image_tasks', 'expiry', 'expires_at');
  },
};
