import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { sql } from 'kysely';
import type { Database, Dialect } from '../../../src/kernel/db/database.ts';
import { capLimit, findMarker, page, pageQuery, where, type Filter, type PageOptions, type SortKey } from '../../../src/kernel/db/list-query.ts';
import { createSortIndex } from '../../../src/kernel/db/portable-types.ts';
import type { Migration } from '../../../src/kernel/db/migrate.ts';
import { freshDatabase, type TestDatabase } from '../../support/database.ts';

interface Row {
  id: string;
  name: string;
  host: string | null;
  size: number;
}

const rows: Row[] = Array.from({ length: 60 }, (_, i) => ({
  id: `id-${String((i * 37) % 60).padStart(2, '0')}`,
  name: ['b', 'a', 'B', 'c_d', 'c%d'][i % 5] as string,
  host: [null, 'h1', 'h2'][i % 3] as string | null,
  size: i % 4,
}));

const tables: Migration = {
  service: 'list',
  number: 1,
  name: 'create things',
  async up(tx, dialect) {
    await tx.schema
      .createTable('things')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('host', 'text')
      .addColumn('size', 'integer', (column) => column.notNull())
      .execute();
    await sql`create index things_name on things (name, id)`.execute(tx);
    await createSortIndex(tx, dialect, 'things_host', 'things', [{ column: 'host', nullable: true }, { column: 'id' }]);
    await tx.insertInto('things').values(rows).execute();
  },
};

const sortKey: fc.Arbitrary<SortKey> = fc.oneof(
  fc.record({ column: fc.constantFrom('name', 'size', 'id'), direction: fc.constantFrom('asc' as const, 'desc' as const) }),
  fc.record({ column: fc.constant('host'), direction: fc.constantFrom('asc' as const, 'desc' as const), nullable: fc.constant(true) }),
);
const sorts = fc.uniqueArray(sortKey, { selector: ({ column }) => column, maxLength: 4 });

/** What the page must be, by sorting in memory. */
function sorted(sort: readonly SortKey[]): Row[] {
  const keys = [...sort, { column: 'id', direction: sort.at(-1)?.direction ?? 'asc' }];
  return rows.toSorted((a, b) => {
    for (const { column, direction } of keys) {
      const [x, y] = [a[column as keyof Row], b[column as keyof Row]];
      if (x === y) continue;
      const below = x === null || (y !== null && x < y);
      return below === (direction === 'asc') ? -1 : 1;
    }
    return 0;
  });
}

