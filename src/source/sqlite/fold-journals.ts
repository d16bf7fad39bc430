import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../errors.ts';
import { readHeader } from './read-header.ts';
import { isBusy, isDamaged, isNotADatabase } from './sqlite-error.ts';

/** Long enough for a commit under way to end; an application that stays connected is told of, not waited for. */
const lockWaitMs = 500;

/**
 * Whether SQLite takes the file for a database. Where it does not, opening it for writing would make SQLite delete the -wal and
 * -journal files beside it, which may be all that is left of one.
 */
function isDatabase(path: string): boolean {
  if (statSync(path).size === 0) return false;
  try {
    readHeader(path);
    return true;
  } catch (error) {
    if (isNotADatabase(error)) return false;
    if (isDamaged(error)) return true;
    throw failure(path, error);
  }
}

function failure(path: string, error: unknown): HoldfastError {
  const message = isBusy(error) ? `${path} is in use by another program` : `${path}: ${String(error)}`;
  return new HoldfastError(isBusy(error) ? 'target.busy' : 'storage.failed', {
    message,
    context: { path },
    cause: error,
  });
}

/**
 * Takes a database for itself alone for a moment, which has SQLite fold a -wal or -journal file into it, and remove it; what it
 * contains stays the same. Throws `target.busy` where another connection is seen: a writer, or in WAL mode any.
 * What is too damaged to be opened keeps the files beside it.
 */
export function foldJournals(path: string): void {
  if (!isDatabase(path)) return;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: lockWaitMs, enableDoubleQuotedStringLiterals: true });
    // In WAL mode BEGIN EXCLUSIVE passes beside idle connections; the exclusive locking mode does not.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    database.exec('BEGIN EXCLUSIVE');
    database.exec('ROLLBACK');
    database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  } catch (error) {
    if (!isDamaged(error)) throw failure(path, error);
  } finally {
    database?.close();
  }
}

/**
 * Throws `target.busy` as {@link foldJournals} does, for a plan, which writes nothing: journals that no program seems to hold are
 * left for the commit. A -wal file with a -shm file beside it may be held; if it is not, SQLite folds it here.
 */
export function probeUse(path: string): void {
  const isLeftOver = existsSync(`${path}-wal`) || existsSync(`${path}-journal`);
  if (isLeftOver && !existsSync(`${path}-shm`)) return;
  foldJournals(path);
}
