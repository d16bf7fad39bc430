/** What makes files on local disk survive a crash: temporary names, synced folders, and errors that say why. */
import { chmod, mkdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock } from '../clock.ts';
import { partialOwner } from '../disk/partial-path.ts';
import { stalePaths } from '../disk/stale-paths.ts';
import { syncFolder as syncFolderItself } from '../disk/sync-folder.ts';
import { isSystemError } from '../disk/system-error.ts';
import { type ErrorCode, HoldfastError } from '../errors.ts';

const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['storage.full', 'there is no space left'],
  EDQUOT: ['storage.full', 'the quota is used up'],
  EFBIG: ['storage.full', 'the file would be larger than the file system or a limit of the process allows'],
  EROFS: ['storage.read_only', 'the file system is read-only'],
  EACCES: ['storage.unauthorized', 'access was denied'],
  EPERM: ['storage.unauthorized', 'the operation is not permitted'],
  ENOENT: ['storage.not_found', 'it does not exist'],
  ENOTDIR: ['storage.not_found', 'a part of the path is not a folder'],
  EISDIR: ['storage.not_found', 'it is a folder, not a file'],
  EBUSY: ['storage.unavailable', 'it is in use'],
  ESTALE: ['storage.unavailable', 'the network file system lost it'],
  ETIMEDOUT: ['storage.unavailable', 'the file system does not answer'],
  EMFILE: ['storage.unavailable', 'too many files are open'],
  ENFILE: ['storage.unavailable', 'too many files are open on this machine'],
  EIO: ['storage.failed', 'the disk cannot read or write it'],
  ENAMETOOLONG: ['storage.failed', 'the name is too long'],
  ELOOP: ['storage.failed', 'its symbolic links go in a circle'],
};

/** The {@link HoldfastError} that an error of the file system means; all other errors are given back as they are. */
export function storageErrorFrom(error: unknown, path: string): unknown {
  if (!isSystemError(error)) return error;
  const [code, reason] = meanings[error.code] ?? ['storage.failed', `the file system answered ${error.code}`];
  return new HoldfastError(code, { message: `${path}: ${reason}`, context: { path, errno: error.code }, cause: error });
}

/** Runs an operation on a path; errors of the file system come out as {@link HoldfastError}. */
export async function onPath<Result>(path: string, operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    throw storageErrorFrom(error, path);
  }
}

/** The error for a path that should name a file and names a folder. */
export function folderError(path: string): HoldfastError {
  return new HoldfastError('storage.not_found', {
    message: `${path}: it is a folder, not a file`,
    hint: 'name a file in it',
    context: { path },
  });
}

/** Makes renames, creations and removals in a folder survive a crash. */
export async function syncFolder(folder: string): Promise<void> {
  await onPath(folder, () => syncFolderItself(folder));
}

/** Makes a folder and its missing parents, each of which survives a crash. `exactMode` overrides the umask. */
export async function makeFolder(folder: string, options: { mode: number; exactMode: boolean }): Promise<void> {
  if (await isMissingParent(folder, options)) {
    await makeFolder(dirname(folder), options);
    if (await isMissingParent(folder, options)) {
      const message = `${folder}: a symbolic link above it leads nowhere`;
      throw new HoldfastError('storage.not_found', { message, context: { path: folder } });
    }
  }
}

/** Tries to make the folder, and says whether its parent has to be made first. */
async function isMissingParent(folder: string, options: { mode: number; exactMode: boolean }): Promise<boolean> {
  try {
    await mkdir(folder, { mode: options.mode });
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    if (code === 'ENOENT' && dirname(folder) !== folder) return true;
    // It may also be a file: whoever opens something in it is told so.
    if (code === 'EEXIST' || code === 'EISDIR') return false;
    throw storageErrorFrom(error, folder);
  }
  if (options.exactMode) await onPath(folder, () => chmod(folder, options.mode));
  await syncFolder(dirname(folder));
  return false;
}

/** Where the process cannot be asked, or its number may have been given again: a run that only reads back shows no sign of life. */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;

/** Removes the partial files that dead processes left in a folder. */
export async function removeStalePartials(folder: string): Promise<void> {
  await onPath(folder, async () => {
    const options = { ownerOf: partialOwner, staleAfterMs, clock: systemClock };
    for await (const { path, stats } of stalePaths(folder, options)) if (stats.isFile()) await removeIfPermitted(path);
  });
}

async function removeIfPermitted(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    // ENOENT: another run removed it first. EPERM, EACCES: another user's, in a shared folder; it does not stop this run.
    if (!isSystemError(error) || !['ENOENT', 'EPERM', 'EACCES'].includes(error.code)) throw error;
  }
}
