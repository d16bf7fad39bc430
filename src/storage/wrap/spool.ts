import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { RandomAccess, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { SpoolFile, type SpoolOptions } from './spool-file.ts';

/** Writes one object from its start to its end, as every storage can. {@link openSpooledWriter} makes it a `StorageWriter`. */
export interface AppendWriter {
  /** One at a time. The memory may be used again once the promise is settled. */
  append(bytes: Uint8Array): Promise<void>;
  /** Ends what is under way to the storage, where something is: only `commit` or `abort` follows. */
  finish?(): Promise<void>;
  /** As that of `StorageWriter`. */
  commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject>;
  /**
   * Leaves nothing of the object. May be repeated, and called after a failure. While an append or a commit is under way it makes that one
   * fail soon, and settles after it; a commit that publishes already may pass, and then this does nothing.
   */
  abort(): Promise<void>;
}

/** How {@link openSpooledWriter} writes. */
export interface SpooledWriterOptions extends WriterOptions {
  /** Where the bytes of further copies are kept; the system's folder for temporary files unless set. Not used with one copy. */
  readonly spool?: Partial<SpoolOptions> | undefined;
}

/**
 * Makes a {@link StorageWriter} of what can only append: what is written goes to the storage and, with more than one copy, to an encrypted
 * spool on local disk, from which the further copies are appended at commit. `open` is called when all else is ready. Throws
 * `storage.full`, with the folder, where the spool has no room.
 */
export async function openSpooledWriter(
  open: () => Promise<AppendWriter>,
  options: SpooledWriterOptions,
): Promise<StorageWriter> {
  const { copies, signal, spool } = options;
  assert(Number.isInteger(copies) && copies >= 1 && copies <= 8, 'copies are 1 to 8');
  throwIfAborted(signal);
  const file = copies === 1 ? undefined : await SpoolFile.create({ folder: tmpdir(), ...spool });
  try {
    const writer = new SpooledWriter(await open(), file, options);
    writer.watchSignal();
    return writer;
  } catch (error) {
    await file?.close();
    throw error;
  }
}

class SpooledWriter implements StorageWriter {
  readonly #inner: AppendWriter;
  readonly #spool: SpoolFile | undefined;
  readonly #options: WriterOptions;
  #state: 'open' | 'committed' | 'discarded' = 'open';
  #writtenBytes = 0;
  #isFinished = false;
  #isRunning = false;
  #discarding: Promise<void> | undefined;
  /** A storage that does not answer must not keep an aborted call waiting. */
  readonly #onSignal = (): void => {
    if (this.#isRunning) this.#discard().catch(() => undefined);
  };

  constructor(inner: AppendWriter, spool: SpoolFile | undefined, options: WriterOptions) {
    this.#inner = inner;
    this.#spool = spool;
    this.#options = options;
  }

  watchSignal(): void {
    this.#options.signal?.addEventListener('abort', this.#onSignal);
  }

  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#isFinished, 'nothing is written after the end');
    await this.#run(async () => {
      // Nothing reads the caller's memory any more when this ends, however it ends.
      const steps = await Promise.allSettled([this.#inner.append(bytes), this.#spool?.append(bytes)]);
      for (const step of steps) if (step.status === 'rejected') throw step.reason;
      this.#writtenBytes += bytes.length;
    });
  }

  async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return await this.#run(async () => {
      await this.#finish();
      const stored = await this.#inner.commit(check && ((access) => this.#check(check, access)));
      this.#state = 'committed';
      await this.#release();
      return stored;
    });
  }

  async finishWriting(): Promise<void> {
    await this.#run(() => this.#finish());
  }

  async abort(): Promise<void> {
    if (this.#state === 'committed') return;
    this.#state = 'discarded';
    await this.#discard();
  }

  async #finish(): Promise<void> {
    if (this.#isFinished) return;
    await this.#appendCopies();
    await this.#inner.finish?.();
    this.#isFinished = true;
  }

  async #appendCopies(): Promise<void> {
    if (this.#spool === undefined) return;
    const { copies, onReplicate } = this.#options;
    let doneBytes = 0;
    for (let copy = 1; copy < copies; copy += 1) {
      for await (const chunk of this.#spool.chunks()) {
        this.#throwIfStopped();
        await this.#inner.append(chunk);
        doneBytes += chunk.length;
        onReplicate?.(doneBytes, this.#writtenBytes * (copies - 1));
      }
    }
  }

  async #check(check: (stored: RandomAccess) => Promise<void>, stored: RandomAccess): Promise<void> {
    this.#throwIfStopped();
    await check(stored);
    this.#throwIfStopped();
  }

  /** Runs one step; when it fails, nothing of the object is left. */
  async #run<Result>(step: () => Promise<Result>): Promise<Result> {
    assert(!this.#isRunning, 'a writer does one thing at a time');
    assert(this.#state !== 'committed', 'the writer has committed');
    this.#isRunning = true;
    try {
      this.#throwIfStopped();
      return await step();
    } catch (error) {
      throw await this.#failed(error);
    } finally {
      this.#isRunning = false;
    }
  }

  /** Leaves nothing of the object, and gives the error to throw. */
  async #failed(error: unknown): Promise<unknown> {
    const isStopped = this.#state === 'discarded' || this.#options.signal?.aborted === true;
    const failure = isStopped ? new HoldfastError('operation.interrupted', { cause: error }) : error;
    // It is published: what failed after that is no reason to say that it is not.
    if (this.#state === 'committed') return error;
    this.#state = 'discarded';
    try {
      await this.#discard();
    } catch (discardError) {
      return withLeftover(failure, discardError);
    }
    return failure;
  }

  /** Whoever calls while it is under way waits for the same; after a failure it is tried again. */
  #discard(): Promise<void> {
    this.#discarding ??= this.#discardOnce().catch((error: unknown) => {
      this.#discarding = undefined;
      throw error;
    });
    return this.#discarding;
  }

  async #discardOnce(): Promise<void> {
    try {
      await this.#inner.abort();
    } finally {
      await this.#release();
    }
  }

  async #release(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onSignal);
    await this.#spool?.close();
  }

  #throwIfStopped(): void {
    throwIfAborted(this.#options.signal);
    if (this.#state === 'discarded') throw new HoldfastError('operation.interrupted');
  }
}

/** The first failure, and that something of the object was left. */
function withLeftover(failure: unknown, discardError: unknown): HoldfastError {
  const code = failure instanceof HoldfastError ? failure.code : 'storage.failed';
  const reason = failure instanceof Error ? failure.message : String(failure);
  const why = discardError instanceof Error ? discardError.message : String(discardError);
  const message = `${reason}; what was written under a temporary name could not be removed (${why})`;
  return new HoldfastError(code, { message, cause: new AggregateError([failure, discardError]) });
}
