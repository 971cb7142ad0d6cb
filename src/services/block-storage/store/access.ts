/** To which projects types that are not public are given, and which type a project has unless it names one. */
import type { Reader } from './rows.ts';

export type AccessTable = 'block_storage_type_access' | 'block_storage_group_type_access';

/** More projects than one type is given to: a bound, not a page. */
const MOST = 10_000;

export async function projectsOf(db: Reader, table: AccessTable, type_id: string): Promise<string[]> {
  return (await db.selectFrom(table).select('project_id').where('type_id', '=', type_id).orderBy('project_id').limit(MOST).execute()).map((row) => row.project_id);
}

export async function typesOf(db: Reader, table: AccessTable, project_id: string): Promise<string[]> {
  return (await db.selectFrom(table).select('type_id').where('project_id', '=', project_id).limit(MOST).execute()).map((row) => row.type_id);
}

/** @returns false when it was there. */
export async function addAccess(tx: Reader, table: AccessTable, type_id: string, project_id: string): Promise<boolean> {
  const done = await tx.insertInto(table).values({ type_id, project_id }).onConflict((conflict) => conflict.doNothing()).executeTakeFirst();
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function removeAccess(tx: Reader, table: AccessTable, type_id: string, project_id: string): Promise<boolean> {
  return (await tx.deleteFrom(table).where('type_id', '=', type_id).where('project_id', '=', project_id).executeTakeFirst()).numDeletedRows > 0n;
}

export async function removeAllAccess(tx: Reader, table: AccessTable, type_id: string): Promise<void> {
  await tx.deleteFrom(table).where('type_id', '=', type_id).execute();
}

export async function defaultTypeOf(db: Reader, project_id: string): Promise<string | undefined> {
  return (await db.selectFrom('block_storage_default_types').select('type_id').where('project_id', '=', project_id).executeTakeFirst())?.type_id;
}

export async function defaultTypes(db: Reader): Promise<{ project_id: string; type_id: string }[]> {
  return await db.selectFrom('block_storage_default_types').selectAll().orderBy('project_id').limit(MOST).execute();
}

export async function setDefaultType(tx: Reader, project_id: string, type_id: string): Promise<void> {
  await tx.insertInto('block_storage_default_types').values({ project_id, type_id }).onConflict((conflict) => conflict.column('project_id').doUpdateSet({ type_id })).execute();
}

export async function unsetDefaultType(tx: Reader, project_id: string): Promise<boolean> {
  return (await tx.deleteFrom('block_storage_default_types').where('project_id', '=', project_id).executeTakeFirst()).numDeletedRows > 0n;
}
