import { lstat, readdir } from 'node:fs/promises';
import { throwIfAborted } from '../../errors.ts';
import { joinBytes } from '../safe-path.ts';
import { systemCode } from '../system-error.ts';

/** A look at so many files takes a few seconds; of a larger tree the size is not known. */
const fileLimit = 200_000;

/**
 * The bytes in a tree, for progress; 0 when it holds too many files to look at first. What cannot be looked at counts
 * nothing here: the reading that follows reports it.
 */
export async function estimateSize(
  root: Buffer,
  exclude: (absolutePath: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<number> {
  const folders: Buffer[] = [root];
  let sizeBytes = 0;
  let fileCount = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    throwIfAborted(signal);
    const names = (await quietly(readdir(folder, { encoding: 'buffer' }))) ?? [];
    fileCount += names.length;
    if (fileCount > fileLimit) return 0;
    for (const name of names) {
      const path = joinBytes(folder, name);
      const stats = exclude(path.toString('utf8')) ? undefined : await quietly(lstat(path));
      if (stats?.isDirectory()) folders.push(path);
      if (stats?.isFile()) sizeBytes += stats.size;
    }
  }
  return sizeBytes;
}

async function quietly<Value>(look: Promise<Value>): Promise<Value | undefined> {
  try {
    return await look;
  } catch (error) {
    if (systemCode(error) === '') throw error;
    return undefined;
  }
}
