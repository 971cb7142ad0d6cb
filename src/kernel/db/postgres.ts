import pg from 'pg';
import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import { isFault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { transactionRunner, type Database, type RunTransaction } from './database.ts';
import { databaseUnavailable, isConnectionLost, isSerializationFailure } from './errors.ts';
import { bindAll } from './values.ts';

export interface PostgresOptions {
  /** Connections for transactions, and as many again for reads. */
  pool?: number;
  /** How long a query waits for the server to be there before it fails with 503. */
  wait_ms?: number;
  statement_timeout_ms?: number;
}

const ATTEMPTS_AFTER_CONFLICT = 8;

/** Opens `postgres://…`; connections are made when first needed, so a server that is still down is no error here. */
export function openPostgres(url: string, log: Log, options: PostgresOptions = {}): Database {
  const waitMs = options.wait_ms ?? 5_000;
  const writers = createPool(url, options, false, log);
  const readers = createPool(url, options, true, log);
  const writer = new Kysely<any>({ dialect: dialect(() => new PostgresDriver(writers, waitMs, false)) });
  const reader = new Kysely<any>({ dialect: dialect(() => new PostgresDriver(readers, waitMs, true)) });
  return {
    dialect: 'postgres',
    read: reader,
    transaction: retrying(transactionRunner(writer, log)),
    async close() {
      await reader.destroy();
      await writer.destroy();
      await Promise.all([readers, writers].filter((pool) => !pool.ending).map((pool) => pool.end()));
    },
  };
}

function retrying(run: RunTransaction): RunTransaction {
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run(work);
      } catch (error) {
        if (!isSerializationFailure(error) || attempt === ATTEMPTS_AFTER_CONFLICT) throw error;
        await pause(Math.random() * 5 * 2 ** attempt);
      }
    }
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** int8 and numeric as numbers and bool as 0/1, as SQLite has them. */
const parsers = new Map<number, (text: string) => unknown>([
  [16, (text) => (text === 't' ? 1 : 0)],
  [20, toNumber],
  [1700, Number],
]);

function toNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is too large for a number`);
  return value;
}

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    (format !== 'binary' && parsers.get(oid)) || pg.types.getTypeParser(oid, format as 'text'),
};

function createPool(url: string, options: PostgresOptions, readOnly: boolean, log: Log): pg.Pool {
  const statementTimeout = options.statement_timeout_ms ?? 30_000;
  const pool = new pg.Pool({
    connectionString: readOnly ? withOption(url, '-c default_transaction_read_only=on') : url,
    max: options.pool ?? 8,
    types,
    application_name: 'gantry',
    keepAlive: true,
    allowExitOnIdle: true,
    connectionTimeoutMillis: options.wait_ms ?? 5_000,
    idleTimeoutMillis: 60_000,
    statement_timeout: statementTimeout,
    // A dead peer sends no error: give up a little after the server would have.
    query_timeout: statementTimeout + 5_000,
    idle_in_transaction_session_timeout: 60_000,
  });
  pool.on('error', (error) => log.warn({ err: error }, 'an idle database connection was lost'));
  // Lost while checked out: the running query fails by itself; without a listener the process would end.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

function withOption(url: string, option: string): string {
  const parsed = new URL(url);
  const given = parsed.searchParams.get('options');
  parsed.searchParams.set('options', given === null ? option : `${given} ${option}`);
  return parsed.href;
}

function dialect(createDriver: () => Driver): Dialect {
  return {
    createDriver,
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

/** One use of a pooled client; refuses queries after its end, and lets a dead client go. */
class PostgresTurn implements DatabaseConnection {
  readonly #pool: pg.Pool;
  readonly #waitMs: number;
  readonly #retries: boolean;
  /** Undefined when it was lost and no other was to be had. */
  #client: pg.PoolClient | undefined;
  state: 'open' | 'failed' | 'ended' = 'open';

  /** `retries`: each query may run again on another client, as reads may. */
  constructor(pool: pg.Pool, client: pg.PoolClient, waitMs: number, retries: boolean) {
    this.#pool = pool;
    this.#client = client;
    this.#waitMs = waitMs;
    this.#retries = retries;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.state === 'ended') throw new Error('a query came after the end of its transaction');
    const values = bindAll(query.parameters);
    return this.#retries ? await this.persist<R>(query.sql, values) : await this.run<R>(query.sql, values);
  }

  /** As `run`, and again on a new client as long as the server is merely away. */
  async persist<R>(text: string, values: unknown[] = []): Promise<QueryResult<R>> {
    const deadline = performance.now() + this.#waitMs;
    for (;;) {
      try {
        return await this.run<R>(text, values);
      } catch (error) {
        if (!isFault(error) || performance.now() >= deadline) throw error;
        this.#client?.release(true);
        this.#client = undefined;
        this.#client = await connectWithin(this.#pool, deadline - performance.now());
        this.state = 'open';
      }
    }
  }

  async run<R>(text: string, values: unknown[] = []): Promise<QueryResult<R>> {
    if (this.#client === undefined) throw databaseUnavailable(undefined);
    try {
      const { rowCount, rows } = await this.#client.query(text, values);
      if (text.startsWith('rollback to savepoint')) this.state = 'open';
      return { rows: (rows as R[] | undefined) ?? [], numAffectedRows: BigInt(rowCount ?? 0) };
    } catch (error) {
      if (this.state === 'open') this.state = 'failed';
      throw isConnectionLost(error) ? databaseUnavailable(error) : error;
    }
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not offered on PostgreSQL: page through the rows');
  }

  /** `broken`: the client is in an unknown state and must not be used again. */
  release(broken: boolean): void {
    this.state = 'ended';
    this.#client?.release(broken);
    this.#client = undefined;
  }
}

async function connectWithin(pool: pg.Pool, waitMs: number): Promise<pg.PoolClient> {
  const deadline = performance.now() + waitMs;
  for (let delay = 20; ; delay = Math.min(delay * 2, 500)) {
    try {
      return await pool.connect();
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      if (performance.now() + delay >= deadline) throw databaseUnavailable(error);
    }
    await pause(delay);
  }
}

class PostgresDriver implements Driver {
  readonly #pool: pg.Pool;
  readonly #waitMs: number;
  readonly #readOnly: boolean;
  readonly #broken = new WeakSet<PostgresTurn>();

  constructor(pool: pg.Pool, waitMs: number, readOnly: boolean) {
    this.#pool = pool;
    this.#waitMs = waitMs;
    this.#readOnly = readOnly;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresTurn> {
    const client = await connectWithin(this.#pool, this.#waitMs);
    return new PostgresTurn(this.#pool, client, this.#waitMs, this.#readOnly);
  }

  async beginTransaction(turn: PostgresTurn): Promise<void> {
    if (this.#readOnly) throw new Error('read has no transactions: use Database.transaction');
    this.#broken.add(turn);
    await turn.persist('begin isolation level read committed');
  }

  async commitTransaction(turn: PostgresTurn): Promise<void> {
    // COMMIT would roll back without an error.
    if (turn.state === 'failed') throw new Error('the transaction is doomed by an error that was swallowed: use savepoint round it');
    turn.state = 'ended';
    await turn.run('commit');
    this.#broken.delete(turn);
  }

  async rollbackTransaction(turn: PostgresTurn): Promise<void> {
    turn.state = 'ended';
    // A failure here leaves the turn among the broken: the client is thrown away and the server rolls back.
    await turn.run('rollback').then(
      () => this.#broken.delete(turn),
      () => false,
    );
  }

  async releaseConnection(turn: PostgresTurn): Promise<void> {
    turn.release(this.#broken.has(turn));
  }

  async destroy(): Promise<void> {}
}