for (const dialect of ['sqlite', 'postgres'] satisfies Dialect[]) {
  describe(`lists on ${dialect}`, () => {
    let made: TestDatabase;
    let db: Database;
    before(async () => {
      made = await freshDatabase([tables], dialect);
      db = made.db;
    });
    after(() => made.close());
    const things = () => db.read.selectFrom('things').selectAll();

    test('pages, put together, are the whole list in order', async () => {
      await fc.assert(
        fc.asyncProperty(sorts, fc.integer({ min: 1, max: 70 }), async (sort, limit) => {
          const seen: unknown[] = [];
          for (let marker: Row | undefined, more = true; more; ) {
            const part = await page(things(), { sort, limit, marker: marker as never });
            seen.push(...part.rows);
            more = part.more;
            marker = part.rows.at(-1) as Row;
          }
          assert.deepEqual(seen, sorted(sort));
        }),
        { numRuns: 60 },
      );
    });

    test('a reverse page is what comes just before the marker, in the same order', async () => {
      await fc.assert(
        fc.asyncProperty(sorts, fc.integer({ min: 1, max: 20 }), fc.nat(59), async (sort, limit, at) => {
          const all = sorted(sort);
          const found = await page(things(), { sort, limit, marker: all[at] as never, reverse: true });
          assert.deepEqual(found.rows, all.slice(Math.max(0, at - limit), at));
          assert.equal(found.more, at > limit);
        }),
        { numRuns: 60 },
      );
    });

    test('a marker is looked up within what the caller may see', async () => {
      const sort: SortKey[] = [{ column: 'name', direction: 'asc' }];
      const [first] = sorted(sort) as [Row];
      assert.deepEqual(await findMarker(things(), { sort }, first.id), { name: first.name, id: first.id });
      assert.equal(await findMarker(things().where('name', '=', 'zzz'), { sort }, first.id), undefined);
      assert.equal(await findMarker(things(), { sort }, 'nowhere'), undefined);
    });

    test('a join pages by qualified columns', async () => {
      const joined = db.read.selectFrom('things').innerJoin('things as twins', 'twins.id', 'things.id').selectAll('things');
      const options: PageOptions = { sort: [{ column: 'things.size', direction: 'desc' }], key: 'things.id', limit: 7 };
      const one = await page(joined, options);
      const two = await page(joined, { ...options, marker: one.rows.at(-1) as never });
      assert.deepEqual([...one.rows, ...two.rows], sorted([{ column: 'size', direction: 'desc' }]).slice(0, 14));
    });

    test('limits: the cap, and none at all', async () => {
      assert.deepEqual([capLimit(undefined, 100), capLimit(5, 100), capLimit(500, 100), capLimit(0, 100)], [100, 5, 100, 0]);
      assert.deepEqual(await page(things(), { sort: [], limit: 0 }), { rows: [], more: true });
    });

    test('filters', async () => {
      const count = async (...filters: Filter[]): Promise<number> => (await where(things(), filters).execute()).length;
      const expected = (test: (row: Row) => boolean): number => rows.filter(test).length;
      assert.equal(await count({ column: 'name', op: 'eq', value: 'b' }), expected(({ name }) => name === 'b'));
      assert.equal(await count({ column: 'size', op: 'eq', value: true }), expected(({ size }) => size === 1));
      assert.equal(await count({ column: 'size', op: 'gte', value: 2 }, { column: 'size', op: 'lt', value: 3 }), expected(({ size }) => size === 2));
      assert.equal(await count({ column: 'name', op: 'in', value: ['a', 'B'] }), expected(({ name }) => name === 'a' || name === 'B'));
      assert.equal(await count({ column: 'name', op: 'in', value: [] }), 0);
      assert.equal(await count({ column: 'name', op: 'not-in', value: [] }), rows.length);
      assert.equal(await count({ column: 'host', op: 'null' }), expected(({ host }) => host === null));
      assert.equal(await count({ column: 'host', op: 'not-null' }), expected(({ host }) => host !== null));
      assert.equal(await count({ column: 'name', op: 'contains', value: '_' }), expected(({ name }) => name.includes('_')));
      assert.equal(await count({ column: 'name', op: 'contains', value: '%' }), expected(({ name }) => name.includes('%')));
      assert.equal(await count({ column: 'name', op: 'prefix', value: 'c' }), expected(({ name }) => name.startsWith('c')));
      assert.equal(await count({ column: 'name', op: 'contains', value: '\\' }), 0);
    });

    test('an index on the sort keys answers a page', async () => {
      const marker = { name: 'b', id: 'id-10', host: 'h1' };
      const plans: [SortKey, string][] = [
        [{ column: 'name', direction: 'asc' }, 'things_name'],
        [{ column: 'name', direction: 'desc' }, 'things_name'],
      ];
      for (const [key, index] of plans) {
        const plan = await explain(db, { sort: [key], marker, limit: 5 });
        assert.match(plan, new RegExp(index));
        assert.doesNotMatch(plan, /temp b-tree|\bSort\b|Seq Scan/i);
        assert.match(plan, /\(?name,\s*id\)? ?[<>]|Index Cond: \(ROW\(name, id\)/);
      }
      const nullable = await explain(db, { sort: [{ column: 'host', direction: 'desc', nullable: true }], limit: 5 });
      assert.doesNotMatch(nullable, /temp b-tree|\bSort\b/i);
    });
  });
}

async function explain(db: Database, options: PageOptions): Promise<string> {
  const query = pageQuery(db.read.selectFrom('things').select(['id', 'name']), options).compile();
  if (db.dialect === 'sqlite') {
    const found = await db.read.executeQuery<{ detail: string }>({ ...query, sql: `explain query plan ${query.sql}` });
    return found.rows.map(({ detail }) => detail).join('\n');
  }
  return await db.transaction(async (tx) => {
    // So few rows would be read faster without the index.
    await sql`set local enable_seqscan = off`.execute(tx);
    await sql`set local enable_sort = off`.execute(tx);
    const found = await tx.executeQuery<Record<string, string>>({ ...query, sql: `explain ${query.sql}` });
    return found.rows.map((row) => row['QUERY PLAN']).join('\n');
  });
}
