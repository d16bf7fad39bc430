import { HoldfastError } from '../../errors.ts';
import { sourceError } from '../system-error.ts';

/** Primary result codes of SQLite that are told apart here (sqlite.org/rescode.html). */
const sqliteError = 1;
const sqliteBusy = 5;
const sqliteLocked = 6;
const sqliteReadOnly = 8;
const sqliteIoError = 10;
const sqliteCorrupt = 11;
const sqliteFull = 13;
const sqliteCannotOpen = 14;
const sqliteNotADatabase = 26;
/** Extended: a journal of an interrupted program has to be rolled back first. */
const sqliteReadOnlyRollback = 776;

/** The (extended) result code of an error of SQLite, or undefined. */
export function sqliteResultCode(cause: unknown): number | undefined {
  return cause instanceof Error && 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode : undefined;
}

function primaryCode(cause: unknown): number | undefined {
  const code = sqliteResultCode(cause);
  return code === undefined ? undefined : code & 0xff;
}

/** Whether another program's lock is in the way. `backup()` tells a lock as code 0: its handle keeps the true one to itself. */
export function isBusy(cause: unknown): boolean {
  const code = sqliteResultCode(cause);
  return code !== undefined && isBusyCode(code);
}

/** {@link isBusy}, for a result code. */
export function isBusyCode(code: number): boolean {
  return [0, sqliteBusy, sqliteLocked].includes(code & 0xff);
}

/** Whether SQLite says that the file is no database, or a damaged one. */
export function isDamaged(cause: unknown): boolean {
  const code = primaryCode(cause);
  return code === sqliteCorrupt || code === sqliteNotADatabase;
}

/** Whether the file does not begin as a database does. */
export function isNotADatabase(cause: unknown): boolean {
  return primaryCode(cause) === sqliteNotADatabase;
}

/** Whether SQLite could not open a file or a file beside it. */
export function isCannotOpen(cause: unknown): boolean {
  const code = primaryCode(cause);
  return code === sqliteCannotOpen || (code === sqliteReadOnly && sqliteResultCode(cause) !== sqliteReadOnlyRollback);
}

/** Whether the schema needs something that only its application has: a collation, a function, a module. */
export function isForeignSchema(cause: unknown): boolean {
  return primaryCode(cause) === sqliteError;
}

/** Turns a failure of SQLite to read a source into a `source.*` error, or `storage.full` when the copy finds no room. */
export function sqliteSourceError(cause: unknown, path: string): HoldfastError {
  if (sqliteResultCode(cause) === undefined) return sourceError(cause, path);
  const context = { path };
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (sqliteResultCode(cause) === sqliteReadOnlyRollback) {
    const message = `${path}: an interrupted program left a transaction half-written in ${path}-journal`;
    const hint =
      'start and stop the application once (or run `sqlite3 FILE .tables`), so that the transaction is rolled back';
    return new HoldfastError('source.unreadable', { message, hint, context, cause });
  }
  if (isDamaged(cause)) {
    const message = `${path} is damaged, encrypted, or not a SQLite database: ${reason}`;
    return new HoldfastError('source.corrupt', { message, context, cause });
  }
  if (isCannotOpen(cause)) {
    const message = `${path}: ${reason}; SQLite must read it, and where a -wal file stands beside it also write its -shm file`;
    return new HoldfastError('source.unreadable', { message, context, cause });
  }
  if (isBusy(cause))
    return new HoldfastError('source.busy', { message: `${path} is locked by another program`, context, cause });
  if (primaryCode(cause) === sqliteFull) {
    return new HoldfastError('storage.full', { message: `no space for the copy of ${path}`, context, cause });
  }
  const code = primaryCode(cause) === sqliteIoError ? 'source.unreadable' : 'source.corrupt';
  return new HoldfastError(code, { message: `${path}: ${reason}`, context, cause });
}
