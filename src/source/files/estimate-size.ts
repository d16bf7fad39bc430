import { lstat, readdir } from 'node:fs/promises';
import { throwIfAborted } from '../../errors.ts';
import { joinBytes } from '../safe-path.ts';
import { systemCode } from '../system-error.ts';
import { directorySize, noSize } from './read-small-files.ts';
import type { SmallFiles } from './small-files.ts';

/** A look at so many files takes a few seconds; of a larger tree the size is not known. */
const fileLimit = 200_000;
/** Sizes that are asked for at once. */
const sizesAtOnce = 1000;

/**
 * The bytes in a tree, for progress; 0 when it holds too many files to look at first. What cannot be looked at counts
 * nothing here: the reading that follows reports it.
 */
export async function estimateSize(
  root: Buffer,
  exclude: (absolutePath: string) => boolean,
  signal: AbortSignal | undefined,
  smallFiles: SmallFiles,
): Promise<number> {
  const folders: Buffer[] = [root];
  let sizeBytes = 0;
  let fileCount = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    throwIfAborted(signal);
    const names = (await quietly(readdir(folder, { encoding: 'buffer' }))) ?? [];
    fileCount += names.length;
    if (fileCount > fileLimit) return 0;
    smallFiles.see(names.length);
    for (let start = 0; start < names.length; start += sizesAtOnce) {
      throwIfAborted(signal);
      const paths = names
        .slice(start, start + sizesAtOnce)
        .map((name) => joinBytes(folder, name))
        .filter((path) => !exclude(path.toString('utf8')));
      const sizes = await (smallFiles.isWorthIt ? smallFiles.measure(paths, signal) : Promise.all(paths.map(sizeOf)));
      for (const [index, path] of paths.entries()) {
        const size = sizes[index] ?? noSize;
        if (size === directorySize) folders.push(path);
        else sizeBytes += size;
      }
    }
  }
  return sizeBytes;
}

async function sizeOf(path: Buffer): Promise<number> {
  const stats = await quietly(lstat(path));
  if (stats?.isDirectory()) return directorySize;
  return stats?.isFile() ? stats.size : noSize;
}

async function quietly<Value>(look: Promise<Value>): Promise<Value | undefined> {
  try {
    return await look;
  } catch (error) {
    if (systemCode(error) === '') throw error;
    return undefined;
  }
}
