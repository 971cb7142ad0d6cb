import { create, foreign, key, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Images that are to be brought to the nodes. */
export const cacheQueue: Migration = {
  service: 'image',
  number: 8,
  name: 'cache-queue',
  async up(tx) {
    await create(tx, 'image_cache_queue', (table) => key(texts(foreign(table, 'image_id', 'image_images'), 'queued_at'), 'image_cache_queue_key', 'image_id'));
  },
};
