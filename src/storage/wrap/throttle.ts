import { type Clock, systemClock, systemWait, type Wait } from '../../clock.ts';
import type {
  OpenedObject,
  RandomAccess,
  ReadBack,
  Storage,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { ForwardingStorage, ForwardingWriter, forwardReadBack, forwardReads } from './forwarding-storage.ts';

/** Bytes a second; no limit where a way has none. */
export interface ThrottleSettings {
  readonly readBytesPerSecond?: number | undefined;
  readonly writeBytesPerSecond?: number | undefined;
}

/** Options of {@link throttleStorage}. */
export interface ThrottleOptions extends ThrottleSettings {
  readonly clock?: Clock;
  readonly wait?: Wait;
  /** Ends pauses, with `operation.interrupted`. */
  readonly signal?: AbortSignal;
}

/** A pause below this is not worth a timer: it is owed until more has come together. */
const shortestPauseMs = 20;

/** Lets bytes pass at a rate, for all objects and writers of a storage together. */
class Rate {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  readonly #wait: Wait;
  readonly #signal: AbortSignal | undefined;
  /** When all that has passed is paid for. */
  #paidAtMs = Number.NEGATIVE_INFINITY;

  constructor(bytesPerSecond: number, options: ThrottleOptions) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = options.clock ?? systemClock;
    this.#wait = options.wait ?? systemWait;
    this.#signal = options.signal;
  }

  /** Resolves when the bytes would be through at this rate. */
  async pass(sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    this.#paidAtMs = Math.max(nowMs, this.#paidAtMs) + (sizeBytes / this.#bytesPerSecond) * 1000;
    const pauseMs = this.#paidAtMs - nowMs;
    if (pauseMs >= shortestPauseMs) await this.#wait(pauseMs, signal ?? this.#signal);
  }
}

/**
 * Keeps reading and writing below a rate, each way by itself. What is written counts once a copy, since most storages send each copy;
 * the pause comes after the bytes. A call is never cut into pieces.
 *
 * @example
 * const storage = throttleStorage(inner, { writeBytesPerSecond: 2_000_000 });
 */
export function throttleStorage(inner: Storage, options: ThrottleOptions): Storage {
  const { readBytesPerSecond, writeBytesPerSecond } = options;
  return new ThrottleStorage(inner, {
    read: readBytesPerSecond === undefined ? undefined : new Rate(readBytesPerSecond, options),
    write: writeBytesPerSecond === undefined ? undefined : new Rate(writeBytesPerSecond, options),
  });
}

interface Rates {
  readonly read: Rate | undefined;
  readonly write: Rate | undefined;
}

class ThrottleStorage extends ForwardingStorage {
  readonly #rates: Rates;

  constructor(inner: Storage, rates: Rates) {
    super(inner);
    this.#rates = rates;
  }

  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    return new ThrottleWriter(await this.inner.writer(name, options), this.#rates, options);
  }

  override async open(name: string): Promise<OpenedObject> {
    return throttleReads(await this.inner.open(name), this.#rates, undefined);
  }
}

function throttleReads(access: OpenedObject, rates: Rates, signal: AbortSignal | undefined): OpenedObject {
  return forwardReads(access, async (plain) => {
    const count = await plain();
    await rates.read?.pass(count, signal);
    return count;
  });
}

class ThrottleWriter extends ForwardingWriter {
  readonly #rates: Rates;
  readonly #options: WriterOptions;

  constructor(inner: StorageWriter, rates: Rates, options: WriterOptions) {
    super(inner);
    this.#rates = rates;
    this.#options = options;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    const sizeBytes = bytes.length * this.#options.copies;
    await this.inner.write(bytes);
    await this.#rates.write?.pass(sizeBytes, this.#options.signal);
  }

  override get readBack(): ReadBack | undefined {
    return forwardReadBack(this.inner.readBack, async (plain, into) => {
      const isRead = await plain();
      if (isRead) await this.#rates.read?.pass(into.length, this.#options.signal);
      return isRead;
    });
  }

  override commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return this.inner.commit(check && ((stored) => check(throttleReads(stored, this.#rates, this.#options.signal))));
  }
}
