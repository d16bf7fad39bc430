import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../../clock.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { partialPath, removeStalePartials, statsIfThere, undoPath } from '../staging.ts';
import { targetError } from '../system-error.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { archivedTables } from './archived-tables.ts';
import type { CopyAnswer, CopyRequest } from './copy-tables-worker.ts';
import { realPlace } from './real-place.ts';
import { isBusyCode, sqliteResultCode } from './sqlite-error.ts';
import type { SqliteTargetOptions } from './sqlite-target.ts';
import { dressAs, stageDatabase } from './stage-database.ts';
import { sidecars } from './swap-database.ts';

/** Long enough for a transaction under way to end. */
const lockWaitMs = 5_000;

/** Which tables go where. */
export interface SqliteTablesTargetOptions extends SqliteTargetOptions {
  readonly tables: readonly string[];
}

/**
 * Single tables of an archived SQLite database: the archived file is staged beside the target and checked, then the tables are copied
 * into the target in one transaction, with their indexes and triggers. The application may go on. A target that is not there is
 * made of these tables alone. The undo is the whole database as it was.
 */
export class SqliteTablesTarget implements RestoreTarget {
  readonly #path: string;
  readonly #tables: readonly string[];
  readonly #overwrite: boolean;
  readonly #keepUndo: boolean;
  readonly #clock: Clock;
  readonly #random: Random;
  #staged: { readonly path: string; readonly place: string } | undefined;
  #fresh: string | undefined;
  #undo: string | undefined;

  constructor(options: SqliteTablesTargetOptions) {
    this.#path = resolve(options.path);
    this.#tables = options.tables;
    this.#overwrite = options.overwrite ?? false;
    this.#keepUndo = options.keepUndo ?? true;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const [entry] = entries;
    if (entries.length !== 1 || entry?.kind !== 'sqlite') throw this.#onlyOne();
    const known = new Set(archivedTables(entry).map(({ name }) => name));
    const missing = this.#tables.find((name) => !known.has(name));
    if (missing !== undefined) {
      throw new HoldfastError('archive.entry_not_found', { message: `${entry.path} has no table ${missing}` });
    }
    const place = await realPlace(this.#path);
    const change = await this.#change(place);
    if (change.action === 'merge' && !this.#overwrite) this.#refuseExisting(place);
    return change;
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#staged !== undefined || entry.kind !== 'sqlite') throw this.#onlyOne();
    const place = await realPlace(this.#path);
    try {
      await mkdir(dirname(place), { recursive: true });
      await removeStalePartials(place, this.#clock);
      this.#staged = { path: partialPath(place, this.#random), place };
      await stageDatabase(entry, bytes, { path: this.#staged.path, clock: this.#clock });
    } catch (error) {
      await this.abort();
      throw targetError(error, this.#path);
    }
  }

  async commit(): Promise<TargetChange> {
    if (this.#staged === undefined) {
      throw new HoldfastError('target.invalid', { message: `nothing was staged for ${this.#path}` });
    }
    const { path, place } = this.#staged;
    try {
      const change = await this.#change(place);
      if (change.action === 'create') await this.#create(path, place);
      else await this.#merge(path, place, change.undo);
      await this.abort();
      return change;
    } catch (error) {
      throw targetError(error, this.#path);
    }
  }

  async abort(): Promise<void> {
    for (const path of [this.#staged?.path, this.#fresh]) {
      if (path !== undefined) await removeDatabase(path);
    }
    this.#staged = undefined;
    this.#fresh = undefined;
  }

  async #change(place: string): Promise<TargetChange> {
    const target = this.#path;
    if ((await statsIfThere(place)) === undefined) return { target, action: 'create' };
    if (!this.#keepUndo) return { target, action: 'merge' };
    this.#undo ??= await undoPath(place, this.#clock);
    return { target, action: 'merge', undo: this.#undo };
  }

  /** The commit refuses them too; here it is told before the work. */
  #refuseExisting(place: string): void {
    try {
      using database = new DatabaseSync(place, { readOnly: true, timeout: lockWaitMs });
      const find = database.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?');
      const found = this.#tables.find((name) => find.get(name) !== undefined);
      if (found === undefined) return;
      throw new HoldfastError('target.exists', { message: `${this.#path}: the table ${found} exists` });
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw this.#failure({ done: false, message: String(error), code: sqliteResultCode(error) });
    }
  }

  async #create(from: string, place: string): Promise<void> {
    this.#fresh = partialPath(place, this.#random);
    await this.#copy({ from, into: this.#fresh });
    await dressAs(this.#fresh, undefined);
    await rename(this.#fresh, place);
    await syncFolder(dirname(place));
  }

  async #merge(from: string, place: string, undo: string | undefined): Promise<void> {
    // A copy that was not finished must not be taken for what an undo brings back: it gets its name when it is whole.
    if (undo !== undefined) this.#fresh = partialPath(place, this.#random);
    const kept = undo === undefined || this.#fresh === undefined ? undefined : { path: undo, partial: this.#fresh };
    try {
      await this.#copy({ from, into: place, undo: kept });
    } catch (error) {
      if (undo !== undefined) await rm(undo, { force: true });
      throw error;
    }
  }

  async #copy(request: Pick<CopyRequest, 'from' | 'into' | 'undo'>): Promise<void> {
    const script = new URL(`./copy-tables-worker${extname(import.meta.url)}`, import.meta.url);
    const workerData: CopyRequest = { ...request, tables: this.#tables, overwrite: this.#overwrite, lockWaitMs };
    // The flags of the process may be such as a thread refuses.
    const worker = new Worker(script, { workerData, execArgv: [] });
    const { promise, resolve: onAnswer, reject } = Promise.withResolvers<CopyAnswer>();
    worker.once('message', onAnswer);
    worker.once('error', reject);
    worker.once('exit', () =>
      reject(new HoldfastError('operation.failed', { message: 'the thread that copies tables ended early' })),
    );
    try {
      const answer = await promise;
      if (!answer.done) throw this.#failure(answer);
    } finally {
      await worker.terminate();
    }
  }

  #failure({ code, message }: Extract<CopyAnswer, { done: false }>): HoldfastError {
    if (typeof code === 'string') return new HoldfastError(code, { message: `${this.#path}: ${message}` });
    if (code !== undefined && isBusyCode(code)) {
      return new HoldfastError('target.busy', { message: `${this.#path} is locked by another program` });
    }
    return new HoldfastError('target.invalid', { message: `${this.#path}: ${message}` });
  }

  #onlyOne(): HoldfastError {
    const message = `${this.#path} takes tables of exactly one entry of the kind sqlite`;
    return new HoldfastError('target.invalid', { message });
  }
}

async function removeDatabase(path: string): Promise<void> {
  for (const suffix of ['', ...sidecars]) await rm(`${path}${suffix}`, { force: true });
}
