import { HoldfastError } from '../../errors.ts';
import { checkObjectName } from '../object-name.ts';
import type { Storage, StorageWriter } from '../storage.ts';
import { ForwardingStorage } from './forwarding-storage.ts';

/**
 * Lets nothing be written or deleted: both throw `storage.read_only`.
 *
 * @example
 * const storage = readOnlyStorage(new LocalStorage({ root: '/mnt/last-year' }));
 */
export function readOnlyStorage(inner: Storage): Storage {
  return new ReadOnlyStorage(inner);
}

class ReadOnlyStorage extends ForwardingStorage {
  override get removeEmptyFolders(): undefined {
    return undefined;
  }

  override async writer(name: string): Promise<StorageWriter> {
    throw this.#refusal(name);
  }

  override async delete(name: string): Promise<void> {
    throw this.#refusal(name);
  }

  #refusal(name: string): HoldfastError {
    checkObjectName(name);
    return new HoldfastError('storage.read_only', {
      message: `${this.inner.url(name)} is left as it is: this storage is set to be read-only`,
      hint: 'choose another storage, or take `readOnly` out of its settings',
      context: { name },
    });
  }
}
