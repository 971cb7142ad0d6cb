import type { Kysely, Transaction } from 'kysely';
import type { ImageTables, RecipeRow } from './tables.ts';

/** One that is there already stays as it is: its id says what it holds. */
export async function insertRecipe(tx: Transaction<ImageTables>, row: RecipeRow, digests: readonly string[]): Promise<void> {
  const { touched_at } = row;
  await tx.insertInto('image_recipes').values(row).onConflict((c) => c.column('id').doUpdateSet({ touched_at })).execute();
  const links = [...new Set(digests)].map((digest) => ({ recipe_id: row.id, digest }));
  if (links.length > 0) await tx.insertInto('image_recipe_blobs').values(links).onConflict((c) => c.columns(['recipe_id', 'digest']).doNothing()).execute();
}

export async function findRecipe(db: Kysely<ImageTables>, id: string): Promise<RecipeRow | undefined> {
  return db.selectFrom('image_recipes').selectAll().where('id', '=', id).executeTakeFirst();
}

/** @returns whether it is there. */
export async function touchRecipe(tx: Transaction<ImageTables>, id: string, touched_at: string): Promise<boolean> {
  const result = await tx.updateTable('image_recipes').set({ touched_at }).where('id', '=', id).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Removes up to `limit` that no image has. @returns how many. */
export async function deleteUnusedRecipes(tx: Transaction<ImageTables>, before: string, limit: number): Promise<number> {
  const unused = await tx.selectFrom('image_recipes').select('id').where('touched_at', '<', before)
    .where((eb) => eb.not(eb.exists(eb.selectFrom('image_images').select('image_images.id').whereRef('image_images.recipe_id', '=', 'image_recipes.id'))))
    .orderBy('touched_at').limit(limit).execute();
  if (unused.length === 0) return 0;
  const result = await tx.deleteFrom('image_recipes').where('id', 'in', unused.map(({ id }) => id)).where('touched_at', '<', before).executeTakeFirst();
  return Number(result.numDeletedRows);
}
