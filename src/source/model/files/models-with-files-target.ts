import { HoldfastError } from '../../../errors.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../../target.ts';

/** Rows whose transaction is ended by `commit` alone. */
export type RowsTarget = RestoreTarget & Required<Pick<RestoreTarget, 'place' | 'phaseOf' | 'rehearse'>>;

/** A tree of files that rows name, on its way. */
export interface TreeTarget {
  /** The tree's path in the archive: `models/<database>/files/<name>`. */
  readonly prefix: string;
  readonly target: RestoreTarget;
}

/** Trees that are read side by side. */
const filesAtOnce = 2;

/**
 * Rows and the files that they name, together or not at all. Files are staged first. At the end rows are checked within their transaction, files are put
 * in place, and the transaction ends: a failure of either takes both back. A process that dies in between leaves files that no row names; the same
 * restore, run again, finds them to be the same, and goes on.
 */
export class ModelsWithFilesTarget implements RestoreTarget {
  readonly parallelEntries = filesAtOnce;
  readonly #models: RowsTarget;
  readonly #trees: readonly TreeTarget[];
  /** Those that have something to restore. */
  #used: readonly TreeTarget[] = [];
  #rows: Promise<unknown> = Promise.resolve();
  #filesStay = false;

  constructor(models: RowsTarget, trees: readonly TreeTarget[]) {
    this.#models = models;
    this.#trees = trees;
  }

  /** Files first: the transaction begins with the first row. */
  phaseOf(entry: RestorableEntry): number {
    return this.#treeOf(entry) === undefined ? this.#models.phaseOf(entry) + 1 : 0;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const change = await this.#models.plan(entries.filter((entry) => this.#treeOf(entry) === undefined));
    const used: TreeTarget[] = [];
    const notes: string[] = [];
    for (const tree of this.#trees) {
      const own = entries.filter((entry) => this.#treeOf(entry) === tree);
      if (own.length === 0) continue;
      used.push(tree);
      notes.push(noteOf(tree, await tree.target.plan(own)));
    }
    this.#used = used;
    return withNotes(change, notes);
  }

  isRehearsed(entry: RestorableEntry): boolean {
    return this.#treeOf(entry) === undefined;
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const tree = this.#treeOf(entry);
    if (tree !== undefined) return await tree.target.stage(entry, bytes);
    // Rows go over one connection, those of one model after the other.
    const before = this.#rows;
    const own = (async () => {
      await before;
      await this.#models.stage(entry, bytes);
    })();
    this.#rows = own.catch(() => undefined);
    await own;
  }

  async rehearse(): Promise<TargetChange> {
    try {
      return await this.#models.rehearse();
    } finally {
      await this.#abortTrees();
    }
  }

  async commit(): Promise<TargetChange> {
    await this.#models.place();
    const notes: string[] = [];
    for (const tree of this.#used) notes.push(noteOf(tree, (await tree.target.place?.()) ?? undefined));
    let change: TargetChange;
    try {
      change = await this.#models.commit();
    } catch (error) {
      if (!mayBeCommitted(error)) throw error;
      // Rows may be there, and then their files are.
      this.#filesStay = true;
      await this.#endTrees();
      throw error;
    }
    this.#filesStay = true;
    return withNotes(change, [...notes, ...(await this.#endTrees())]);
  }

  async abort(): Promise<void> {
    try {
      await this.#models.abort();
    } finally {
      await this.#abortTrees();
    }
  }

  /** What goes wrong here changes nothing of what stands: it is told. */
  async #endTrees(): Promise<string[]> {
    const notes: string[] = [];
    for (const { prefix, target } of this.#used) {
      try {
        await target.commit();
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        notes.push(`${prefix} is in place; what was beside it could not be removed: ${error.message}`);
      }
    }
    return notes;
  }

  async #abortTrees(): Promise<void> {
    if (this.#filesStay) return;
    const errors: unknown[] = [];
    for (const { target } of this.#trees) {
      try {
        await target.abort();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #treeOf({ path }: RestorableEntry): TreeTarget | undefined {
    return this.#trees.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
  }
}

/** Whether a transaction whose end failed may have been kept: the connection broke before the answer, or the failure came after it. */
function mayBeCommitted(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return true;
  const { isCommitted, number } = error.context;
  // The numbers of MySQL's own errors are positive.
  return isCommitted === true || error.code === 'storage.unavailable' || (typeof number === 'number' && number <= 0);
}

function noteOf({ prefix }: TreeTarget, change: TargetChange | undefined): string {
  if (change === undefined) return prefix;
  const before = change.undo === undefined ? '' : `; what it replaces is kept in ${change.undo}`;
  return `${prefix} goes to ${change.target}${before}`;
}

function withNotes(change: TargetChange, more: readonly string[]): TargetChange {
  const notes = [...(change.notes ?? []), ...more];
  return notes.length === 0 ? change : { ...change, notes };
}
