import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { RandomAccess } from '../storage/storage.ts';

/**
 * A regular file that is read on the calling thread: for a few blocks of each of many files that is twice as fast as by way of the
 * thread pool. Undefined for anything else; throws what `node:fs` throws.
 */
export function openSynchronousFile(path: string): RandomAccess | undefined {
  // Without O_NONBLOCK opening a pipe would wait for its other end; Windows has no such flag.
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  const stats = fstatSync(descriptor);
  if (!stats.isFile()) {
    closeSync(descriptor);
    return undefined;
  }
  return {
    sizeBytes: stats.size,
    read: async (offset, into) => readSync(descriptor, into, 0, into.length, offset),
    close: async () => closeSync(descriptor),
  };
}
