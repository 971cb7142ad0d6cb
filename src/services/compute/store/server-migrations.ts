import { sql, type Kysely } from 'kysely';
import { findMarker, page, where, type Filter, type Page } from '../../../kernel/db/list-query.ts';
import type { ComputeTables, MigrationRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

export type NewMigration = Omit<MigrationRow, 'id'>;

/** @returns the row with its number. */
export async function insertMigration(tx: Reader, row: NewMigration): Promise<MigrationRow> {
  const id = sql<number>`(select coalesce(max(id), 0) + 1 from compute_migrations)`;
  return await tx.insertInto('compute_migrations').values({ ...row, id }).returningAll().executeTakeFirstOrThrow();
}

export async function findMigration(db: Reader, uuid: string): Promise<MigrationRow | undefined> {
  return await db.selectFrom('compute_migrations').selectAll().where('uuid', '=', uuid).executeTakeFirst();
}

export async function findMigrationByNumber(db: Reader, server_id: string, id: number): Promise<MigrationRow | undefined> {
  return await db.selectFrom('compute_migrations').selectAll().where('server_id', '=', server_id).where('id', '=', id).executeTakeFirst();
}

/** @param from only while its status is one of these. @returns the row as it is now, or undefined. */
export async function updateMigration(tx: Reader, uuid: string, change: Partial<Omit<MigrationRow, 'uuid' | 'id'>>, from?: readonly string[]): Promise<MigrationRow | undefined> {
  const query = tx.updateTable('compute_migrations').set(change).where('uuid', '=', uuid);
  return await (from === undefined ? query : query.where('status', 'in', [...from])).returningAll().executeTakeFirst();
}

/** Those of a server in one of these states, the newest first. */
export async function migrationsOfServer(db: Reader, server_id: string, statuses: readonly string[]): Promise<MigrationRow[]> {
  return await db.selectFrom('compute_migrations').selectAll().where('server_id', '=', server_id).where('status', 'in', [...statuses]).orderBy('id', 'desc').limit(1000).execute();
}

/** The oldest of all in one of these states. */
export async function migrationsInState(db: Reader, statuses: readonly string[], limit: number): Promise<MigrationRow[]> {
  return await db.selectFrom('compute_migrations').selectAll().where('status', 'in', [...statuses]).orderBy('id').limit(limit).execute();
}

export async function migrationsByUuid(db: Reader, uuids: readonly string[]): Promise<MigrationRow[]> {
  if (uuids.length === 0) return [];
  return await db.selectFrom('compute_migrations').selectAll().where('uuid', 'in', [...uuids]).execute();
}

export interface MigrationQuery {
  filters: Filter[];
  /** Source or destination. */
  host: string | undefined;
  /** A UUID. */
  marker: string | undefined;
  limit: number;
}

/** The newest first; undefined when there is no such marker. */
export async function listMigrations(db: Reader, { filters, host, marker, limit }: MigrationQuery): Promise<Page<MigrationRow> | undefined> {
  let query = where(db.selectFrom('compute_migrations').selectAll(), filters);
  if (host !== undefined) query = query.where((eb) => eb.or([eb('source_compute', '=', host), eb('dest_compute', '=', host)]));
  const order = { sort: [{ column: 'created_at', direction: 'desc' as const }, { column: 'id', direction: 'desc' as const }], key: 'uuid' };
  const after = marker === undefined ? undefined : await findMarker(db.selectFrom('compute_migrations').selectAll(), order, marker);
  if (marker !== undefined && after === undefined) return undefined;
  return await page(query, { ...order, marker: after, limit });
}
