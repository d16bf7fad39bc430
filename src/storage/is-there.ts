import { HoldfastError } from '../errors.ts';
import type { Storage } from './storage.ts';

/** Whether a storage has an object of this name. Throws what `stat` throws, but for `storage.not_found`. */
export async function isThere(storage: Storage, name: string): Promise<boolean> {
  try {
    await storage.stat(name);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'storage.not_found') return false;
    throw error;
  }
}
