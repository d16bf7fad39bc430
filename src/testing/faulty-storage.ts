import { createHash } from 'node:crypto';
import { type ErrorCode, HoldfastError } from '../errors.ts';
import type {
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage/storage.ts';
import { SeededRandom } from './seeded-random.ts';

/** What goes wrong; nothing of what is not named. Rates and fractions are from 0 to 1. */
export interface StorageFaults {
  /** A read fails with `storage.unavailable`; the next try may pass. */
  readonly readErrorRate?: number;
  /** Opening, `stat`, `list`, `delete` or opening a writer fails with `storage.unavailable`; a listing also on its way, at a 100th of the rate. */
  readonly callErrorRate?: number;
  /** This fraction of all 4,096-byte sectors cannot be read: each read that touches one fails with `storage.failed`, always. */
  readonly badSectorFraction?: number;
  /** A read gives fewer bytes than there are, at least 1, as an adapter would that breaks the contract. */
  readonly shortReadRate?: number;
  /** Each byte that is read differs with this probability; it differs alike each time. */
  readonly bitRotRate?: number;
  /** The write that passes this many bytes (of one copy) fails after them; `storage.full` unless set. */
  readonly writeFailure?: { readonly atByte: number; readonly code?: ErrorCode };
  /** The write that passes this many bytes (of one copy) never ends, until the signal of the writer is aborted. */
  readonly writeStall?: { readonly atByte: number };
  /** A commit fails before the object appears, or after, as when the answer is lost; `storage.unavailable` unless set. */
  readonly commitFailure?: { readonly when: 'before' | 'after'; readonly code?: ErrorCode };
}

const sectorBytes = 4096;

/**
 * A storage that fails as told, from one seed. The bytes in the storage below stay as they are: rot and bad sectors belong to the reading.
 *
 * @example
 * const storage = new FaultyStorage(new MemoryStorage(), { seed: 7, faults: { bitRotRate: 1e-4 } });
 */
export class FaultyStorage implements Storage {
  /** May be changed at any time; it holds for the next call, on objects and writers that are open too. */
  faults: StorageFaults;
  readonly #inner: Storage;
  readonly #seed: number;
  readonly #random: SeededRandom;

  constructor(inner: Storage, options: { readonly seed: number; readonly faults?: StorageFaults }) {
    this.#inner = inner;
    this.#seed = options.seed;
    this.#random = new SeededRandom(options.seed);
    this.faults = options.faults ?? {};
  }

  get properties(): StorageProperties {
    return this.#inner.properties;
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    this.#mayFail(`writer of ${name}`);
    const inner = await this.#inner.writer(name, options);
    return new FaultyWriter({
      inner,
      faults: () => this.faults,
      reading: (stored) => this.#reading(name, stored),
      signal: options.signal,
    });
  }

  async open(name: string): Promise<RandomAccess> {
    this.#mayFail(`open of ${name}`);
    return this.#reading(name, await this.#inner.open(name));
  }

  async stat(name: string): Promise<StoredObject> {
    this.#mayFail(`stat of ${name}`);
    return this.#inner.stat(name);
  }

  async *list(prefix?: string): AsyncIterable<StoredObject> {
    this.#mayFail('list');
    for await (const object of this.#inner.list(prefix)) {
      this.#mayFail('list, on its way', 0.01);
      yield object;
    }
  }

  async delete(name: string): Promise<void> {
    this.#mayFail(`delete of ${name}`);
    return this.#inner.delete(name);
  }

  url(name: string): string {
    return this.#inner.url(name);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #mayFail(what: string, factor = 1): void {
    const { callErrorRate = 0 } = this.faults;
    // No random number is drawn without need, so that a seed means the same with and without this fault.
    if (callErrorRate > 0 && this.#random.float() < callErrorRate * factor) throw injected('storage.unavailable', what);
  }

  #reading(name: string, inner: RandomAccess): RandomAccess {
    return {
      sizeBytes: inner.sizeBytes,
      isSequential: inner.isSequential,
      read: (offset, into) => this.#read(name, inner, { offset, into }),
      close: () => inner.close(),
    };
  }

  async #read(name: string, inner: RandomAccess, range: { offset: number; into: Uint8Array }): Promise<number> {
    const { readErrorRate = 0, shortReadRate = 0, badSectorFraction = 0, bitRotRate = 0 } = this.faults;
    const { offset } = range;
    if (this.#random.float() < readErrorRate) throw injected('storage.unavailable', `read of ${name} at ${offset}`);
    let { into } = range;
    if (into.length > 1 && this.#random.float() < shortReadRate) {
      into = into.subarray(0, 1 + this.#random.integer(into.length - 1));
    }
    const length = await inner.read(offset, into);
    if (badSectorFraction === 0 && bitRotRate === 0) return length;
    for (let sector = Math.floor(offset / sectorBytes); sector * sectorBytes < offset + length; sector += 1) {
      const random = this.#sectorRandom(name, sector);
      if (random.float() < badSectorFraction) throw injected('storage.failed', `bad sector ${sector} of ${name}`);
      if (bitRotRate > 0) rot(into.subarray(0, length), sector * sectorBytes - offset, { random, rate: bitRotRate });
    }
    return length;
  }

  /** The fate of a sector depends on where it is, not on when it is read. */
  #sectorRandom(name: string, sector: number): SeededRandom {
    const digest = createHash('sha256').update(`${this.#seed}/${sector}/${name}`).digest();
    return new SeededRandom(digest.readUInt32LE(0));
  }
}

/** Changes bytes of the sector that begins at `start` of `bytes`; both may reach past the other. */
function rot(bytes: Uint8Array, start: number, options: { random: SeededRandom; rate: number }): void {
  const { random, rate } = options;
  for (let index = 0; index < sectorBytes; index += 1) {
    if (random.float() >= rate) continue;
    const change = 1 + random.integer(255);
    const value = bytes[start + index];
    if (value !== undefined) bytes[start + index] = value ^ change;
  }
}

function injected(code: ErrorCode, what: string): HoldfastError {
  return new HoldfastError(code, { message: `injected fault: ${what}`, context: { injected: true } });
}

/** Ends when the signal is aborted, and never without one. */
async function aborted(signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted) resolve();
  signal?.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}

