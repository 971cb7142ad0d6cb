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
  /** Whether tables were changed since it was last asked. */
  takeAltered(): boolean;
}

interface Prepared {
  statement: StatementSync;
  reads: boolean;
  /** Known after the first run: before it, SQLite may still go by an older schema. */
  columns: string[] | undefined;
  /** Changes tables, and with them the columns of other statements. */
  alters: boolean;
}

const ALTERS = /^\s*(create|alter|drop)\s/i;

export function statementCache(database: DatabaseSync, size: number): StatementCache {
  const kept = new Map<string, Prepared>();
  let altered = false;

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
      const found = prepared(sql);
      const values = bindAll(parameters);
      if (found.reads) {
        const found_rows = found.statement.all(...values) as unknown as unknown[][];
        const columns = (found.columns ??= columnNames(found.statement));
        return { rows: found_rows.map((row) => toRow(columns, row)), numAffectedRows: BigInt(found_rows.length) };
      }
      const { changes } = found.statement.run(...values);
      if (found.alters) {
        altered = true;
        kept.clear();
      }
      return { rows: [], numAffectedRows: BigInt(changes) };
    },
    *iterate(sql, parameters) {
      // Not from the cache: a second use would restart the one that is still being read.
      const { statement } = prepare(database, sql);
      let columns: string[] | undefined;
      for (const row of statement.iterate(...bindAll(parameters))) {
        columns ??= columnNames(statement);
        yield toRow(columns, row as unknown as unknown[]);
      }
    },
    clear: () => kept.clear(),
    takeAltered() {
      const was = altered;
      altered = false;
      return was;
    },
  };
}

function prepare(database: DatabaseSync, sql: string): Prepared {
  const statement = database.prepare(sql);
  // Arrays, since node:sqlite builds its objects three times slower and without a prototype.
  statement.setReturnArrays(true);
  return { statement, reads: statement.columns().length > 0, columns: undefined, alters: ALTERS.test(sql) };
}

function columnNames(statement: StatementSync): string[] {
  return statement.columns().map(({ name }) => name);
}

function toRow(columns: readonly string[], values: readonly unknown[]): Row {
  const row: Row = {};
  for (let i = 0; i < columns.length; i++) row[columns[i] as string] = values[i];
  return row;
}
