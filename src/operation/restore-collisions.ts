import type { IndexEntry } from '../archive/entry/entry.ts';
import { HoldfastError } from '../errors.ts';
import type { TargetGroup } from './restore-targets.ts';

/** Where an entry of a tree goes: bytes as Latin-1, since two names that are not UTF-8 may read alike. */
function fileKey({ place, prefix }: TargetGroup, entry: IndexEntry): string {
  const below = Buffer.from(entry.pathBytes ?? Buffer.from(entry.path)).subarray(Buffer.byteLength(prefix));
  return Buffer.from(place).toString('latin1') + below.toString('latin1');
}

const isNoFolder = ({ kind }: IndexEntry) => kind !== 'directory';

/**
 * What rows name comes with the rows: a tree that holds it as well, and goes to the same place, is restored without it. Refuses what else would put two
 * things in one place: the later one would replace the earlier, or fail after it stands.
 */
export function withoutCollisions(groups: readonly TargetGroup[]): readonly TargetGroup[] {
  const taken = new Set<string>();
  const claim = (key: string, shown: string) => {
    if (taken.has(key)) {
      throw new HoldfastError('usage.invalid', {
        message: `two of what is to be restored have the same place: ${shown}`,
        hint: 'give each another target, or choose entries with --only',
      });
    }
    taken.add(key);
  };
  for (const tree of groups.flatMap(({ trees = [] }) => trees)) {
    for (const entry of tree.entries.filter(isNoFolder)) claim(fileKey(tree, entry), entry.path);
  }
  const ofRows = new Set(taken);
  return groups.map((group) => {
    if (group.kind !== 'files' && group.kind !== 'media') {
      claim(Buffer.from(group.place).toString('latin1'), group.place);
      return group;
    }
    const entries = group.entries.filter((entry) => !isNoFolder(entry) || !ofRows.has(fileKey(group, entry)));
    for (const entry of entries.filter(isNoFolder)) claim(fileKey(group, entry), entry.path);
    return { ...group, entries };
  });
}
