import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isSystemError } from './system-error.ts';

/** Makes a folder for what this machine has to remember; the usual one keeps itself out of version control. */
export async function makeStateFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made === undefined || basename(folder) !== '.holdfast') return;
  try {
    await writeFile(join(folder, '.gitignore'), '*\n', { flag: 'wx' });
  } catch (error) {
    // Another process was quicker.
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error;
  }
}
