import type { IndexEntry } from './entry/entry.ts';

/** A group is worth the start of its reading ahead. */
const leastGroupBytes = 4 * 1024 * 1024;
/** Groups for each that reads, so that all end at about the same time. */
const groupsEach = 4;

/**
 * Cuts entries, which are in the order of the archive, into groups that are read with a reader of segments each, `atOnce` of them side by side.
 * An entry of several runs has others between, which are not read for it: it is a group of its own.
 */
export function readGroups(entries: readonly IndexEntry[], atOnce: number): (readonly IndexEntry[])[] {
  const totalBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const wantedBytes = atOnce === 1 ? totalBytes + 1 : Math.max(leastGroupBytes, totalBytes / (groupsEach * atOnce));
  const groups: (readonly IndexEntry[])[] = [];
  let open: IndexEntry[] = [];
  let openBytes = 0;
  for (const entry of entries) {
    if (entry.runs.length > 1) {
      groups.push([entry]);
      continue;
    }
    if (open.length === 0) groups.push(open);
    open.push(entry);
    openBytes += entry.sizeBytes;
    if (openBytes < wantedBytes) continue;
    open = [];
    openBytes = 0;
  }
  return groups;
}
