import picomatch from 'picomatch';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { HoldfastError } from '../errors.ts';

/**
 * The entries whose path is one of the globs or matches one; all without globs. Throws `archive.entry_not_found` where a glob matches none,
 * `usage.invalid` for an empty one.
 */
export function chooseEntries(entries: readonly IndexEntry[], globs: readonly string[] | undefined): IndexEntry[] {
  if (globs === undefined || globs.length === 0) return [...entries];
  const chosen = new Set<IndexEntry>();
  for (const glob of globs) {
    if (glob === '') throw new HoldfastError('usage.invalid', { message: 'a glob on entries is empty' });
    // Hidden files are files like any other to a backup.
    const matches = picomatch(glob, { dot: true });
    const found = entries.filter((entry) => entry.path === glob || matches(entry.path));
    if (found.length === 0) {
      throw new HoldfastError('archive.entry_not_found', { message: `no entry matches ${glob}`, context: { glob } });
    }
    for (const entry of found) chosen.add(entry);
  }
  return entries.filter((entry) => chosen.has(entry));
}
