import { HoldfastError } from '../errors.ts';

/**
 * Checks the name of an object: parts joined by `/`, none of them empty, `.` or `..`, without NUL. Throws `storage.unauthorized`: such a
 * name would leave the storage's root, or could not be listed again as it is.
 */
export function checkObjectName(name: string): void {
  const refuse = (reason: string) =>
    new HoldfastError('storage.unauthorized', {
      message: `the name ${JSON.stringify(name)} is refused: ${reason}`,
      hint: 'use a relative name without "..", as in "daily/shop.holdfast"',
      context: { name },
    });
  if (name === '') throw refuse('it is empty');
  if (name.includes('\0')) throw refuse('it holds a NUL');
  if (!name.isWellFormed()) throw refuse('it is not valid Unicode');
  if (name.startsWith('/')) throw refuse('it is absolute');
  for (const part of name.split('/')) {
    if (part === '..') throw refuse('it leaves the root');
    if (part === '' || part === '.') throw refuse('it has an empty part');
  }
}
