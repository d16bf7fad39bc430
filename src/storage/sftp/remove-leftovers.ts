import { posix } from 'node:path';
import { partialOwner } from '../../disk/partial-path.ts';
import { isRunning } from '../../disk/process-life.ts';
import { HoldfastError } from '../../errors.ts';
import type { SftpConnection } from './sftp-connection.ts';
import { removeIfThere } from './sftp-partial-file.ts';

/** Where the process cannot be asked, or its number may have been given again: a run that only reads back shows no sign of life. */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;

/** Removes the temporary files that dead runs left in a folder. `serverTimeMs` is the present time of the server, whose files these are. */
export async function removeLeftovers(connection: SftpConnection, folder: string, serverTimeMs: number): Promise<void> {
  for (const { name, stats } of await connection.list(folder)) {
    const owner = partialOwner(name);
    if (owner === undefined || !stats.isFile()) continue;
    const isDead = owner.isHere && !isRunning(owner.processId);
    if (!isDead && serverTimeMs - stats.mtime * 1000 <= staleAfterMs) continue;
    try {
      await removeIfThere(connection, posix.join(folder, name));
    } catch (error) {
      // Another user's, in a shared folder: it does not stop this run.
      if (!(error instanceof HoldfastError) || error.code !== 'storage.unauthorized') throw error;
    }
  }
}
