import { create, foreign, id, index, integers, key, namedIndex, nullable, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

export const images: Migration = {
  service: 'image',
  number: 1,
  name: 'images',
  async up(tx) {
    await create(tx, 'image_images', (table) => {
      const named = nullable(id(table), 'name', 'container_format', 'disk_format', 'checksum', 'os_hash_value', 'digest');
      const kept = texts(named, 'status', 'visibility', 'owner', 'properties', 'tags', 'created_at', 'updated_at');
      return integers(kept, 'min_disk', 'min_ram', 'protected', 'os_hidden').addColumn('size', 'bigint').addColumn('virtual_size', 'bigint');
    });
    for (const columns of [['created_at', 'id'], ['owner', 'created_at', 'id'], ['visibility', 'created_at', 'id'], ['name', 'id'], ['digest'], ['status']]) {
      await index(tx, 'image_images', ...columns);
    }
    await create(tx, 'image_properties', (table) => key(texts(foreign(table, 'image_id', 'image_images'), 'name', 'value'), 'image_properties_key', 'image_id', 'name'));
    await create(tx, 'image_tags', (table) => key(texts(foreign(table, 'image_id', 'image_images'), 'value'), 'image_tags_key', 'image_id', 'value'));
    await create(tx, 'image_members', (table) => {
      const members = texts(foreign(table, 'image_id', 'image_images'), 'member_id', 'status', 'created_at', 'updated_at');
      return key(members, 'image_members_key', 'image_id', 'member_id');
    });
    await namedIndex(tx, 'image_members', 'member', 'member_id', 'status');
  },
};
