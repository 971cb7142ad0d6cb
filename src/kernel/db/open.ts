import type { Log } from '../log/log.ts';
import { createLog } from '../log/log.ts';
import type { Database } from './database.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

/**
 * Opens `sqlite:/path/file.db` (created when missing) or `postgres://user:password@host:port/database`
 * (`?host=/dir` for a Unix socket). `?durable=no` on SQLite trades the last commits at a power cut for speed.
 */
export async function openDatabase(url: string, log: Log = createLog({ level: 'warn' })): Promise<Database> {
  if (/^postgres(ql)?:\/\//.test(url)) {
    if (!URL.canParse(url)) throw new Error('the database URL is not well formed; it should read postgres://user:password@host:port/database');
    return openPostgres(url, log);
  }
  const file = /^sqlite:(?:\/\/)?(\/[^?]+)(?:\?(.*))?$/.exec(url);
  if (file?.[1] === undefined) {
    throw new Error('the database URL should read sqlite:/path/file.db or postgres://user:password@host:port/database');
  }
  const durable = new URLSearchParams(file[2] ?? '').get('durable') !== 'no';
  return openSqlite(file[1], log, { durable });
}
