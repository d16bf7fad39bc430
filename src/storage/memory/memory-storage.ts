import assert from 'node:assert/strict';
import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { nameTaken } from '../name-taken.ts';
import { checkObjectName } from '../object-name.ts';
import type {
  ObjectHeaders,
  OpenedObject,
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';

interface MemoryObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
  readonly headers: ObjectHeaders;
  readonly etag: string;
}

/**
 * Objects in memory, for tests and examples: all of an object is held, copies included.
 *
 * @example
 * const storage = new MemoryStorage();
 */
export class MemoryStorage implements Storage {
  readonly properties: StorageProperties = {
    backend: 'memory',
    place: 'memory',
    warnings: ['what it holds is gone when the process ends'],
    usesSpool: false,
    createOnlyBytes: Number.POSITIVE_INFINITY,
  };
  readonly #objects = new Map<string, MemoryObject>();
  readonly #clock: Clock;
  #version = 0;

  constructor(options: { readonly clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    checkObjectName(name);
    assert(Number.isInteger(options.copies) && options.copies >= 1 && options.copies <= 8, 'copies are 1 to 8');
    throwIfAborted(options.signal);
    return new MemoryWriter(options, (bytes) => {
      if (options.createOnly === true && this.#objects.has(name)) {
        throw nameTaken(this.url(name));
      }
      this.#version += 1;
      const { headers = {} } = options;
      const object = { bytes, modifiedMs: this.#clock.nowMs(), headers, etag: `${this.#version}` };
      this.#objects.set(name, object);
      return { name, sizeBytes: bytes.length, modifiedMs: object.modifiedMs };
    });
  }

  async open(name: string): Promise<OpenedObject> {
    const { bytes, ...details } = this.#find(name);
    return { ...memoryRandomAccess(bytes), details };
  }

  async stat(name: string): Promise<StoredObject> {
    const { bytes, modifiedMs } = this.#find(name);
    return { name, sizeBytes: bytes.length, modifiedMs };
  }

  async *list(prefix = ''): AsyncIterable<StoredObject> {
    for (const name of [...this.#objects.keys()]) {
      if (name.startsWith(prefix) && this.#objects.has(name)) yield await this.stat(name);
    }
  }

  async delete(name: string): Promise<void> {
    checkObjectName(name);
    this.#objects.delete(name);
  }

  url(name: string): string {
    return `memory:${name}`;
  }

  async close(): Promise<void> {}

  #find(name: string): MemoryObject {
    checkObjectName(name);
    const object = this.#objects.get(name);
    if (object) return object;
    throw new HoldfastError('storage.not_found', { message: `memory:${name}: it does not exist`, context: { name } });
  }
}

/** Bytes at hand as {@link RandomAccess}; they are not copied. */
export function memoryRandomAccess(bytes: Uint8Array): RandomAccess {
  let isOpen = true;
  return {
    sizeBytes: bytes.length,
    async read(offset, into) {
      assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
      if (!isOpen) throw new HoldfastError('storage.failed', { message: 'it was closed' });
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    async close() {
      isOpen = false;
    },
  };
}

class MemoryWriter implements StorageWriter {
  readonly #options: WriterOptions;
  readonly #publish: (bytes: Uint8Array) => StoredObject;
  #chunks: Uint8Array[] = [];
  #state: 'open' | 'committed' | 'discarded' = 'open';

  constructor(options: WriterOptions, publish: (bytes: Uint8Array) => StoredObject) {
    this.#options = options;
    this.#publish = publish;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#checkOpen();
    this.#chunks.push(new Uint8Array(bytes));
  }

  async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    await this.#checkOpen();
    const { copies, onReplicate } = this.#options;
    const run = Buffer.concat(this.#chunks);
    const bytes = new Uint8Array(run.length * copies);
    for (let copy = 0; copy < copies; copy += 1) {
      bytes.set(run, copy * run.length);
      if (copy > 0 && run.length > 0) onReplicate?.(copy * run.length, (copies - 1) * run.length);
    }
    try {
      await check?.(memoryRandomAccess(bytes));
      await this.#checkOpen();
    } catch (error) {
      await this.abort();
      throw error;
    }
    this.#chunks = [];
    this.#state = 'committed';
    try {
      return this.#publish(bytes);
    } catch (error) {
      this.#state = 'discarded';
      throw error;
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'open') this.#state = 'discarded';
    this.#chunks = [];
  }

  async #checkOpen(): Promise<void> {
    if (this.#options.signal?.aborted) await this.abort();
    throwIfAborted(this.#options.signal);
    if (this.#state === 'discarded') throw new HoldfastError('operation.interrupted');
    assert(this.#state === 'open', 'the writer has committed');
  }
}
