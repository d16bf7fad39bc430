import { mkdir, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { partialPath, removeStalePartials, statsIfThere, undoPath } from '../staging.ts';
import { targetError } from '../system-error.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { foldJournals, probeUse } from './fold-journals.ts';
import { realPlace } from './real-place.ts';
import { dressAs, stageDatabase } from './stage-database.ts';
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
      await stageDatabase(entry, bytes, { path, clock: this.#clock });
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
      await dressAs(staged.path, old);
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
}
