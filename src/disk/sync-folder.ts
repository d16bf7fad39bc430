import { open } from 'node:fs/promises';
import { isSystemError } from './system-error.ts';

/** Makes renames, creations and removals in a folder survive a crash. Throws errors of the system as they are. */
export async function syncFolder(folder: string | Buffer): Promise<void> {
  // Windows has no handle on a folder; NTFS keeps its names in a journal.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE file systems have no fsync for folders; there is nothing more that could be asked of them.
    if (!isSystemError(error) || (error.code !== 'EINVAL' && error.code !== 'ENOTSUP')) throw error;
  } finally {
    await handle.close();
  }
}
