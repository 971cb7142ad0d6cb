import type { Kysely } from 'kysely';
import type { NetworkTables, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

/** Tags by resource, sorted. */
export async function tagsOf(db: Db, resource_ids: readonly string[]): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>();
  if (resource_ids.length === 0) return out;
  const rows = await db.selectFrom('network_tags').selectAll().where('resource_id', 'in', resource_ids).orderBy('resource_id').orderBy('tag').execute();
  for (const { resource_id, tag } of rows) out.set(resource_id, [...(out.get(resource_id) ?? []), tag]);
  return out;
}

export async function addTags(tx: Tx, resource_id: string, tags: readonly string[]): Promise<void> {
  if (tags.length === 0) return;
  await tx.insertInto('network_tags').values([...new Set(tags)].map((tag) => ({ resource_id, tag }))).onConflict((on) => on.columns(['resource_id', 'tag']).doNothing()).execute();
}

export async function removeTags(tx: Tx, resource_ids: readonly string[], tag?: string): Promise<number> {
  if (resource_ids.length === 0) return 0;
  const all = tx.deleteFrom('network_tags').where('resource_id', 'in', resource_ids);
  const result = await (tag === undefined ? all : all.where('tag', '=', tag)).executeTakeFirst();
  return Number(result.numDeletedRows);
}
