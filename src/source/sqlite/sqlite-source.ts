import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, open, rm, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { ReadableBytes } from '../readable-bytes.ts';
import type { EntryBytes, EntryMetadata, Source, SourceContext, SourceDescription, SourceEntry } from '../source.ts';
import { sourceError } from '../system-error.ts';
import { inspectDatabase } from './inspect.ts';
import type { DatabaseContents } from './inspect-database.ts';
import { backUpOnline } from './online-backup.ts';
import { readHeader } from './read-header.ts';
import { isDamaged, isNotADatabase, sqliteSourceError } from './sqlite-error.ts';

/** What a {@link SqliteSource} reads. */
export interface SqliteSourceOptions {
  /** Path of the database file. */
  readonly path: string;
  /** The name under `databases/`; the file's name without extension unless set. */
  readonly name?: string;
  /** How long locks of other programs are waited for; 60,000 unless set. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/**
 * A SQLite database, in use or not: one entry, a whole database file, checked, with the rows of its tables counted.
 *
 * @example new SqliteSource({ path: 'data/app.db' }).name // 'app'
 */
export class SqliteSource implements Source {
  readonly name: string;
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  #copyPath: string | undefined;

  constructor(options: SqliteSourceOptions) {
    this.#path = resolve(options.path);
    this.name = options.name ?? basename(this.#path, extname(this.#path));
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#clock = options.clock ?? systemClock;
    if (this.name === '' || this.name === '.' || this.name === '..' || /[/\0]/.test(this.name)) {
      throw new HoldfastError('usage.invalid', {
        message: `${JSON.stringify(this.name)} is not a name for a database`,
      });
    }
  }

  async describe(context: SourceContext): Promise<SourceDescription> {
    throwIfAborted(context.signal);
    return { type: 'sqlite', label: this.#path, expectedSizeBytes: await this.#checkHeader() };
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    throwIfAborted(context.signal);
    await this.#checkHeader();
    // The folder serves all sources of a run, and their names may be alike.
    const copyName = `sqlite-${createHash('sha256').update(this.#path).digest('hex').slice(0, 16)}.copy`;
    const copyPath = join(context.temporaryFolder, copyName);
    this.#copyPath = copyPath;
    try {
      const options = { sourcePath: this.#path, copyPath, timeoutMs: this.#timeoutMs, clock: this.#clock };
      await backUpOnline({ ...options, signal: context.signal });
      yield* this.#copyEntry(copyPath, context);
    } finally {
      await this.close();
    }
  }

  /** The copy is checked while it is read: its entry ends well only when it is sound. */
  async *#copyEntry(copyPath: string, context: SourceContext): AsyncGenerator<SourceEntry> {
    const stop = new AbortController();
    const signal = context.signal === undefined ? stop.signal : AbortSignal.any([context.signal, stop.signal]);
    const inspecting = this.#inspect(copyPath, signal);
    inspecting.catch(() => undefined);
    let metadata: EntryMetadata = {};
    try {
      const handle = await open(copyPath, 'r');
      try {
        yield {
          path: `databases/${this.name}/database.sqlite`,
          kind: 'sqlite',
          expectedSizeBytes: (await handle.stat()).size,
          get metadata() {
            return metadata;
          },
          open: (openSignal) =>
            bytesOf(handle, openSignal, async () => {
              metadata = this.#metadata(await inspecting);
            }),
        };
      } finally {
        await handle.close();
      }
    } finally {
      stop.abort();
    }
  }

  async close(): Promise<void> {
    const copyPath = this.#copyPath;
    if (copyPath === undefined) return;
    for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(`${copyPath}${suffix}`, { force: true });
    this.#copyPath = undefined;
  }

  #metadata(contents: DatabaseContents): EntryMetadata {
    const tables = contents.tables.map(({ name, rows }) => ({ name, rows }));
    return { source: this.#path, engine: 'sqlite', engineVersion: contents.engineVersion, tables, rows: contents.rows };
  }

  /** Checks that the file begins as a database does, and returns its size. */
  async #checkHeader(): Promise<number> {
    const corrupt = (message: string, cause?: unknown) =>
      new HoldfastError('source.corrupt', {
        message: `${this.#path} ${message}`,
        context: { path: this.#path },
        cause,
      });
    let sizeBytes: number;
    try {
      const stats = await stat(this.#path);
      if (!stats.isFile()) throw corrupt('is not a file');
      await access(this.#path, constants.R_OK);
      sizeBytes = stats.size;
    } catch (error) {
      throw sourceError(error, this.#path);
    }
    if (sizeBytes === 0) throw corrupt('is an empty file, not a SQLite database');
    try {
      readHeader(this.#path);
    } catch (error) {
      // Damage behind the header is for the check of the copy to tell: a database in use may look torn from outside its locks.
      if (isNotADatabase(error)) throw corrupt('is not a SQLite database, or is encrypted', error);
      if (!isDamaged(error)) throw sqliteSourceError(error, this.#path);
    }
    return sizeBytes;
  }

  async #inspect(copyPath: string, signal: AbortSignal | undefined): Promise<DatabaseContents> {
    let contents: DatabaseContents;
    try {
      contents = await inspectDatabase(copyPath, signal);
    } catch (error) {
      throw sqliteSourceError(error, this.#path);
    }
    if (contents.faults.length > 0) {
      const message = `${this.#path} fails its integrity check: ${contents.faults.join('; ')}`;
      throw new HoldfastError('source.corrupt', { message, context: { path: this.#path, faults: contents.faults } });
    }
    return contents;
  }
}

/** All of a file, from its start. `onEnd` may throw: the bytes then do not end well. */
function bytesOf(handle: FileHandle, signal: AbortSignal | undefined, onEnd: () => Promise<void>): EntryBytes {
  return new ReadableBytes(async (into) => {
    throwIfAborted(signal);
    const { bytesRead } = await handle.read(into, 0, into.length, null);
    if (bytesRead === 0) await onEnd();
    return bytesRead;
  });
}
