/** Shorthands for migrations: each adds columns of one kind to a table that is being described. */
import type { CreateTableBuilder, Kysely } from 'kysely';

export type Table = CreateTableBuilder<any, any>;
type Type = 'text' | 'integer';

export async function create(tx: Kysely<any>, name: string, columns: (table: Table) => Table): Promise<void> {
  await columns(tx.schema.createTable(name)).execute();
}

/** Named after its columns. */
export async function index(tx: Kysely<any>, table: string, ...columns: string[]): Promise<void> {
  await namedIndex(tx, table, columns.join('_'), ...columns);
}

/** Called `<table>_<name>`. */
export async function namedIndex(tx: Kysely<any>, table: string, name: string, ...columns: string[]): Promise<void> {
  await tx.schema.createIndex(`${table}_${name}`).on(table).columns(columns).execute();
}

export async function unique(tx: Kysely<any>, table: string, ...columns: string[]): Promise<void> {
  await tx.schema.createIndex(`${table}_${columns.join('_')}`).unique().on(table).columns(columns).execute();
}

const needed = (table: Table, type: Type, names: string[]): Table => names.reduce<Table>((t, name) => t.addColumn(name, type, (c) => c.notNull()), table);
const optional = (table: Table, type: Type, names: string[]): Table => names.reduce<Table>((t, name) => t.addColumn(name, type), table);

/** The primary key, text; SQLite alone would let it be null. */
export const id = (table: Table, name = 'id'): Table => table.addColumn(name, 'text', (column) => column.primaryKey().notNull());
export const texts = (table: Table, ...names: string[]): Table => needed(table, 'text', names);
export const nullable = (table: Table, ...names: string[]): Table => optional(table, 'text', names);
/** Numbers, and flags as 0/1. */
export const integers = (table: Table, ...names: string[]): Table => needed(table, 'integer', names);
export const nullableIntegers = (table: Table, ...names: string[]): Table => optional(table, 'integer', names);
/** A reference to the `id` of a table, whose rows take with them what refers to them. */
export const foreign = (table: Table, name: string, to: string): Table =>
  table.addColumn(name, 'text', (column) => column.notNull().references(`${to}.id`).onDelete('cascade'));
/** A reference that stands in the way of deleting what it refers to. */
export const restricted = (table: Table, name: string, to: string): Table => table.addColumn(name, 'text', (column) => column.notNull().references(`${to}.id`));
/** A primary key of several columns. */
export const key = (table: Table, name: string, ...columns: string[]): Table => table.addPrimaryKeyConstraint(name, columns as never);
