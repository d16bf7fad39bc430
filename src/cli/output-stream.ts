import type { Writable } from 'node:stream';
import { HoldfastError } from '../errors.ts';
import type { Storage, StorageProperties, StorageWriter, StoredObject } from '../storage/storage.ts';

/** What stands for the standard output where a path is asked for. */
export const standardOutput = '-';

/**
 * A stream that an archive is written to, as the storage of this one archive: it goes by once, and nothing of it can be read, so that no copy
 * can be made and nothing is checked. Who receives it knows by the missing end that it is not whole.
 */
export class OutputStream implements Storage {
  readonly properties: StorageProperties = { backend: 'stream', place: standardOutput, warnings: [], usesSpool: false };
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  async writer(name: string): Promise<StorageWriter> {
    let sizeBytes = 0;
    return {
      write: async (bytes) => {
        await this.#write(bytes);
        sizeBytes += bytes.length;
      },
      commit: async () => ({ name, sizeBytes, modifiedMs: 0 }),
      abort: async () => undefined,
    };
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (cause) => {
        if (cause === null || cause === undefined) return resolve();
        reject(
          new HoldfastError('storage.failed', {
            message: `the reader of the archive is gone: ${cause.message}`,
            cause,
          }),
        );
      });
    });
  }

  async open(name: string): Promise<never> {
    throw new HoldfastError('storage.not_found', { message: `${name} cannot be read again` });
  }

  async stat(name: string): Promise<StoredObject> {
    return await this.open(name);
  }

  async *list(): AsyncGenerator<StoredObject> {}

  async delete(): Promise<void> {}

  url(): string {
    return 'the standard output';
  }

  async close(): Promise<void> {}
}
