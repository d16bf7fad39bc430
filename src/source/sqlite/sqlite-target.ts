import type { Stats } from 'node:fs';
import { type FileHandle, mkdir, open, rm, utimes } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import type { JsonValue } from '../source.ts';
import { heartbeatMs, partialPath, removeStalePartials, statsIfThere, undoPath } from '../staging.ts';
import { targetError } from '../system-error.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { foldJournals, probeUse } from './fold-journals.ts';
import { inspectDatabase } from './inspect.ts';
import { realPlace } from './real-place.ts';
import { sqliteResultCode } from './sqlite-error.ts';
import { sidecars, swapDatabase } from './swap-database.ts';

/** Where a database goes. */
export interface SqliteTargetOptions {
  readonly path: string;
  /** Lets a database that is there be replaced; false unless set. */
  readonly overwrite?: boolean;
  /** Keeps what is replaced beside it; true unless set. */
  readonly keepUndo?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * A SQLite database to be restored: checked in full before it takes the place of what is there, by one rename.
 * The application that uses it should be stopped: an open connection in rollback mode holds no lock that would show it.
 */
export class SqliteTarget implements RestoreTarget {
  readonly #path: string;
  readonly #overwrite: boolean;
  readonly #keepUndo: boolean;
  readonly #clock: Clock;
  readonly #random: Random;
  #staged: { readonly path: string; readonly place: string; readonly undo: string } | undefined;
  #undo: string | undefined;

