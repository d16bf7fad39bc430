import { type Clock, systemClock, systemWait, type Wait } from '../../clock.ts';
import { type ErrorCode, HoldfastError, throwIfAborted } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import type {
  ForeignObject,
  OpenedObject,
  RandomAccess,
  ReadBack,
  Storage,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { ForwardingStorage, ForwardingWriter, forwardReadBack, forwardReads } from './forwarding-storage.ts';

/** How often, and how long, a call is repeated. */
export interface RetrySettings {
  /** Tries of one call in all: 5 unless set; 1 repeats nothing. */
  readonly tries?: number | undefined;
  /** No new try is begun later than this after the first one: 120,000 unless set. */
  readonly totalTimeMs?: number | undefined;
  /** Pause before the second try, which doubles each time: 500 unless set. Between half and all of it is waited, at random. */
  readonly firstDelayMs?: number | undefined;
  /** Longest pause: 30,000 unless set. */
  readonly maximumDelayMs?: number | undefined;
}

/** Options of {@link retryStorage}. */
export interface RetryOptions extends RetrySettings {
  readonly clock?: Clock;
  readonly wait?: Wait;
  readonly random?: Random;
  /** Ends pauses, with `operation.interrupted`. */
  readonly signal?: AbortSignal;
}

/** What may be gone a moment later. `storage.full` is retryable for people, who can make room; a moment makes none. */
const passing: ReadonlySet<ErrorCode> = new Set(['storage.unavailable', 'storage.timeout', 'storage.throttled']);

/**
 * Repeats what fails with `storage.unavailable`, `storage.timeout` or `storage.throttled` and may be repeated: opening, `stat`, `list` (going
 * on behind what was given out), ranged reads, `delete`, opening a writer (nothing is visible before its commit) and `abort`. Not
 * repeated: `write` and `commit`, of which nobody knows how much arrived; adapters that can repeat parts of them do so themselves.
 * An error's `context.retryAfterMs` makes the pause as long. Memory: the names that a listing gave out.
 *
 * @example
 * const storage = retryStorage(new LocalStorage({ root: '/mnt/nas' }), { tries: 3 });
 */
export function retryStorage(inner: Storage, options: RetryOptions = {}): Storage {
  return new RetryStorage(inner, new Repeater(options));
}

class Repeater {
  readonly #tries: number;
  readonly #totalTimeMs: number;
  readonly #firstDelayMs: number;
  readonly #maximumDelayMs: number;
  readonly #clock: Clock;
  readonly #wait: Wait;
  readonly #random: Random;
  readonly #signal: AbortSignal | undefined;

  constructor(options: RetryOptions) {
    this.#tries = options.tries ?? 5;
    this.#totalTimeMs = options.totalTimeMs ?? 120_000;
    this.#firstDelayMs = options.firstDelayMs ?? 500;
    this.#maximumDelayMs = options.maximumDelayMs ?? 30_000;
    this.#clock = options.clock ?? systemClock;
    this.#wait = options.wait ?? systemWait;
    this.#random = options.random ?? systemRandom;
    this.#signal = options.signal;
  }

  async run<Result>(call: () => Promise<Result>): Promise<Result> {
    const startMs = this.#clock.monotonicMs();
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        throwIfAborted(this.#signal);
        if (!(error instanceof HoldfastError) || !passing.has(error.code)) throw error;
        // The object that was opened does not come back.
        if (error.context['replaced'] === true) throw error;
        const pauseMs = this.#pauseMs(attempt, error);
        const isOver = this.#clock.monotonicMs() + pauseMs - startMs > this.#totalTimeMs;
        if (attempt >= this.#tries || isOver) throw error;
        await this.#wait(pauseMs, this.#signal);
      }
    }
  }

  #pauseMs(attempt: number, { context }: HoldfastError): number {
    const [byte = 0] = this.#random.bytes(1);
    const longest = Math.min(this.#maximumDelayMs, this.#firstDelayMs * 2 ** (attempt - 1));
    const asked = context['retryAfterMs'];
    const pauseMs = longest * (0.5 + byte / 510);
    return typeof asked === 'number' && asked > pauseMs ? asked : pauseMs;
  }
}

class RetryStorage extends ForwardingStorage {
  readonly #repeater: Repeater;

  constructor(inner: Storage, repeater: Repeater) {
    super(inner);
    this.#repeater = repeater;
  }

  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const writer = await this.#repeater.run(() => this.inner.writer(name, options));
    return new RetryWriter(writer, this.#repeater);
  }

  override async open(name: string): Promise<OpenedObject> {
    return retryReads(await this.#repeater.run(() => this.inner.open(name)), this.#repeater);
  }

  override stat(name: string): Promise<StoredObject> {
    return this.#repeater.run(() => this.inner.stat(name));
  }

  override async *list(prefix?: string, onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    const given = new Set<string>();
    const told = new Set<string>();
    const tell =
      onForeign &&
      ((foreign: ForeignObject) => {
        if (told.has(foreign.name)) return;
        told.add(foreign.name);
        onForeign(foreign);
      });
    let listing: AsyncIterator<StoredObject> | undefined;
    // One call goes on to the next new object, so that a listing which never gets further runs out of tries.
    const next = async (): Promise<StoredObject | undefined> => {
      listing ??= this.inner.list(prefix, tell)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const { done, value } = await listing.next();
          if (done) return undefined;
          if (!given.has(value.name)) return value;
        }
      } catch (error) {
        listing = undefined;
        throw error;
      }
    };
    try {
      for (;;) {
        const object = await this.#repeater.run(next);
        if (object === undefined) return;
        given.add(object.name);
        yield object;
      }
    } finally {
      await listing?.return?.();
    }
  }

  override delete(name: string): Promise<void> {
    return this.#repeater.run(() => this.inner.delete(name));
  }
}

function retryReads(access: OpenedObject, repeater: Repeater): OpenedObject {
  return forwardReads(access, (plain) => repeater.run(plain));
}

class RetryWriter extends ForwardingWriter {
  readonly #repeater: Repeater;

  constructor(inner: StorageWriter, repeater: Repeater) {
    super(inner);
    this.#repeater = repeater;
  }

  override get readBack(): ReadBack | undefined {
    return forwardReadBack(this.inner.readBack, (plain) => this.#repeater.run(plain));
  }

  override commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return this.inner.commit(check && ((stored) => check(retryReads(stored, this.#repeater))));
  }

  override abort(): Promise<void> {
    return this.#repeater.run(() => this.inner.abort());
  }
}
