import { realpath } from 'node:fs/promises';
import { HoldfastError } from '../../errors.ts';
import { statsIfThere } from '../staging.ts';
import { systemCode, targetError } from '../system-error.ts';

/** The file that a path means: where it is a link, what it leads to, so that the link stays. */
export async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw targetError(cause, path);
    if ((await statsIfThere(path)) === undefined) return path;
    throw new HoldfastError('target.exists', { message: `${path} is a link to what is not there`, cause });
  }
}
