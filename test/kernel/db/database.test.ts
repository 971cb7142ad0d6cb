import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { onCommit, savepoint, type Dialect } from '../../../src/kernel/db/database.ts';
import { isForeignKeyViolation, isUniqueViolation, violatedColumns } from '../../../src/kernel/db/errors.ts';
import type { Migration } from '../../../src/kernel/db/migrate.ts';
import { freshDatabase, type TestDatabase } from '../../support/database.ts';

const tables: Migration = {
  service: 'shop',
  number: 1,
  name: 'create tables',
  async up(tx) {
    await tx.schema
      .createTable('shelf')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text')
      .addColumn('size', 'integer')
      .addColumn('weight', 'real')
      .addUniqueConstraint('shelf_name_size', ['name', 'size'])
      .execute();
    await tx.schema
      .createTable('book')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('shelf_id', 'text', (column) => column.references('shelf.id'))
      .execute();
  },
};

const catching = (work: Promise<unknown>): Promise<unknown> => work.then(() => assert.fail('no error came'), (error: unknown) => error);

for (const dialect of ['sqlite', 'postgres'] satisfies Dialect[]) {
  describe(`database on ${dialect}`, () => {
    let test_db: TestDatabase;
    before(async () => {
      test_db = await freshDatabase([tables], dialect);
    });
    after(() => test_db.close());
    const shelf = (id: string, more: object = {}): object => ({ id, name: id, size: 1, weight: 0.5, ...more });
    const add = (...rows: object[]): Promise<unknown> => test_db.db.transaction((tx) => tx.insertInto('shelf').values(rows).execute());
    const find = (id: string): Promise<any> => test_db.db.read.selectFrom('shelf').selectAll().where('id', '=', id).executeTakeFirst();

    test('rows read the same on both', async () => {
      await add(shelf('same', { size: 2 ** 45, weight: 0.1, name: null }));
      assert.deepStrictEqual(await find('same'), { id: 'same', name: null, size: 2 ** 45, weight: 0.1 });
      const totals = await test_db.db.read
        .selectFrom('shelf')
        .where('id', '=', 'same')
        .select(({ fn, eb }) => [fn.countAll().as('n'), fn.sum('size').as('sum'), eb(fn.max('weight'), '<', 1).as('light')])
        .executeTakeFirst();
      assert.deepStrictEqual(totals, { n: 1, sum: 2 ** 45, light: 1 });
    });

    test('booleans and dates are kept as numbers and text', async () => {
      const at = new Date('2026-01-02T03:04:05.678Z');
      await add(shelf('lenient', { name: at, size: true }));
      assert.deepStrictEqual(await find('lenient'), { id: 'lenient', name: at.toISOString(), size: 1, weight: 0.5 });
      assert.match(String(await catching(add(shelf('bad', { name: { a: 1 } })))), /can't bind a object/);
    });

    test('text compares and sorts by code point', async () => {
      await add(...['b', 'B', 'a', 'Z', 'é', '_'].map((name) => shelf(`sort-${name}`, { name, size: 77 })));
      const sorted = await test_db.db.read.selectFrom('shelf').select('name').where('size', '=', 77).orderBy('name').execute();
      assert.deepStrictEqual(sorted.map(({ name }) => name), ['B', 'Z', '_', 'a', 'b', 'é']);
      const alike = await test_db.db.read.selectFrom('shelf').select('name').where('size', '=', 77).where('name', 'like', 'b%').execute();
      assert.deepStrictEqual(alike, [{ name: 'b' }]);
    });

    test('affected rows are counted', async () => {
      await add(shelf('count-1', { size: 55 }), shelf('count-2', { size: 55 }));
      const result = await test_db.db.transaction((tx) => tx.updateTable('shelf').set({ weight: 2 }).where('size', '=', 55).executeTakeFirst());
      assert.equal(result.numUpdatedRows, 2n);
      const gone = await test_db.db.transaction((tx) => tx.deleteFrom('shelf').where('size', '=', 55).returning('id').execute());
      assert.equal(gone.length, 2);
    });

    test('a transaction that throws leaves nothing, and its hooks do not run', async () => {
      const ran: string[] = [];
      const error = await catching(
        test_db.db.transaction(async (tx) => {
          onCommit(tx, () => ran.push('never'));
          await tx.insertInto('shelf').values(shelf('rolled-back')).execute();
          throw new Error('changed my mind');
        }),
      );
      assert.match(String(error), /changed my mind/);
      assert.equal(await find('rolled-back'), undefined);
      assert.deepEqual(ran, []);
    });

    test('hooks run in order after the commit, even past one that fails', async () => {
      const ran: string[] = [];
      await test_db.db.transaction(async (tx) => {
        onCommit(tx, () => ran.push('first'));
        onCommit(tx, () => {
          throw new Error('a bad hook');
        });
        onCommit(tx, () => ran.push('last'));
        await tx.insertInto('shelf').values(shelf('hooked')).execute();
        assert.deepEqual(ran, []);
      });
      assert.deepEqual(ran, ['first', 'last']);
    });

    test('reads see only what is committed, while a transaction is open', async () => {
      await test_db.db.transaction(async (tx) => {
        await tx.insertInto('shelf').values(shelf('uncommitted')).execute();
        assert.equal(await find('uncommitted'), undefined);
      });
      assert.notEqual(await find('uncommitted'), undefined);
    });

    test('a write outside a transaction fails', async () => {
      assert.match(String(await catching(test_db.db.read.insertInto('shelf').values(shelf('stray')).execute())), /read.?only/);
      await catching(test_db.db.read.transaction().execute(async () => {}));
      assert.equal(await find('stray'), undefined);
    });

    test('a query after the end of its transaction fails', async () => {
      let leaked: any;
      await test_db.db.transaction(async (tx) => {
        leaked = tx;
      });
      await catching(leaked.insertInto('shelf').values(shelf('leaked')).execute());
      let forgotten: Promise<unknown> = Promise.resolve();
      await test_db.db.transaction(async (tx) => {
        forgotten = new Promise((resolve) => setImmediate(resolve)).then(() => tx.insertInto('shelf').values(shelf('leaked')).execute());
        forgotten.catch(() => {});
      });
      await catching(forgotten);
      assert.equal(await find('leaked'), undefined);
    });

    test('a transaction inside a transaction is refused, not waited for', async () => {
      const error = await catching(test_db.db.transaction(() => test_db.db.transaction(async () => {})));
      assert.match(String(error), /inside a transaction/);
    });

    test('a failed statement dooms its transaction, a savepoint saves it', async () => {
      await add(shelf('taken'));
      const doomed = await catching(
        test_db.db.transaction(async (tx) => {
          await tx.insertInto('shelf').values(shelf('before')).execute();
          await catching(tx.insertInto('shelf').values(shelf('taken')).execute());
        }),
      );
      assert.match(String(doomed), /doomed/);
      assert.equal(await find('before'), undefined);
      const ran: string[] = [];
      await test_db.db.transaction(async (tx) => {
        await tx.insertInto('shelf').values(shelf('before')).execute();
        const error = await catching(
          savepoint(tx, async () => {
            onCommit(tx, () => ran.push('undone'));
            await tx.insertInto('shelf').values(shelf('half')).execute();
            await tx.insertInto('shelf').values(shelf('taken')).execute();
          }),
        );
        assert.ok(isUniqueViolation(error));
      });
      assert.notEqual(await find('before'), undefined);
      assert.equal(await find('half'), undefined);
      assert.deepEqual(ran, []);
    });

    test('violations are told apart', async () => {
      await add(shelf('unique', { size: 9 }));
      const primary = await catching(add(shelf('unique', { size: 10 })));
      assert.ok(isUniqueViolation(primary) && isUniqueViolation(primary, 'id') && !isUniqueViolation(primary, 'name'));
      const both = await catching(add(shelf('other', { name: 'unique', size: 9 })));
      assert.deepEqual(violatedColumns(both).sort(), ['name', 'size']);
      assert.ok(isUniqueViolation(both, 'size', 'name'));
      const orphan = await catching(test_db.db.transaction((tx) => tx.insertInto('book').values({ id: 'b', shelf_id: 'nowhere' }).execute()));
      assert.ok(isForeignKeyViolation(orphan) && !isUniqueViolation(orphan));
    });

    test('concurrent transactions lose no update', async () => {
      await add(shelf('counter', { size: 0 }));
      const increment = (): Promise<unknown> =>
        test_db.db.transaction((tx) => tx.updateTable('shelf').set({ size: sql`size + 1` }).where('id', '=', 'counter').execute());
      await Promise.all(Array.from({ length: 40 }, increment));
      assert.equal((await find('counter')).size, 40);
    });

    test('columns added later are seen by queries that ran before', async () => {
      await add(shelf('altered'));
      const before = await find('altered');
      await test_db.db.transaction((tx) => tx.schema.alterTable('shelf').addColumn('colour', 'text').execute());
      assert.deepStrictEqual(await find('altered'), { ...before, colour: null });
    });
  });
}

test('an SQLite file is for its owner alone', async () => {
  const { db, url, close } = await freshDatabase([tables], 'sqlite');
  await db.transaction((tx) => tx.insertInto('shelf').values({ id: 'a' }).execute());
  const path = url.replace(/^sqlite:|\?.*$/g, '');
  for (const each of [path, `${path}-wal`, `${path}-shm`]) assert.equal(statSync(each).mode & 0o777, 0o600, each);
  await close();
});
