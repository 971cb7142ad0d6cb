import { AsyncLocalStorage } from 'node:async_hooks';
import { sql, type Kysely, type Transaction } from 'kysely';
import type { Log } from '../log/log.ts';

export type Dialect = 'sqlite' | 'postgres';

/** The rows of a cloud. `S` is the table map of all services or, by `as`, of one. */
export interface Database<S = any> {
  readonly dialect: Dialect;
  /** Queries outside transactions, on connections that can't write: a stray write fails. */
  readonly read: Kysely<S>;
  /**
   * Runs `work` in one transaction; commits what it returns, rolls back what it throws. PostgreSQL may run it
   * again after a deadlock, so nothing but the database is awaited in it; effects go to `onCommit`.
   * Any failed statement dooms the transaction, unless it ran inside `savepoint`.
   * Throws Fault 503 `db.unavailable` when the database can't be reached in time.
   */
  transaction<T>(work: (tx: Transaction<S>) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Narrows to the tables of one service. */
export function as<T>(db: Database<any>): Database<T> {
  return db as Database<T>;
}

/** Narrows a transaction to the tables of one service. */
export function asTransaction<T>(tx: Transaction<any>): Transaction<T> {
  return tx as Transaction<T>;
}

const commitHooks = new WeakMap<Transaction<any>, (() => void)[]>();

/** `fn` runs once the transaction has committed, in order of the calls; never when it rolls back. */
export function onCommit(tx: Transaction<any>, fn: () => void): void {
  const hooks = commitHooks.get(tx);
  if (hooks === undefined) throw new Error('onCommit wants the transaction that Database.transaction handed out');
  hooks.push(fn);
}

/** Runs `work` so that its failure undoes its own statements only: the transaction goes on. */
export async function savepoint<T>(tx: Transaction<any>, work: () => Promise<T>): Promise<T> {
  const hooks = commitHooks.get(tx);
  const kept = hooks?.length ?? 0;
  await sql`savepoint inner_work`.execute(tx);
  try {
    const result = await work();
    await sql`release savepoint inner_work`.execute(tx);
    return result;
  } catch (error) {
    await sql`rollback to savepoint inner_work`.execute(tx);
    await sql`release savepoint inner_work`.execute(tx);
    if (hooks !== undefined) hooks.length = kept;
    throw error;
  }
}

export type RunTransaction = <T>(work: (tx: Transaction<any>) => Promise<T>) => Promise<T>;

/** How both dialects run a transaction over the Kysely that owns their writing connections. */
export function transactionRunner(writer: Kysely<any>, log: Log): RunTransaction {
  const current = new AsyncLocalStorage<{ active: boolean }>();
  return async (work) => {
    if (current.getStore()?.active === true) {
      throw new Error('a transaction was asked for inside a transaction: hand the outer one down instead');
    }
    const hooks: (() => void)[] = [];
    const scope = { active: true };
    const committed = current.run(scope, () =>
      writer.transaction().execute((tx) => {
        commitHooks.set(tx, hooks);
        return work(tx);
      }),
    );
    const result = await committed.finally(() => {
      scope.active = false;
    });
    runHooks(hooks, log);
    return result;
  };
}

function runHooks(hooks: readonly (() => void)[], log: Log): void {
  for (const hook of hooks) {
    try {
      hook();
    } catch (error) {
      log.error({ err: error }, 'a hook after a commit failed');
    }
  }
}
