import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import type { Database } from '../../../src/kernel/db/database.ts';
import { openPostgres } from '../../../src/kernel/db/postgres.ts';
import { openSqlite } from '../../../src/kernel/db/sqlite.ts';
import { isFault } from '../../../src/kernel/fault.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { startPostgres, type PostgresCluster } from '../../support/postgres.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const isUnavailable = (error: unknown): boolean => isFault(error) && error.status === 503 && error.code === 'db.unavailable';
const ask = (db: Database): Promise<unknown> => sql`select 1 as one`.execute(db.read);
const write = (db: Database): Promise<unknown> => db.transaction((tx) => sql`insert into t values (1)`.execute(tx));

describe('a PostgreSQL server that goes away', () => {
  let server: PostgresCluster;
  let db: Database;
  before(async () => {
    server = await startPostgres();
    db = openPostgres(server.url, silentLog, { wait_ms: 300, statement_timeout_ms: 2_000 });
    await db.transaction((tx) => sql`create table t (n bigint)`.execute(tx));
  });
  after(async () => {
    await db.close();
    await server.stop();
  });

  test('is a fault 503 after a bounded wait, and works again once it is back', async () => {
    await Promise.all([ask(db), ask(db), write(db), write(db)]);
    await server.kill();
    await assert.rejects(ask(db), isUnavailable);
    await assert.rejects(write(db), isUnavailable);
    await server.restart();
    await Promise.all([ask(db), ask(db), write(db), write(db)]);
  });

  test('is a fault 503 for the read that is under way', async () => {
    const reading = assert.rejects(sql`select pg_sleep(20)`.execute(db.read), isUnavailable);
    const running = sql<{ n: number }>`select count(*) as n from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'`;
    while (Number((await running.execute(db.read)).rows[0]?.n) === 0);
    await server.kill();
    await reading;
    await server.restart();
    await Promise.all([ask(db), write(db)]);
  });

  test('fails the transaction that is under way, not the process', async () => {
    const work = db.transaction(async (tx) => {
      await sql`insert into t values (2)`.execute(tx);
      await server.kill();
      await sql`insert into t values (3)`.execute(tx);
    });
    await assert.rejects(work, isUnavailable);
    await server.restart();
    await write(db);
    const left = await sql<{ n: number }>`select n from t where n > 1`.execute(db.read);
    assert.deepEqual(left.rows, []);
  });

  test('connections that were cut are replaced unseen', async () => {
    await Promise.all([ask(db), ask(db), write(db), write(db)]);
    const cut = sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gantry' and pid <> pg_backend_pid()`;
    await cut.execute(db.read);
    await Promise.all([ask(db), ask(db), ask(db), write(db), write(db), write(db)]);
  });

  test('a deadlock runs the loser again', async () => {
    await db.transaction((tx) => sql`insert into t values (10), (20)`.execute(tx));
    const met = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    let runs = 0;
    const take = (mine: number, other: number, i: 0 | 1): Promise<void> =>
      db.transaction(async (tx) => {
        runs++;
        await sql`update t set n = n where n = ${mine}`.execute(tx);
        met[i].resolve();
        await met[1 - i]?.promise;
        await sql`update t set n = n where n = ${other}`.execute(tx);
      });
    await Promise.all([take(10, 20, 0), take(20, 10, 1)]);
    assert.equal(runs, 3);
  });
});

test('a turn to write in SQLite is not waited for without end', async () => {
  const db = openSqlite(`${scratchDirectory('outage')}/a.db`, silentLog, { wait_ms: 20, durable: false });
  const gate = Promise.withResolvers<void>();
  const holding = db.transaction(() => gate.promise);
  await assert.rejects(db.transaction(async () => {}), isUnavailable);
  gate.resolve();
  await holding;
  await db.transaction(async () => {});
  await db.close();
});
