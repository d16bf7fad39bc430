import { isThere } from '../is-there.ts';
import { nameTaken } from '../name-taken.ts';
import type { RandomAccess, Storage, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { ForwardingStorage, ForwardingWriter } from './forwarding-storage.ts';

/**
 * Replaces nothing: what is written to a name that is taken throws `storage.conflict`, at `writer`, or at `commit` where the name was taken in
 * between. Storages that can refuse it themselves do, at the last moment; of others it is asked just before the object appears.
 */
export function createOnlyStorage(inner: Storage): Storage {
  return new CreateOnlyStorage(inner);
}

class CreateOnlyStorage extends ForwardingStorage {
  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    await this.#refuseTaken(name);
    const writer = await this.inner.writer(name, { ...options, createOnly: true });
    return new CreateOnlyWriter(writer, () => this.#refuseTaken(name));
  }

  async #refuseTaken(name: string): Promise<void> {
    if (await isThere(this.inner, name)) throw nameTaken(this.inner.url(name));
  }
}

class CreateOnlyWriter extends ForwardingWriter {
  readonly #refuseTaken: () => Promise<void>;

  constructor(inner: StorageWriter, refuseTaken: () => Promise<void>) {
    super(inner);
    this.#refuseTaken = refuseTaken;
  }

  override async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    await this.#refuseTaken();
    return await super.commit(check);
  }
}
