import { unavailable, type Fault } from '../fault.ts';

interface DriverError extends Error {
  code?: string;
  errcode?: number;
  constraint?: string;
  table?: string;
  detail?: string;
}

const SQLITE_BUSY = 5;
const SQLITE_FOREIGN_KEY = 787;
const SQLITE_PRIMARY_KEY = 1555;
const SQLITE_UNIQUE = 2067;
/** Busy, locked, I/O error, full, can't open: the low byte of an extended code. */
const SQLITE_UNAVAILABLE = new Set([5, 6, 10, 13, 14]);

const SYSTEM_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN',
]);
/** Class 08, shutdown, crash, starting up, too many connections, read-only after a failover, disk full, memory, I/O error. */
const POSTGRES_UNAVAILABLE = /^(08...|57P0[1-5]|53[0-9]{3}|58030)$/;
const CLIENT_LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed)/;

function driverError(error: unknown): DriverError | undefined {
  return error instanceof Error ? (error as DriverError) : undefined;
}

/** With `columns`: only when those are the ones of the constraint, in any order. */
export function isUniqueViolation(error: unknown, ...columns: string[]): boolean {
  const found = driverError(error);
  const isUnique = found?.errcode === SQLITE_UNIQUE || found?.errcode === SQLITE_PRIMARY_KEY || found?.code === '23505';
  if (!isUnique) return false;
  return columns.length === 0 || columns.toSorted().join() === violatedColumns(error).toSorted().join();
}

export function isForeignKeyViolation(error: unknown): boolean {
  const found = driverError(error);
  return found?.errcode === SQLITE_FOREIGN_KEY || found?.code === '23503';
}

/** The columns, without table, that a unique violation names; none for an index over expressions. */
export function violatedColumns(error: unknown): string[] {
  const found = driverError(error);
  const listed =
    /^UNIQUE constraint failed: ((?:\w+\.\w+(?:, )?)+)$/.exec(found?.message ?? '') ?? /^Key \(([\w", ]+)\)=/.exec(found?.detail ?? '');
  if (listed?.[1] === undefined) return [];
  return listed[1].split(', ').map((name) => name.replace(/^.*\./, '').replaceAll('"', ''));
}

/** Another transaction got in the way: the same work, run again, may pass. */
export function isSerializationFailure(error: unknown): boolean {
  const code = driverError(error)?.code;
  return code === '40001' || code === '40P01';
}

/** The connection or the server is gone, not the statement wrong. */
export function isConnectionLost(error: unknown): boolean {
  const found = driverError(error);
  if (found === undefined) return false;
  if (found instanceof AggregateError) return found.errors.some(isConnectionLost);
  return SYSTEM_CODES.has(found.code ?? '') || POSTGRES_UNAVAILABLE.test(found.code ?? '') || CLIENT_LOST.test(found.message);
}

export function isSqliteUnavailable(error: unknown): boolean {
  const errcode = driverError(error)?.errcode;
  return errcode !== undefined && SQLITE_UNAVAILABLE.has(errcode & 0xff);
}

/** Another process writes. */
export function isSqliteBusy(error: unknown): boolean {
  const errcode = driverError(error)?.errcode;
  return errcode !== undefined && (errcode & 0xff) === SQLITE_BUSY;
}

export function databaseUnavailable(cause: unknown): Fault {
  return unavailable('db.unavailable', 'The database is not available at the moment. Try again later.', { retryable: true, cause });
}
