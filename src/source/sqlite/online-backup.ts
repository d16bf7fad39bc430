import type { BigIntStats } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { backup, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { Clock } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { statsIfThere } from '../staging.ts';
import { isBusy, isCannotOpen, sqliteSourceError } from './sqlite-error.ts';

/** Pages in one step: all, so that one read transaction sees the whole and no writer makes the copy start again. */
const allPages = 2_147_483_647;
/** How long SQLite itself waits for a lock before an abort or the end of the time is looked at. */
const lockWaitMs = 250;

/** What a copy needs to know. */
export interface OnlineBackupOptions {
  readonly sourcePath: string;
  readonly copyPath: string;
  /** How long locks of other programs are waited for. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Copies a live database with SQLite's online backup: one transaction's state, the content of a -wal file included.
 * The source is read through SQLite's own locks, and not written. Throws `source.busy` at the end of the time, `source.corrupt`,
 * `source.unreadable`, `operation.interrupted`.
 */
export async function backUpOnline(options: OnlineBackupOptions): Promise<void> {
  const { sourcePath, clock, signal } = options;
  const startMs = clock.monotonicMs();
  for (;;) {
    throwIfAborted(signal);
    try {
      await copyOnce(options);
      return;
    } catch (error) {
      if (!isBusy(error) || clock.monotonicMs() - startMs >= options.timeoutMs)
        throw sqliteSourceError(error, sourcePath);
      await rm(options.copyPath, { force: true });
    }
  }
}

async function copyOnce(options: OnlineBackupOptions): Promise<void> {
  const { sourcePath, copyPath, signal } = options;
  const hadWal = (await statsIfThere(`${sourcePath}-wal`)) !== undefined;
  const hadShm = (await statsIfThere(`${sourcePath}-shm`)) !== undefined;
  try {
    await copyFrom(sourcePath, copyPath, signal);
  } catch (error) {
    // A read-only folder has no room for the -shm file of a WAL database. Without a -wal file nobody writes, and none is needed.
    if (hadWal || hadShm || !isCannotOpen(error)) throw error;
    await copyUnchanging(sourcePath, copyPath, signal, error);
    return;
  }
  if (!hadWal && !hadShm) await removeEmptyWal(sourcePath);
}

/** Runs one backup; after an abort it fails at once, and the copy under way ends by itself. */
async function copyFrom(source: string | URL, copyPath: string, signal: AbortSignal | undefined): Promise<void> {
  const database = new DatabaseSync(source, {
    readOnly: true,
    timeout: lockWaitMs,
    enableDoubleQuotedStringLiterals: true,
  });
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new HoldfastError('operation.interrupted', { cause: signal?.reason }));
  signal?.addEventListener('abort', onAbort, { once: true });
  const copied = backup(database, copyPath, { rate: allPages }).finally(() => database.close());
  try {
    await Promise.race([copied, aborted]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function isSame(before: BigIntStats, after: BigIntStats): boolean {
  return (
    before.ino === after.ino &&
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs
  );
}

async function copyUnchanging(
  sourcePath: string,
  copyPath: string,
  signal: AbortSignal | undefined,
  why: unknown,
): Promise<void> {
  const before = await stat(sourcePath, { bigint: true });
  await copyFrom(new URL(`${pathToFileURL(sourcePath).href}?immutable=1`), copyPath, signal);
  const after = await stat(sourcePath, { bigint: true });
  if (isSame(before, after) && (await statsIfThere(`${sourcePath}-wal`)) === undefined) return;
  const message = `${sourcePath} was written while it was copied, in a folder where its -shm file cannot be made`;
  throw new HoldfastError('source.busy', { message, context: { path: sourcePath }, cause: why });
}

/**
 * A reader that may not write leaves the empty -wal and -shm files that SQLite made for it. A connection that may write, and
 * that is the last one, has SQLite remove them; when another program is there by now, they stay, as they are its own.
 */
async function removeEmptyWal(sourcePath: string): Promise<void> {
  const wal = await statsIfThere(`${sourcePath}-wal`);
  if (wal === undefined || wal.size > 0) return;
  const database = new DatabaseSync(sourcePath, { timeout: lockWaitMs, enableDoubleQuotedStringLiterals: true });
  try {
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
  } catch (error) {
    // Left behind, they hold nothing and hurt nobody.
    if (!isBusy(error) && !isCannotOpen(error)) throw error;
  } finally {
    database.close();
  }
}