class FaultyWriter implements StorageWriter {
  readonly #inner: StorageWriter;
  readonly #faults: () => StorageFaults;
  readonly #reading: (stored: RandomAccess) => RandomAccess;
  readonly #signal: AbortSignal | undefined;
  #writtenBytes = 0;

  constructor(parts: {
    readonly inner: StorageWriter;
    readonly faults: () => StorageFaults;
    readonly reading: (stored: RandomAccess) => RandomAccess;
    readonly signal: AbortSignal | undefined;
  }) {
    this.#inner = parts.inner;
    this.#faults = parts.faults;
    this.#reading = parts.reading;
    this.#signal = parts.signal;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { writeFailure, writeStall } = this.#faults();
    if (writeStall && this.#writtenBytes + bytes.length > writeStall.atByte) await aborted(this.#signal);
    const allowed = writeFailure ? writeFailure.atByte - this.#writtenBytes : bytes.length;
    const taken = allowed < bytes.length ? bytes.subarray(0, Math.max(0, allowed)) : bytes;
    await this.#inner.write(taken);
    this.#writtenBytes += taken.length;
    if (taken.length === bytes.length) return;
    await this.#inner.abort();
    throw injected(writeFailure?.code ?? 'storage.full', `write at byte ${this.#writtenBytes}`);
  }

  async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    const { when, code = 'storage.unavailable' } = this.#faults().commitFailure ?? {};
    if (when === 'before') {
      await this.#inner.abort();
      throw injected(code, 'commit, before the object appears');
    }
    const stored = await this.#inner.commit(check && ((access) => check(this.#reading(access))));
    if (when === 'after') throw injected(code, 'commit, after the object appeared');
    return stored;
  }

  abort(): Promise<void> {
    return this.#inner.abort();
  }
}
