import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import type { Log } from '../log/log.ts';
import { transactionRunner, type Database } from './database.ts';
import { databaseUnavailable, isSqliteBusy, isSqliteUnavailable } from './errors.ts';
import { statementCache, type StatementCache } from './sqlite-statements.ts';

export interface SqliteOptions {
  /** False: commits survive a crash of the process but not of the machine; for tests. */
  durable?: boolean;
  /** How long a transaction waits for its turn before it fails with 503. */
  wait_ms?: number;
}

const CACHED_STATEMENTS = 500;
const BUSY_TIMEOUT_MS = 5_000;

/** Opens or creates the file (mode 0600, its directory too) in WAL mode with one writing and one reading connection. */
export function openSqlite(path: string, log: Log, options: SqliteOptions = {}): Database {
  createPrivately(path);
  const file = openFile(path, options);
  const writes = statementCache(file.writer, CACHED_STATEMENTS);
  const reads = statementCache(file.reader, CACHED_STATEMENTS);
  const writer = new Kysely<any>({ dialect: dialect(() => new WriterDriver(writes, reads, options.wait_ms ?? 30_000)) });
  const reader = new Kysely<any>({ dialect: dialect(() => new ReaderDriver(reads)) });
  return {
    dialect: 'sqlite',
    read: reader,
    transaction: transactionRunner(writer, log),
    async close() {
      await reader.destroy();
      await writer.destroy();
      if (file.reader.isOpen) file.reader.close();
      if (file.writer.isOpen) file.writer.close();
    },
  };
}

function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

function openFile(path: string, options: SqliteOptions): { writer: DatabaseSync; reader: DatabaseSync } {
  const writer = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    writer.exec('pragma journal_mode = wal');
    writer.exec(`pragma synchronous = ${options.durable === false ? 'off' : 'full'}`);
    // As PostgreSQL has it, and so that a prefix search can use an index.
    writer.exec('pragma case_sensitive_like = on; pragma cache_size = -16000; pragma temp_store = memory');
    // From here on whoever finds another process writing waits without blocking the event loop.
    writer.exec('pragma busy_timeout = 0');
    const reader = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
    reader.exec('pragma case_sensitive_like = on; pragma cache_size = -16000; pragma temp_store = memory');
    return { writer, reader };
  } catch (error) {
    writer.close();
    throw error;
  }
}

function dialect(createDriver: () => Driver): Dialect {
  return {
    createDriver,
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function execute<R>(cache: StatementCache, query: CompiledQuery): QueryResult<R> {
  try {
    return cache.execute(query.sql, query.parameters) as QueryResult<R>;
  } catch (error) {
    throw isSqliteUnavailable(error) ? databaseUnavailable(error) : error;
  }
}

async function* stream<R>(cache: StatementCache, query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
  for (const row of cache.iterate(query.sql, query.parameters)) yield { rows: [row as R] };
}

class ReaderDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(cache: StatementCache) {
    this.#connection = {
      executeQuery: async <R>(query: CompiledQuery) => execute<R>(cache, query),
      streamQuery: <R>(query: CompiledQuery) => stream<R>(cache, query),
    };
  }

  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  async beginTransaction(): Promise<void> {
    throw new Error('read has no transactions: use Database.transaction');
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

type State = 'open' | 'failed' | 'ended';

/** One turn on the writing connection: refuses work after a failed statement (as PostgreSQL does) and after its end. */
class WriterTurn implements DatabaseConnection {
  readonly #cache: StatementCache;
  state: State = 'open';

  constructor(cache: StatementCache) {
    this.#cache = cache;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.state === 'ended') throw new Error('a query came after the end of its transaction');
    const recovers = query.sql.startsWith('rollback to savepoint');
    if (this.state === 'failed' && !recovers) throw new Error('the transaction is doomed by an earlier error');
    try {
      const result = execute<R>(this.#cache, query);
      this.state = 'open';
      return result;
    } catch (error) {
      this.state = 'failed';
      throw error;
    }
  }

  streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    if (this.state !== 'open') throw new Error('a query came after the end of its transaction');
    return stream<R>(this.#cache, query);
  }
}

class WriterDriver implements Driver {
  readonly #cache: StatementCache;
  readonly #readers: StatementCache;
  readonly #mutex: Mutex;
  readonly #waitMs: number;

  constructor(cache: StatementCache, readers: StatementCache, waitMs: number) {
    this.#cache = cache;
    this.#readers = readers;
    this.#mutex = new Mutex(waitMs);
    this.#waitMs = waitMs;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<WriterTurn> {
    await this.#mutex.lock();
    return new WriterTurn(this.#cache);
  }

  async beginTransaction(): Promise<void> {
    const deadline = performance.now() + this.#waitMs;
    for (let delay = 1; ; delay = Math.min(delay * 2, 50)) {
      try {
        return void this.#cache.execute('begin immediate', []);
      } catch (error) {
        if (!isSqliteUnavailable(error)) throw error;
        if (!isSqliteBusy(error) || performance.now() >= deadline) throw databaseUnavailable(error);
      }
      await new Promise((resolve) => setTimeout(resolve, delay * (0.5 + Math.random())));
    }
  }

  async commitTransaction(turn: WriterTurn): Promise<void> {
    if (turn.state === 'failed') throw new Error('the transaction is doomed by an error that was swallowed: use savepoint round it');
    await turn.executeQuery({ sql: 'commit', parameters: [] } as unknown as CompiledQuery);
    turn.state = 'ended';
  }

  async rollbackTransaction(turn: WriterTurn): Promise<void> {
    turn.state = 'ended';
    // A full disk or an I/O error has rolled back already.
    if (this.#cache.database.isTransaction) this.#cache.execute('rollback', []);
  }

  async releaseConnection(turn: WriterTurn): Promise<void> {
    turn.state = 'ended';
    if (this.#cache.takeAltered()) {
      this.#cache.clear();
      this.#readers.clear();
    }
    this.#mutex.unlock();
  }

  async destroy(): Promise<void> {}
}

/** First come, first served, and nobody waits for ever. */
class Mutex {
  readonly #waitMs: number;
  readonly #waiting = new Set<() => void>();
  #locked = false;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  lock(): Promise<void> | void {
    if (!this.#locked) {
      this.#locked = true;
      return;
    }
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(turn);
        reject(databaseUnavailable(new Error(`no turn to write within ${this.#waitMs} ms`)));
      }, this.#waitMs);
      this.#waiting.add(turn);
    });
  }

  unlock(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#locked = false;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
