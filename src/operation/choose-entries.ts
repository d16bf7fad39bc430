import picomatch from 'picomatch';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { HoldfastError } from '../errors.ts';
import { archivedTables } from '../source/sqlite/archived-tables.ts';

/** What globs choose. */
export interface Choice {
  readonly entries: readonly IndexEntry[];
  /** Where only tables of an entry were chosen, which. */
  readonly tables: ReadonlyMap<IndexEntry, readonly string[]>;
}

/** A model is chosen by its name, too. */
function isModel({ kind, metadata }: IndexEntry, matches: (name: string) => boolean): boolean {
  const { model } = metadata;
  return kind === 'model' && typeof model === 'string' && matches(model);
}

/**
 * The entries whose path is one of the globs or matches one; all without globs. A table of a SQLite database, which is one entry with
 * all its tables, has a path too, and a model is chosen by its name as well. Throws `archive.entry_not_found` where a glob matches none, `usage.invalid` for an empty one.
 */
export function chooseEntries(entries: readonly IndexEntry[], globs: readonly string[] | undefined): Choice {
  if (globs === undefined || globs.length === 0) return { entries: [...entries], tables: new Map() };
  const whole = new Set<IndexEntry>();
  const tables = new Map<IndexEntry, Set<string>>();
  for (const glob of globs) {
    if (glob === '') throw new HoldfastError('usage.invalid', { message: 'a glob on entries is empty' });
    // Hidden files are files like any other to a backup.
    const isMatch = picomatch(glob, { dot: true });
    const matches = (path: string) => path === glob || isMatch(path);
    let found = false;
    for (const entry of entries) {
      if (matches(entry.path) || isModel(entry, matches)) {
        whole.add(entry);
        found = true;
        continue;
      }
      for (const { name } of archivedTables(entry).filter(({ path }) => matches(path))) {
        tables.set(entry, (tables.get(entry) ?? new Set()).add(name));
        found = true;
      }
    }
    if (!found) {
      throw new HoldfastError('archive.entry_not_found', { message: `no entry matches ${glob}`, context: { glob } });
    }
  }
  const isInPart = (entry: IndexEntry) => tables.has(entry) && !whole.has(entry);
  return {
    entries: entries.filter((entry) => whole.has(entry) || tables.has(entry)),
    tables: new Map([...tables].filter(([entry]) => isInPart(entry)).map(([entry, names]) => [entry, [...names]])),
  };
}
