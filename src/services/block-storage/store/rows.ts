/** What the tables of this service are asked alike: a row by its id, a page of them, a change that wants a state. */
import { sql, type Kysely } from 'kysely';
import type { SortKey } from '../../../kernel/api/list.ts';
import { type Filter, findMarker, type Page, page, where } from '../../../kernel/db/list-query.ts';
import type { BlockStorageTables } from './tables.ts';

export type Reader = Kysely<BlockStorageTables>;

type Named = { [K in keyof BlockStorageTables]: BlockStorageTables[K] extends { id: string } ? K : never }[keyof BlockStorageTables];

export interface Listing {
  filters: Filter[];
  sort: SortKey[];
  marker: string | undefined;
  offset: number;
  limit: number;
}

export interface Rows<Row> {
  find(db: Reader, id: string): Promise<Row | undefined>;
  /** @throws a unique violation. */
  insert(tx: Reader, row: Row): Promise<void>;
  /** @returns the row as it is now; undefined when there is none, or it fits `only` no more. */
  update(tx: Reader, id: string, change: Partial<Row>, only?: Filter[]): Promise<Row | undefined>;
  remove(tx: Reader, id: string): Promise<boolean>;
  /** One page; undefined when there is no such marker. */
  list(db: Reader, listing: Listing): Promise<Page<Row> | undefined>;
  count(db: Reader, filters: Filter[]): Promise<number>;
  /** All that fit, of a set that something else bounds; oldest first where rows have a time. */
  all(db: Reader, filters: Filter[], sort?: SortKey[]): Promise<Row[]>;
}

const MOST = 100_000;

export function rowsOf<Table extends Named>(named: Table): Rows<BlockStorageTables[Table]> {
  const table: string = named;
  type Row = BlockStorageTables[Table];
  const any = (db: Reader): Kysely<any> => db;
  return {
    find: async (db, id) => (await any(db).selectFrom(table).selectAll().where('id', '=', id).executeTakeFirst()) as Row | undefined,
    insert: async (tx, row) => void (await any(tx).insertInto(table).values(row as object).execute()),
    async update(tx, id, change, only = []) {
      // Conditions of an update are those of a query on its ids.
      const fitting = where(any(tx).selectFrom(table).select('id').where('id', '=', id), only);
      return (await any(tx).updateTable(table).set(change as object).where('id', 'in', fitting).returningAll().executeTakeFirst()) as Row | undefined;
    },
    remove: async (tx, id) => (await any(tx).deleteFrom(table).where('id', '=', id).executeTakeFirst()).numDeletedRows > 0n,
    async list(db, { filters, sort, marker, offset, limit }) {
      const query = where(any(db).selectFrom(table).selectAll(), filters);
      const found = marker === undefined ? undefined : await findMarker(query, { sort }, marker);
      if (marker !== undefined && found === undefined) return undefined;
      return (await page(offset === 0 ? query : query.offset(offset), { sort, marker: found, limit })) as Page<Row>;
    },
    async count(db, filters) {
      const query = where(any(db).selectFrom(table).select(sql<number>`count(*)`.as('many')), filters);
      return Number((await query.executeTakeFirstOrThrow()).many);
    },
    async all(db, filters, sort = []) {
      const query = where(any(db).selectFrom(table).selectAll(), filters);
      return (await sort.reduce((sorted, { column, direction }) => sorted.orderBy(column, direction), query).limit(MOST).execute()) as Row[];
    },
  };
}

export const volumes = rowsOf('block_storage_volumes');
export const snapshots = rowsOf('block_storage_snapshots');
export const attachments = rowsOf('block_storage_attachments');
export const types = rowsOf('block_storage_types');
export const qosSpecs = rowsOf('block_storage_qos_specs');
export const transfers = rowsOf('block_storage_transfers');
export const backups = rowsOf('block_storage_backups');
export const groups = rowsOf('block_storage_groups');
export const groupTypes = rowsOf('block_storage_group_types');
export const groupSnapshots = rowsOf('block_storage_group_snapshots');
export const messages = rowsOf('block_storage_messages');
export const backends = rowsOf('block_storage_backends');
export const garbage = rowsOf('block_storage_garbage');
