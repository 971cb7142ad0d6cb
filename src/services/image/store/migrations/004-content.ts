import { type Kysely, sql } from 'kysely';
import { create, foreign, id, index, integers, key, nullable, type Table, texts, unique } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

const big = (table: Table, name: string): Table => table.addColumn(name, 'bigint', (column) => column.notNull());
const digestOf = (table: Table, name: string, to: string): Table => table.addColumn(name, 'text', (column) => column.notNull().references(to).onDelete('cascade'));

/** Blobs, manifests and recipes under both APIs, and the repositories of the registry. */
export const content: Migration = {
  service: 'image',
  number: 4,
  name: 'content',
  async up(tx) {
    for (const name of ['manifest_digest', 'recipe_id']) {
      await tx.schema.alterTable('image_images').addColumn(name, 'text').execute();
      await index(tx, 'image_images', name);
    }
    await addContent(tx);
    await addRepositories(tx);
    await sql`insert into image_blobs (digest, size, state, touched_at)
      select digest, max(size), 'present', max(updated_at) from image_images where digest is not null group by digest`.execute(tx);
  },
};

async function addContent(tx: Kysely<any>): Promise<void> {
  await create(tx, 'image_blobs', (table) => texts(big(id(table, 'digest'), 'size'), 'state', 'touched_at'));
  await index(tx, 'image_blobs', 'state', 'touched_at');
  await index(tx, 'image_blobs', 'touched_at');
  await create(tx, 'image_manifests', (table) => texts(big(nullable(id(table, 'digest'), 'artifact_type', 'subject', 'annotations'), 'size'), 'media_type', 'body', 'touched_at'));
  for (const column of ['subject', 'touched_at']) await index(tx, 'image_manifests', column);
  await create(tx, 'image_manifest_blobs', (table) => {
    const links = integers(nullable(texts(digestOf(table, 'manifest', 'image_manifests.digest'), 'role', 'digest', 'media_type'), 'diff_id', 'platform'), 'position');
    return key(big(links, 'size'), 'image_manifest_blobs_key', 'manifest', 'position');
  });
  await index(tx, 'image_manifest_blobs', 'digest');
  await create(tx, 'image_recipes', (table) => texts(big(id(table), 'size'), 'parts', 'literals', 'touched_at'));
  await index(tx, 'image_recipes', 'touched_at');
  await create(tx, 'image_recipe_blobs', (table) => key(texts(foreign(table, 'recipe_id', 'image_recipes'), 'digest'), 'image_recipe_blobs_key', 'recipe_id', 'digest'));
  await index(tx, 'image_recipe_blobs', 'digest');
}

async function addRepositories(tx: Kysely<any>): Promise<void> {
  const ofRepository = (table: Table): Table => foreign(table, 'repository_id', 'image_repositories');
  await create(tx, 'image_repositories', (table) => texts(id(table), 'project_id', 'name', 'created_at'));
  await unique(tx, 'image_repositories', 'project_id', 'name');
  for (const kind of ['manifests', 'blobs']) {
    const name = `image_repository_${kind}`;
    await create(tx, name, (table) => key(texts(ofRepository(table), 'digest', 'created_at'), `${name}_key`, 'repository_id', 'digest'));
    await index(tx, name, 'digest');
    await index(tx, name, 'created_at');
  }
  await create(tx, 'image_repository_tags', (table) => {
    const tags = texts(ofRepository(table), 'tag', 'digest', 'updated_at').addColumn('image_id', 'text', (column) => column.references('image_images.id').onDelete('cascade'));
    return key(tags, 'image_repository_tags_key', 'repository_id', 'tag');
  });
  for (const column of ['image_id', 'digest']) await index(tx, 'image_repository_tags', column);
  await create(tx, 'image_published', (table) => key(texts(foreign(ofRepository(table), 'image_id', 'image_images'), 'digest'), 'image_published_key', 'image_id', 'digest'));
  await index(tx, 'image_published', 'repository_id', 'digest');
  await index(tx, 'image_published', 'digest');
  await create(tx, 'image_uploads', (table) => texts(big(ofRepository(id(table)), 'size'), 'user_id', 'touched_at'));
  for (const column of ['touched_at', 'repository_id']) await index(tx, 'image_uploads', column);
}
