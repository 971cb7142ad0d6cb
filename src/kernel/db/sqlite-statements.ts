import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bindAll } from './values.ts';

type Row = Record<string, unknown>;

export interface StatementResult {
  rows: Row[];
  numAffectedRows?: bigint;
}

/** Runs SQL over statements prepared once; the least lately used ones are dropped. */
export interface StatementCache {
  readonly database: DatabaseSync;
  execute(sql: string, parameters: readonly unknown[]): StatementResult;
  iterate(sql: string, parameters: readonly unknown[]): Generator<Row>;
  clear(): void;
}

interface Prepared {
  statement: StatementSync;
  columns: string[];
  /** Changes tables, and with them the columns of other statements. */
  alters: boolean;
}

const ALTERS = /^\s*(create|alter|drop)\s/i;

export function statementCache(database: DatabaseSync, size: number, onAltered: () => void): StatementCache {
  const kept = new Map<string, Prepared>();

  function prepared(sql: string): Prepared {
    const found = kept.get(sql);
    if (found !== undefined) {
      kept.delete(sql);
      kept.set(sql, found);
      return found;
    }
    const made = prepare(database, sql);
    kept.set(sql, made);
    if (kept.size > size) kept.delete(kept.keys().next().value as string);
    return made;
  }

  return {
    database,
    execute(sql, parameters) {
      const { statement, columns, alters } = prepared(sql);
      const values = bindAll(parameters);
      if (columns.length > 0) {
        const rows = statement.all(...values) as unknown as unknown[][];
        return { rows: rows.map((row) => toRow(columns, row)), numAffectedRows: BigInt(rows.length) };
      }
      const { changes } = statement.run(...values);
      if (alters) onAltered();
      return { rows: [], numAffectedRows: BigInt(changes) };
    },
    *iterate(sql, parameters) {
      // Not from the cache: a second use would restart the one that is still being read.
      const { statement, columns } = prepare(database, sql);
      for (const row of statement.iterate(...bindAll(parameters))) yield toRow(columns, row as unknown as unknown[]);
    },
    clear: () => kept.clear(),
  };
}

function prepare(database: DatabaseSync, sql: string): Prepared {
  const statement = database.prepare(sql);
  // Arrays, since node:sqlite builds its objects three times slower and without a prototype.
  statement.setReturnArrays(true);
  return { statement, columns: statement.columns().map(({ name }) => name), alters: ALTERS.test(sql) };
}

function toRow(columns: readonly string[], values: readonly unknown[]): Row {
  const row: Row = {};
  for (let i = 0; i < columns.length; i++) row[columns[i] as string] = values[i];
  return row;
}