  constructor(options: SqliteTargetOptions) {
    this.#path = resolve(options.path);
    this.#overwrite = options.overwrite ?? false;
    this.#keepUndo = options.keepUndo ?? true;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const [entry] = entries;
    if (entries.length !== 1 || entry?.kind !== 'sqlite') {
      const message = `${this.#path} takes exactly one entry of the kind sqlite`;
      throw new HoldfastError('target.invalid', {
        message,
        context: { paths: entries.map(({ path }) => path).slice(0, 3) },
      });
    }
    const place = await realPlace(this.#path);
    const found = await this.#whatIsThere(place);
    if (found.length === 0) return { target: this.#path, action: 'create' };
    if (!this.#overwrite) {
      throw new HoldfastError('target.exists', { message: `${found[0]} exists`, context: { path: found[0] } });
    }
    if (found[0] === place) probeUse(place);
    return { target: this.#path, action: 'replace', ...(this.#keepUndo ? { undo: await this.#undoFor(place) } : {}) };
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#staged !== undefined || entry.kind !== 'sqlite') {
      throw new HoldfastError('target.invalid', {
        message: `${this.#path} takes exactly one entry of the kind sqlite`,
      });
    }
    const place = await realPlace(this.#path);
    try {
      await mkdir(dirname(place), { recursive: true });
      await removeStalePartials(place, this.#clock);
      const path = partialPath(place, this.#random);
      this.#staged = { path, place, undo: await this.#undoFor(place) };
      const handle = await open(path, 'wx+', 0o600);
      try {
        await this.#write(entry, handle, path, bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await this.#check(entry, path);
    } catch (error) {
      await this.abort();
      throw targetError(error, this.#path);
    }
  }

  async commit(): Promise<TargetChange> {
    const staged = this.#staged;
    if (staged === undefined)
      throw new HoldfastError('target.invalid', { message: `nothing was staged for ${this.#path}` });
    try {
      const found = await this.#whatIsThere(staged.place);
      if (found.length > 0 && !this.#overwrite) {
        throw new HoldfastError('target.exists', { message: `${found[0]} exists`, context: { path: found[0] } });
      }
      const old = await statsIfThere(staged.place);
      await this.#dress(staged.path, old);
      if (old !== undefined) foldJournals(staged.place);
      const undo = await swapDatabase({ ...staged, replaces: old !== undefined, keepUndo: this.#keepUndo });
      this.#staged = undefined;
      if (found.length === 0) return { target: this.#path, action: 'create' };
      return { target: this.#path, action: 'replace', ...(undo ? { undo: staged.undo } : {}) };
    } catch (error) {
      throw targetError(error, this.#path);
    }
  }

  async abort(): Promise<void> {
    if (this.#staged === undefined) return;
    await rm(this.#staged.path, { force: true });
    this.#staged = undefined;
  }

  async #undoFor(place: string): Promise<string> {
    this.#undo ??= await undoPath(place, this.#clock);
    return this.#undo;
  }

  /** The database and the files beside it that SQLite would apply to a new one. Throws `target.exists` for what is no file. */
  async #whatIsThere(place: string): Promise<string[]> {
    const found: string[] = [];
    for (const suffix of ['', ...sidecars]) {
      const stats = await statsIfThere(`${place}${suffix}`);
      if (stats === undefined) continue;
      if (!stats.isFile())
        throw new HoldfastError('target.exists', { message: `${place}${suffix} is there and is not a file` });
      found.push(`${place}${suffix}`);
    }
    return found;
  }

  async #write(
    entry: RestorableEntry,
    handle: FileHandle,
    path: string,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    let sizeBytes = 0;
    let beatMs = this.#clock.monotonicMs();
    for await (const chunk of bytes) {
      for (let done = 0; done < chunk.length; )
        done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten;
      sizeBytes += chunk.length;
      beatMs = this.#clock.monotonicMs() - beatMs < heartbeatMs ? beatMs : await this.#beat(path);
    }
    if (sizeBytes !== entry.sizeBytes) {
      const message = `${entry.path} has ${sizeBytes} bytes where the index tells of ${entry.sizeBytes}`;
      throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
    }
  }

  /** Tells other restores that this one is at work. */
  async #beat(path: string): Promise<number> {
    const seconds = this.#clock.nowMs() / 1000;
    await utimes(path, seconds, seconds);
    return this.#clock.monotonicMs();
  }

  /** Checks the database that was staged: whole, and with the rows that were counted when it was backed up. */
  async #check(entry: RestorableEntry, path: string): Promise<void> {
    const invalid = (message: string, cause?: unknown) =>
      new HoldfastError('target.invalid', {
        message: `${entry.path}: ${message}`,
        context: { path: entry.path },
        cause,
      });
    const contents = await inspectDatabase(path).catch((error: unknown) => {
      throw sqliteResultCode(error) === undefined ? error : invalid(error instanceof Error ? error.message : '', error);
    });
    if (contents.faults.length > 0) throw invalid(`the integrity check fails: ${contents.faults.join('; ')}`);
    const counted = new Map(contents.tables.map(({ name, rows }) => [name, rows]));
    for (const { name, rows } of expectedTables(entry.metadata['tables'])) {
      const found = counted.get(name);
      if (contents.uncounted.includes(name)) continue;
      if (found !== rows) throw invalid(`table ${name} has ${found ?? 'no'} rows where ${rows} were backed up`);
    }
    const rows = entry.metadata['rows'];
    if (contents.uncounted.length > 0 || typeof rows !== 'number' || rows === contents.rows) return;
    throw invalid(`${contents.rows} rows where ${rows} were backed up`);
  }

  /** Gives the staged file the mode and, where it may, the owner of what it replaces. */
  async #dress(path: string, old: Stats | undefined): Promise<void> {
    const handle = await open(path, 'r+');
    try {
      if (old !== undefined && process.getuid?.() === 0) await handle.chown(old.uid, old.gid);
      await handle.chmod(old === undefined ? 0o644 & ~process.umask() : old.mode & 0o777);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

function expectedTables(value: JsonValue | undefined): { readonly name: string; readonly rows: number }[] {
  const tables: { name: string; rows: number }[] = [];
  for (const table of Array.isArray(value) ? value : []) {
    const { name, rows } = table as { readonly name?: unknown; readonly rows?: unknown };
    if (typeof name === 'string' && typeof rows === 'number') tables.push({ name, rows });
  }
  return tables;
}
