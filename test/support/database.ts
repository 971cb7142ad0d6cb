import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import type { Database } from '../../src/kernel/db/database.ts';
import { migrate, type Migration } from '../../src/kernel/db/migrate.ts';
import { openDatabase } from '../../src/kernel/db/open.ts';
import { silentLog } from '../../src/kernel/log/log.ts';
import { startPostgres } from './postgres.ts';
import { scratchDirectory } from './scratch.ts';

export interface TestDatabase {
  readonly db: Database;
  /** Opens the same tables once more: another process, as it were. */
  readonly url: string;
  close(): Promise<void>;
}

/** Which database the tests run on: `GANTRY_TEST_DATABASE`, `sqlite` unless told. */
export function testDialect(): 'sqlite' | 'postgres' {
  const asked = process.env['GANTRY_TEST_DATABASE'] ?? 'sqlite';
  if (asked !== 'sqlite' && asked !== 'postgres') throw new Error(`GANTRY_TEST_DATABASE is ${asked}: sqlite or postgres is wanted`);
  return asked;
}

/** An empty database of the test's own, on the asked-for engine, with the migrations done. Close it at the end. */
export async function freshDatabase(migrations: readonly Migration[] = [], dialect = testDialect()): Promise<TestDatabase> {
  const url = dialect === 'sqlite' ? sqliteUrl() : await postgresUrl();
  const db = await openDatabase(url, silentLog);
  try {
    await migrate(db, migrations);
  } catch (error) {
    await db.close();
    throw error;
  }
  return { db, url, close: () => db.close() };
}

function sqliteUrl(): string {
  return `sqlite:${join(scratchDirectory('db'), 'gantry.db')}?durable=no`;
}

let server: Promise<string> | undefined;

/** A schema of its own on one server for the whole process, or on the one that `GANTRY_TEST_POSTGRES_URL` names. */
async function postgresUrl(): Promise<string> {
  server ??= serverUrl();
  const base = await server;
  const schema = `test_${randomBytes(8).toString('hex')}`;
  const client = new pg.Client({ connectionString: base });
  await client.connect();
  await client.query(`create schema ${schema}`);
  await client.end();
  const url = new URL(base);
  url.searchParams.set('options', `-c search_path=${schema}`);
  return url.href;
}

async function serverUrl(): Promise<string> {
  return process.env['GANTRY_TEST_POSTGRES_URL'] ?? (await startPostgres()).url;
}
