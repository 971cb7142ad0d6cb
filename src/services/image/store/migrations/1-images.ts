import type { Migration } from '../../../../kernel/db/migrate.ts';

export const createImages: Migration = {
  service: 'image',
  number: 1,
  name: 'images',
  async up(tx) {
    await tx.schema
      .createTable('image_images')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text')
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('visibility', 'text', (column) => column.notNull())
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('container_format', 'text')
      .addColumn('disk_format', 'text')
      .addColumn('min_disk', 'integer', (column) => column.notNull())
      .addColumn('min_ram', 'integer', (column) => column.notNull())
      .addColumn('size', 'bigint')
      .addColumn('virtual_size', 'bigint')
      .addColumn('checksum', 'text')
      .addColumn('os_hash_value', 'text')
      .addColumn('digest', 'text')
      .addColumn('protected', 'integer', (column) => column.notNull())
      .addColumn('os_hidden', 'integer', (column) => column.notNull())
      .addColumn('properties', 'text', (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('updated_at', 'text', (column) => column.notNull())
      .execute();
    for (const columns of [['created_at', 'id'], ['owner', 'created_at', 'id'], ['visibility', 'created_at', 'id'], ['name', 'id'], ['digest'], ['status']]) {
      await tx.schema.createIndex(`image_images_${columns.join('_')}`).on('image_images').columns(columns).execute();
    }
    await tx.schema
      .createTable('image_properties')
      .addColumn('image_id', 'text', (column) => column.notNull().references('image_images.id').onDelete('cascade'))
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('image_properties_key', ['image_id', 'name'])
      .execute();
    await tx.schema
      .createTable('image_tags')
      .addColumn('image_id', 'text', (column) => column.notNull().references('image_images.id').onDelete('cascade'))
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('image_tags_key', ['image_id', 'value'])
      .execute();
    await tx.schema
      .createTable('image_members')
      .addColumn('image_id', 'text', (column) => column.notNull().references('image_images.id').onDelete('cascade'))
      .addColumn('member_id', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('updated_at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('image_members_key', ['image_id', 'member_id'])
      .execute();
    await tx.schema.createIndex('image_members_member').on('image_members').columns(['member_id', 'status']).execute();
  },
};
