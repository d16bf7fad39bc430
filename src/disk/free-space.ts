import { statfs } from 'node:fs/promises';

/** The room of the disk that a folder is on, for those who are not its superuser. Throws what `node:fs` throws. */
export async function freeSpace(folder: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
  const { bsize, bavail, blocks } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
