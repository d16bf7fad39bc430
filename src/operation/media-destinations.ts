import type { IndexEntry } from '../archive/entry/entry.ts';
import { HoldfastError } from '../errors.ts';
import type { MediaDestination } from './options.ts';

const filesPath = /^(?:models\/[^/]+\/)?files\/([^/]+)(?:\/|$)/;

/** Names of the trees of files that entries belong to. */
export function treeNames(entries: readonly IndexEntry[]): Set<string> {
  return new Set(entries.map(({ path }) => filesPath.exec(path)?.[1]).filter((name) => name !== undefined));
}

/**
 * Which tree goes to which media storage. Storages for trees of the archive (`known`) that were not chosen this time are passed over. Throws
 * `usage.invalid` for one that no tree goes to, and for two of a tree.
 */
export function mediaDestinations(
  given: readonly MediaDestination[],
  names: ReadonlySet<string>,
  known: ReadonlySet<string>,
): Map<string, MediaDestination> {
  const found = new Map<string, MediaDestination>();
  for (const destination of given) {
    const tree = destination.tree ?? treeOf(destination, known);
    if (tree === undefined || !known.has(tree)) {
      throw new HoldfastError('usage.invalid', {
        message: `no tree of files ${tree ?? destination.label} is to be restored`,
        hint: `name each: --media-to tree=name (trees: ${[...known].join(', ') || 'none'})`,
      });
    }
    if (found.has(tree)) throw new HoldfastError('usage.invalid', { message: `the tree ${tree} has two targets` });
    if (names.has(tree)) found.set(tree, destination);
  }
  return found;
}

function treeOf({ label }: MediaDestination, known: ReadonlySet<string>): string | undefined {
  if (known.has(label)) return label;
  return known.size === 1 ? [...known][0] : undefined;
}
