import { lstat, mkdir, opendir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Clock } from '../clock.ts';
import { isSystemError, onPath, partialPath } from '../storage/durable-file.ts';

const folderName = 'holdfast-run';
const namePattern = /^\.holdfast-run\.holdfast-(\d+)-([0-9a-f]{8})[0-9a-f]{16}\.partial$/;
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
  await onPath(parent, () => removeStaleFolders(parent, folder, clock));
  await onPath(parent, () => mkdir(folder, { mode: 0o700 }));
  try {
    return await work(folder);
  } finally {
    await onPath(folder, () => removeFolder(folder));
  }
}

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: removeTries });
}

async function removeStaleFolders(parent: string, own: string, clock: Clock): Promise<void> {
  const [, , ownTag] = namePattern.exec(basename(own)) ?? [];
  for await (const entry of await opendir(parent)) {
    const [, processId, tag] = namePattern.exec(entry.name) ?? [];
    if (processId === undefined || !entry.isDirectory()) continue;
    const path = join(parent, entry.name);
    try {
      const stats = await lstat(path);
      // In a shared folder another user could put a link in the way of the removal: only what is this user's own is touched.
      if (stats.uid !== (process.getuid?.() ?? stats.uid)) continue;
      const isDead = tag === ownTag && !isRunning(Number(processId));
      if (isDead || clock.nowMs() - stats.mtimeMs > staleAfterMs) await removeFolder(path);
    } catch (error) {
      // Another run removed it first.
      if (!isSystemError(error) || error.code !== 'ENOENT') throw error;
    }
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as another user.
    return !isSystemError(error) || error.code !== 'ESRCH';
  }
}
