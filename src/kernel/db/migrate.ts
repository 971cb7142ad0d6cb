import { sql, type Kysely, type Transaction } from 'kysely';
import type { Database, Dialect } from './database.ts';
import { portableTypes } from './portable-types.ts';

export interface Migration {
  service: string;
  /** From 1, without gaps, per service. */
  number: number;
  name: string;
  /**
   * Changes the schema through Kysely's builder with the types `text`, `integer`, `bigint` and `real`, which are made
   * to mean the same on both dialects (text compares by code point; integers have 64 bits; real has 64).
   */
  up(tx: Kysely<any>, dialect: Dialect): Promise<void>;
}

const TABLE = 'schema_migrations';
/** Any constant: all who migrate take the same lock. */
const LOCK = 7_311_402;

/**
 * Brings the schema up to date, each migration in a transaction of its own; safe when several processes start at once.
 * Throws when the numbers have gaps, a recorded name differs, or the database is newer than the program.
 */
export async function migrate(db: Database, migrations: readonly Migration[]): Promise<void> {
  const ordered = checkNumbers(migrations);
  await db.transaction(async (tx) => {
    await lock(tx, db.dialect);
    await createTable(portable(tx, db.dialect));
    checkRecorded(ordered, await recorded(tx));
  });
  for (const migration of ordered) {
    await db.transaction((tx) => apply(tx, db.dialect, migration));
  }
}

interface Recorded {
  service: string;
  number: number;
  name: string;
}

function checkNumbers(migrations: readonly Migration[]): Migration[] {
  const next = new Map<string, number>();
  const ordered = migrations.toSorted((a, b) => a.number - b.number);
  for (const { service, number, name } of ordered) {
    const wanted = next.get(service) ?? 1;
    if (number !== wanted) throw new Error(`migration ${service} ${number} (${name}): number ${wanted} was expected`);
    next.set(service, wanted + 1);
  }
  // Services stay in the order they were given: the tables of one may refer to those of an earlier one.
  const services = [...new Set(migrations.map(({ service }) => service))];
  return services.flatMap((service) => ordered.filter((migration) => migration.service === service));
}

function checkRecorded(migrations: readonly Migration[], done: readonly Recorded[]): void {
  const services = new Set(migrations.map(({ service }) => service));
  for (const { service, number, name } of done) {
    if (!services.has(service)) continue;
    const known = migrations.find((migration) => migration.service === service && migration.number === number);
    if (known === undefined) {
      throw new Error(`the database has migration ${service} ${number} (${name}), which this program does not know: it is newer`);
    }
    if (known.name !== name) {
      throw new Error(`migration ${service} ${number} is called ${known.name} here and ${name} in the database`);
    }
  }
}

async function lock(tx: Transaction<any>, dialect: Dialect): Promise<void> {
  if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(tx);
  // A table that is rebuilt breaks references for a moment.
  else await sql`pragma defer_foreign_keys = on`.execute(tx);
}

function portable(tx: Transaction<any>, dialect: Dialect): Kysely<any> {
  return dialect === 'postgres' ? tx.withPlugin(portableTypes) : tx;
}

async function createTable(tx: Kysely<any>): Promise<void> {
  await tx
    .schema.createTable(TABLE)
    .ifNotExists()
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('applied_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('schema_migrations_pk', ['service', 'number'])
    .execute();
}

async function recorded(tx: Transaction<any>): Promise<Recorded[]> {
  return await tx.selectFrom(TABLE).select(['service', 'number', 'name']).execute();
}

async function apply(tx: Transaction<any>, dialect: Dialect, migration: Migration): Promise<void> {
  const { service, number, name } = migration;
  await lock(tx, dialect);
  const done = await tx.selectFrom(TABLE).select('name').where('service', '=', service).where('number', '=', number).executeTakeFirst();
  if (done !== undefined) return;
  await migration.up(portable(tx, dialect), dialect);
  await tx.insertInto(TABLE).values({ service, number, name, applied_at: new Date() }).execute();
}
