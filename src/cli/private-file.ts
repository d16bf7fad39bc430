import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isSystemError } from '../disk/system-error.ts';
import { HoldfastError } from '../errors.ts';
import { storageErrorFrom, syncFolder } from '../storage/durable-file.ts';

/** Creates a small text file that only its owner can read. Throws as {@link createTextFile} does. */
export async function createPrivateFile(path: string, text: string): Promise<void> {
  await createTextFile(path, text, 0o600);
}

/**
 * Creates a small text file, durably. Throws `target.exists`: what is there is never replaced, since it may be the only copy of a
 * key; and `storage.*`. A crash may leave a short file, which the next attempt then names.
 */
export async function createTextFile(path: string, text: string, mode = 0o666): Promise<void> {
  try {
    await using file = await open(path, 'wx', mode);
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    if (!isSystemError(cause) || cause.code !== 'EEXIST') throw storageErrorFrom(cause, path);
    const hint = 'choose another path, or move it away first';
    throw new HoldfastError('target.exists', { message: `${path} exists`, hint, context: { path }, cause });
  }
  await syncFolder(dirname(path));
}
