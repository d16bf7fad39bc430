import { type Clock, systemClock } from '../../clock.ts';
import { type ErrorCode, HoldfastError } from '../../errors.ts';
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

/** One call of a storage. It holds no secret: names, sizes and codes only. */
export interface StorageCall {
  readonly operation: 'writer' | 'write' | 'commit' | 'abort' | 'open' | 'read' | 'stat' | 'list' | 'delete';
  /** Of the object; the prefix of a `list`. */
  readonly name: string;
  /** Written (one copy), read or committed. */
  readonly sizeBytes: number;
  readonly durationMs: number;
  /** Why it failed; `operation.failed` for an error that is no `HoldfastError`. */
  readonly errorCode?: ErrorCode;
}

/** Options of {@link logStorage}. */
export interface LogOptions {
  /** Called after each call; must not throw. */
  readonly onCall: (call: StorageCall) => void;
  readonly clock?: Clock;
}

/**
 * Tells of every call when it has ended. A listing is one call, from its begin to its end.
 *
 * @example
 * const storage = logStorage(inner, { onCall: ({ operation, name, durationMs }) => console.error(operation, name, durationMs) });
 */
export function logStorage(inner: Storage, options: LogOptions): Storage {
  return new LogStorage(inner, new CallLog(options));
}

class CallLog {
  readonly #onCall: LogOptions['onCall'];
  readonly #clock: Clock;

  constructor({ onCall, clock = systemClock }: LogOptions) {
    this.#onCall = onCall;
    this.#clock = clock;
  }

  async run<Result>(
    operation: StorageCall['operation'],
    name: string,
    call: () => Promise<Result>,
    sizeOf: (result: Result) => number = () => 0,
  ): Promise<Result> {
    const end = this.begin(operation, name);
    let result: Result;
    try {
      result = await call();
    } catch (error) {
      end(0, error);
      throw error;
    }
    end(sizeOf(result));
    return result;
  }

  /** What it gives tells of the end. */
  begin(operation: StorageCall['operation'], name: string): (sizeBytes: number, error?: unknown) => void {
    const startMs = this.#clock.monotonicMs();
    return (sizeBytes, error) => {
      const durationMs = Math.round(this.#clock.monotonicMs() - startMs);
      const errorCode = error instanceof HoldfastError ? error.code : 'operation.failed';
      this.#onCall({ operation, name, sizeBytes, durationMs, ...(error === undefined ? {} : { errorCode }) });
    };
  }
}

class LogStorage extends ForwardingStorage {
  readonly #log: CallLog;

  constructor(inner: Storage, log: CallLog) {
    super(inner);
    this.#log = log;
  }

  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const writer = await this.#log.run('writer', name, () => this.inner.writer(name, options));
    return new LogWriter(writer, name, this.#log);
  }

  override async open(name: string): Promise<OpenedObject> {
    const access = await this.#log.run('open', name, () => this.inner.open(name));
    return logReads(access, name, this.#log);
  }

  override stat(name: string): Promise<StoredObject> {
    return this.#log.run('stat', name, () => this.inner.stat(name));
  }

  override async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    const end = this.#log.begin('list', prefix);
    let failure: unknown;
    try {
      yield* this.inner.list(prefix, onForeign);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      end(0, failure);
    }
  }

  override delete(name: string): Promise<void> {
    return this.#log.run('delete', name, () => this.inner.delete(name));
  }
}

function logReads(access: OpenedObject, name: string, log: CallLog): OpenedObject {
  return forwardReads(access, (plain) => log.run('read', name, plain, (count) => count));
}

class LogWriter extends ForwardingWriter {
  readonly #name: string;
  readonly #log: CallLog;

  constructor(inner: StorageWriter, name: string, log: CallLog) {
    super(inner);
    this.#name = name;
    this.#log = log;
  }

  override write(bytes: Uint8Array): Promise<void> {
    const { length } = bytes;
    return this.#log.run(
      'write',
      this.#name,
      () => this.inner.write(bytes),
      () => length,
    );
  }

  override get readBack(): ReadBack | undefined {
    return forwardReadBack(this.inner.readBack, (plain, into) =>
      this.#log.run('read', this.#name, plain, (isRead) => (isRead ? into.length : 0)),
    );
  }

  override commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    const logged = check && ((stored: RandomAccess) => check(logReads(stored, this.#name, this.#log)));
    return this.#log.run(
      'commit',
      this.#name,
      () => this.inner.commit(logged),
      ({ sizeBytes }) => sizeBytes,
    );
  }

  override abort(): Promise<void> {
    return this.#log.run('abort', this.#name, () => this.inner.abort());
  }
}
