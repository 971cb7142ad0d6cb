/** Shorthands for the tables of identity. */
import type { CreateTableBuilder, Kysely } from 'kysely';

export type Table = CreateTableBuilder<any, any>;

export async function create(tx: Kysely<any>, name: string, columns: (table: Table) => Table): Promise<void> {
  await columns(tx.schema.createTable(name)).execute();
}

export async function index(tx: Kysely<any>, table: string, ...columns: string[]): Promise<void> {
  await tx.schema.createIndex(`${table}_${columns.join('_')}`).on(table).columns(columns).execute();
}

export async function unique(tx: Kysely<any>, table: string, ...columns: string[]): Promise<void> {
  await tx.schema.createIndex(`${table}_${columns.join('_')}`).unique().on(table).columns(columns).execute();
}

export const id = (table: Table): Table => table.addColumn('id', 'text', (column) => column.primaryKey());
export const texts = (table: Table, ...names: string[]): Table => names.reduce<Table>((t, name) => t.addColumn(name, 'text', (c) => c.notNull()), table);
export const nullable = (table: Table, ...names: string[]): Table => names.reduce<Table>((t, name) => t.addColumn(name, 'text'), table);
export const flags = (table: Table, ...names: string[]): Table => names.reduce<Table>((t, name) => t.addColumn(name, 'integer', (c) => c.notNull()), table);
export const foreign = (table: Table, name: string, to: string): Table =>
  table.addColumn(name, 'text', (column) => column.notNull().references(`${to}.id`).onDelete('cascade'));
