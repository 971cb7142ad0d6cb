/** Whether the rows of a service changed. */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Database } from '../../src/kernel/db/database.ts';

export interface StateWatch {
  /** Names of the tables that differ since the last call; costs next to nothing while nothing was committed. */
  changed(): Promise<string[]>;
}

/** @param prefixes of the tables that count, `identity_`. SQLite alone tells commits of others so cheaply. */
export async function watchState(db: Database, prefixes: readonly string[]): Promise<StateWatch> {
  const { rows } = await sql<{ name: string }>`select name from sqlite_master where type = 'table' order by name`.execute(db.read);
  const tables = rows.map(({ name }) => name).filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
  let version = await commits(db);
  let known = await digests(db, tables);
  return {
    async changed() {
      const now = await commits(db);
      if (now === version) return [];
      version = now;
      const before = known;
      known = await digests(db, tables);
      return tables.filter((table) => before.get(table) !== known.get(table));
    },
  };
}

async function commits(db: Database): Promise<number> {
  const { rows } = await sql<{ data_version: number }>`pragma data_version`.execute(db.read);
  return rows[0]!.data_version;
}

async function digests(db: Database, tables: readonly string[]): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  for (const table of tables) {
    const { rows } = await sql`select * from ${sql.table(table)}`.execute(db.read);
    out.set(table, createHash('sha256').update(rows.map((row) => JSON.stringify(row)).sort().join('\n')).digest('hex'));
  }
  return out;
}
