import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql, type RawBuilder } from 'kysely';
import type { Database, Dialect } from '../../../src/kernel/db/database.ts';
import { migrate, type Migration } from '../../../src/kernel/db/migrate.ts';
import { openDatabase } from '../../../src/kernel/db/open.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { freshDatabase, type TestDatabase } from '../../support/database.ts';

const table = (service: string, number: number, name = `m${number}`): Migration => ({
  service,
  number,
  name,
  up: (tx) => tx.schema.createTable(`${service}_${number}`).addColumn('id', 'integer').execute(),
});

for (const dialect of ['sqlite', 'postgres'] satisfies Dialect[]) {
  describe(`migrate on ${dialect}`, () => {
    async function withDatabase(work: (made: TestDatabase) => Promise<void>): Promise<void> {
      const made = await freshDatabase([], dialect);
      try {
        await work(made);
      } finally {
        await made.close();
      }
    }
    const tables = async ({ db }: TestDatabase): Promise<string[]> =>
      (await named(db).execute(db.read)).rows.map(({ name }) => name).filter((name) => /^[ab]_\d$/.test(name));
    const named = (db: Database): RawBuilder<{ name: string }> =>
      db.dialect === 'sqlite'
        ? sql`select name from sqlite_schema where type = 'table' order by name`
        : sql`select table_name as name from information_schema.tables where table_schema = current_schema() order by 1`;

    test('each runs once, and only what is new', () =>
      withDatabase(async (made) => {
        await migrate(made.db, [table('b', 1), table('a', 2), table('a', 1)]);
        await migrate(made.db, [table('a', 1), table('a', 2), table('a', 3), table('b', 1)]);
        assert.deepEqual(await tables(made), ['a_1', 'a_2', 'a_3', 'b_1']);
      }));

    test('one that fails leaves nothing of itself, and what came before stays', () =>
      withDatabase(async (made) => {
        const broken: Migration = {
          ...table('a', 2),
          async up(tx, ...rest) {
            await table('a', 2).up(tx, ...rest);
            throw new Error('half way');
          },
        };
        await assert.rejects(migrate(made.db, [table('a', 1), broken]), /half way/);
        assert.deepEqual(await tables(made), ['a_1']);
        await migrate(made.db, [table('a', 1), table('a', 2)]);
        assert.deepEqual(await tables(made), ['a_1', 'a_2']);
      }));

    test('gaps, renames and a newer database are refused', () =>
      withDatabase(async (made) => {
        await assert.rejects(migrate(made.db, [table('a', 1), table('a', 3)]), /a 3 \(m3\): number 2 was expected/);
        await assert.rejects(migrate(made.db, [table('a', 1), table('a', 1)]), /number 2 was expected/);
        await migrate(made.db, [table('a', 1), table('a', 2)]);
        await assert.rejects(migrate(made.db, [table('a', 1), table('a', 2, 'other')]), /is called other here and m2 in the database/);
        await assert.rejects(migrate(made.db, [table('a', 1)]), /a 2 \(m2\), which this program does not know/);
        await migrate(made.db, [table('b', 1)]);
      }));

    test('processes that start at once do it once', () =>
      withDatabase(async (made) => {
        const others = await Promise.all([1, 2, 3].map(() => openDatabase(made.url, silentLog)));
        const all = [1, 2, 3, 4].map((number) => table('a', number));
        await Promise.all(others.map((db) => migrate(db, all)));
        assert.deepEqual(await tables(made), ['a_1', 'a_2', 'a_3', 'a_4']);
        await Promise.all(others.map((db) => db.close()));
      }));
  });
}
