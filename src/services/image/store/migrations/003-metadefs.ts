import { create, foreign, id, index, integers, key, namedIndex, nullable, texts, unique } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';
import { createSortIndex } from '../../../../kernel/db/portable-types.ts';

export const metadefs: Migration = {
  service: 'image',
  number: 3,
  name: 'metadefs',
  async up(tx, dialect) {
    const namespaces = 'image_metadef_namespaces';
    await create(tx, namespaces, (table) => integers(texts(nullable(id(table), 'display_name', 'description'), 'namespace', 'visibility', 'owner', 'created_at', 'updated_at'), 'protected'));
    await unique(tx, namespaces, 'namespace');
    for (const column of ['created_at', 'updated_at', 'owner', 'visibility', 'protected']) await index(tx, namespaces, column, 'namespace');
    await createSortIndex(tx, dialect, `${namespaces}_display_name`, namespaces, [{ column: 'display_name', nullable: true }, { column: 'namespace' }]);
    await create(tx, 'image_metadef_items', (table) => texts(foreign(id(table), 'namespace_id', namespaces), 'kind', 'name', 'content', 'created_at', 'updated_at'));
    await unique(tx, 'image_metadef_items', 'namespace_id', 'kind', 'name');
    await namedIndex(tx, 'image_metadef_items', 'order', 'namespace_id', 'kind', 'created_at', 'name');
    await create(tx, 'image_metadef_resource_types', (table) => texts(id(table, 'name'), 'created_at', 'updated_at'));
    await create(tx, 'image_metadef_associations', (table) => {
      const columns = texts(nullable(foreign(table, 'namespace_id', namespaces), 'prefix', 'properties_target'), 'resource_type', 'created_at', 'updated_at');
      return key(columns, 'image_metadef_associations_key', 'namespace_id', 'resource_type');
    });
    await index(tx, 'image_metadef_associations', 'resource_type', 'namespace_id');
    await create(tx, 'image_metadef_loaded', (table) => texts(id(table, 'namespace'), 'loaded_at'));
  },
};
