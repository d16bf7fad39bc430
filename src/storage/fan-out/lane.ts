import type { Clock, Wait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { RandomAccess, Storage, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { forwardReads } from '../wrap/forwarding-storage.ts';
import type { SharedPiece } from './shared-pieces.ts';

/** One of several places that the same bytes go to. */
export interface FanOutTarget {
  /** For people: the storage's name in the configuration. */
  readonly label: string;
  readonly storage: Storage;
  readonly name: string;
}

/** What a lane shares with the others. */
export interface LaneOptions extends WriterOptions {
  readonly stallTimeoutMs: number;
  readonly clock: Clock;
  readonly wait: Wait;
}

/** A storage that was given up is not waited for longer than this to tidy up. */
const abortTimeoutMs = 10_000;

/**
 * The way of the bytes to one storage: a queue of pieces that are shared with the other lanes, written one after the other. A lane that
 * fails, or does not move for `stallTimeoutMs`, is closed, and takes no part any more.
 */
export class Lane {
  readonly target: FanOutTarget;
  /** Why the lane is closed. */
  failure: { readonly error: unknown } | undefined;
  stored: StoredObject | undefined;
  readonly #options: LaneOptions;
  readonly #closing = new AbortController();
  #writer: StorageWriter | undefined;
  readonly #queue: SharedPiece[] = [];
  #isPumping = false;
  #changed = Promise.withResolvers<void>();
  #movedMs = 0;
  /** While it waits for the other lanes it does not stall. */
  #isHeld = false;

  constructor(target: FanOutTarget, options: LaneOptions) {
    this.target = target;
    this.#options = options;
  }

  /** What became of the parts, where the storage keeps the object in several. */
  get parts(): StorageWriter['parts'] {
    return this.#writer?.parts;
  }

  /** Where its object is, for people. */
  get place(): string {
    return this.target.storage.url(this.target.name);
  }

  get isOpen(): boolean {
    return this.failure === undefined;
  }

  async open(): Promise<void> {
    const { stallTimeoutMs: _limit, clock: _clock, wait: _wait, ...given } = this.#options;
    const { signal, onReplicate } = given;
    const own = this.#closing.signal;
    const options: WriterOptions = {
      ...given,
      signal: signal === undefined ? own : AbortSignal.any([signal, own]),
      onReplicate: (doneBytes, totalBytes) => {
        this.#movedMs = this.#options.clock.monotonicMs();
        onReplicate?.(doneBytes, totalBytes);
      },
    };
    await this.#step(async () => {
      const opening = this.target.storage.writer(this.target.name, options);
      // One that is opened after the lane was given up is no longer wanted.
      opening.then(
        (writer) => (this.isOpen ? undefined : this.#discard(writer)),
        () => undefined,
      );
      this.#writer = await this.#limited(opening);
    });
  }

  /** Queues a piece, and releases it when it is written, or the lane is closed. */
  push(piece: SharedPiece): void {
    if (!this.isOpen) {
      piece.release(false);
      return;
    }
    this.#queue.push(piece);
    if (this.#isPumping) return;
    this.#isPumping = true;
    void this.#pump();
  }

  /** Resolves when all that was pushed is written, or the lane is closed. */
  async #settle(): Promise<void> {
    while (this.isOpen && this.#isPumping) await this.#changed.promise;
  }

  /** Brings what was pushed to the storage: a commit that waits for others leaves nothing under way. */
  async finishWriting(): Promise<void> {
    await this.#settle();
    await this.#step(async () => {
      const finishing = this.#writer?.finishWriting?.();
      if (finishing !== undefined) await this.#limited(finishing);
    });
  }

  /** Commits what was pushed. `exclusive` runs one check at a time; it is given what there is to be read, too. */
  async commit(
    check: ((stored: RandomAccess) => Promise<void>) | undefined,
    exclusive: (work: () => Promise<void>, stored: RandomAccess) => Promise<void>,
  ): Promise<void> {
    await this.#settle();
    const held = async (stored: RandomAccess) => {
      this.#isHeld = true;
      const watched = this.#watched(stored);
      try {
        await exclusive(async () => {
          this.#release();
          if (this.isOpen) await check?.(watched);
        }, watched);
      } finally {
        // Whether or not the work was run: what is left of the commit waits for nobody.
        this.#release();
      }
    };
    await this.#step(async () => {
      if (this.#writer === undefined) return;
      this.stored = await this.#limited(this.#writer.commit(check && held));
    });
  }

  async abort(error: unknown = new HoldfastError('operation.interrupted')): Promise<void> {
    this.failure ??= { error };
    this.#releaseQueue();
    await this.#discard(this.#writer);
  }

  async #pump(): Promise<void> {
    await this.#step(async () => {
      try {
        while (this.isOpen) {
          const piece = this.#queue.shift();
          if (piece === undefined) return;
          await this.#write(piece);
        }
      } finally {
        // In the same turn in which the queue was seen to be empty: what is pushed later starts anew.
        this.#isPumping = false;
        this.#notify();
      }
    });
  }

  async #write(piece: SharedPiece): Promise<void> {
    let isWritten = false;
    try {
      if (this.#writer !== undefined) await this.#limited(this.#writer.write(piece.bytes));
      isWritten = true;
    } finally {
      // A write that was given up may go on.
      piece.release(!isWritten);
    }
  }

  /** Runs a step; a failure closes the lane, and nothing of the object stays. */
  async #step(step: () => Promise<void>): Promise<void> {
    if (!this.isOpen) return;
    try {
      await step();
    } catch (error) {
      this.failure ??= { error };
      this.#releaseQueue();
      this.#notify();
      await this.#discard(this.#writer);
    }
  }

  async #discard(writer: StorageWriter | undefined): Promise<void> {
    this.#closing.abort();
    if (writer === undefined) return;
    const timer = new AbortController();
    const { wait } = this.#options;
    try {
      await Promise.race([writer.abort(), wait(abortTimeoutMs, timer.signal)]);
    } catch (error) {
      const { error: first } = this.failure ?? { error };
      this.failure = { error: first === error ? error : withCleanUp(first, error) };
    } finally {
      timer.abort();
    }
  }

  #releaseQueue(): void {
    for (const piece of this.#queue.splice(0)) piece.release(false);
  }

  #release(): void {
    this.#moved();
    this.#isHeld = false;
  }

  #moved(): void {
    this.#movedMs = this.#options.clock.monotonicMs();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Reads count as moving, and end when the lane is closed. */
  #watched(stored: RandomAccess): RandomAccess {
    const { signal } = this.#closing;
    const closed = Promise.withResolvers<never>();
    closed.promise.catch(() => undefined);
    const close = () => closed.reject(this.#stalled());
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    return forwardReads(stored, async (plain) => {
      const count = await Promise.race([plain(), closed.promise]);
      this.#moved();
      return count;
    });
  }

  /** Work that ends, or moves; else the lane is given up. */
  async #limited<Result>(work: Promise<Result>): Promise<Result> {
    const { clock, wait, stallTimeoutMs } = this.#options;
    const ended = new AbortController();
    this.#moved();
    const watch = async (): Promise<never> => {
      for (;;) {
        if (this.#isHeld) this.#moved();
        const leftMs = this.#movedMs + stallTimeoutMs - clock.monotonicMs();
        if (leftMs <= 0) throw this.#stalled();
        await wait(leftMs, ended.signal);
      }
    };
    try {
      return await Promise.race([work, watch()]);
    } finally {
      ended.abort();
    }
  }

  #stalled(): HoldfastError {
    const seconds = Math.round(this.#options.stallTimeoutMs / 1000);
    return new HoldfastError('storage.timeout', {
      message: `${this.target.storage.url(this.target.name)}: nothing moved for ${seconds} s, so it was given up`,
      context: { storage: this.target.label },
    });
  }
}

function withCleanUp(failure: unknown, error: unknown): HoldfastError {
  const reason = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown));
  return new HoldfastError(failure instanceof HoldfastError ? failure.code : 'storage.failed', {
    message: `${reason(failure)}; cleaning up failed too: ${reason(error)}`,
    ...(failure instanceof HoldfastError ? { hint: failure.hint, context: failure.context } : {}),
    cause: new AggregateError([failure, error]),
  });
}
