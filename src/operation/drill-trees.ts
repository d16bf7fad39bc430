/** Where the trees of files of an archive go in a drill. */
import { join } from 'node:path';
import type { IndexEntry } from '../archive/entry/entry.ts';
import type { ArchivedTree } from './compare-files.ts';

const treePath = /^(?:models\/[^/]+\/)?files\/([^/]+)/;

/** Trees that go to one folder: that which rows name comes first, as a restore takes it. */
export interface DrilledTrees {
  readonly folder: string;
  readonly trees: readonly ArchivedTree[];
}

/**
 * The folders below `parent` that trees go to. Trees of one name that came from one folder share it, as they did; those of another folder, or of a media
 * storage, get one of their own.
 */
export function placeTrees(entries: readonly IndexEntry[], parent: string): DrilledTrees[] {
  const byPrefix = Map.groupBy(entries, ({ path }) => treePath.exec(path)?.[0] ?? path);
  const ofRowsFirst = [...byPrefix].toSorted(([a], [b]) => Number(isOfRows(b)) - Number(isOfRows(a)));
  const taken = new Map<string, { readonly source: unknown; readonly trees: ArchivedTree[] }>();
  for (const [prefix, own] of ofRowsFirst) {
    const name = treePath.exec(prefix)?.[1] ?? prefix;
    const source = own.find(({ path }) => path === prefix)?.metadata['source'];
    let folder = name;
    for (let number = 2; !isFree(taken.get(folder), source); number++) folder = `${name}-${number}`;
    const known = taken.get(folder) ?? { source, trees: [] };
    taken.set(folder, known);
    known.trees.push({ prefix, entries: own });
  }
  return [...taken].map(([folder, { trees }]) => ({ folder: join(parent, folder), trees }));
}

function isFree(known: { readonly source: unknown } | undefined, source: unknown): boolean {
  return known === undefined || (source !== undefined && known.source === source);
}

function isOfRows(prefix: string): boolean {
  return prefix.startsWith('models/');
}
