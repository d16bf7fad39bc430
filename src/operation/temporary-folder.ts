import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { partialOwner, partialPath } from '../disk/partial-path.ts';
import { stalePaths } from '../disk/stale-paths.ts';
import { removeTree } from '../source/staging.ts';
import { onPath } from '../storage/durable-file.ts';

const folderName = 'holdfast-run';
/**
 * Where the process cannot be asked (another host or container, or its id was given again): no run is taken to last longer. A folder
 * in use shows no sign of life while its files are only read.
 */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;
/** A database copy that was given up may still be written for a moment. */
const removeTries = 10;

/** Runs `work` with a folder of this user only, which is removed afterwards, as are those that dead runs left in `parent`. */
export async function withTemporaryFolder<Result>(
  options: { readonly parent: string; readonly clock: Clock },
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const { parent, clock } = options;
  const folder = partialPath(join(parent, folderName));
  await onPath(parent, () => removeStaleFolders(parent, clock));
  await onPath(parent, () => mkdir(folder, { mode: 0o700 }));
  let result: Result;
  try {
    result = await work(folder);
  } catch (error) {
    // The next run removes what stays; why this one failed is what has to be known.
    await removeFolder(folder).catch(() => undefined);
    throw error;
  }
  await onPath(folder, () => removeFolder(folder));
  return result;
}

async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: removeTries });
  } catch {
    // A restored tree may have folders that may not be written.
    await removeTree(folder);
  }
}

async function removeStaleFolders(parent: string, clock: Clock): Promise<void> {
  const ownerOf = (name: string) => {
    const owner = partialOwner(name);
    return owner?.base === folderName ? owner : undefined;
  };
  for await (const { path, stats } of stalePaths(parent, { ownerOf, staleAfterMs, clock })) {
    // In a shared folder another user could put a link in the way of the removal: only what is this user's own is touched.
    const isOwn = stats.uid === (process.getuid?.() ?? stats.uid);
    // What cannot be removed is none of this run's business.
    if (stats.isDirectory() && isOwn) await removeFolder(path).catch(() => undefined);
  }
}
