import assert from 'node:assert/strict';
import { type ErrorContext, HoldfastError, throwIfAborted } from '../errors.ts';

/** What {@link WriterSteps} need of a writer. */
export interface WriterStepsOptions {
  /** That of `WriterOptions`. */
  readonly signal: AbortSignal | undefined;
  /** Aborted when the writer is; one of its own unless set. */
  readonly stopping?: AbortController;
  /** What has failed beside the steps, in the background. */
  readonly failure?: () => { readonly error: unknown } | undefined;
  /** Makes errors of the system ones that say why. */
  readonly errorFrom?: (error: unknown) => unknown;
  /** Removes all that was written. */
  readonly discard: () => Promise<void>;
  /** What stays when that fails, after the reason: "the temporary file … could not be removed". */
  readonly left: () => { readonly message: string; readonly context: ErrorContext };
}

/**
 * The life of a `StorageWriter`, whatever it writes to: open, then committed or discarded. One step runs at a time; one that fails leaves nothing of the
 * object, and so does `abort`, which waits for the step under way.
 */
export class WriterSteps {
  readonly #options: WriterStepsOptions;
  readonly #stopping: AbortController;
  #state: 'open' | 'committed' | 'discarded' = 'open';
  /** The step under way. Its error goes to whoever began it. */
  #running: Promise<unknown> | undefined;
  /** Why it was discarded, unless it was aborted: said again by whatever is called afterwards. */
  #failure: { readonly error: unknown } | undefined;

  constructor(options: WriterStepsOptions) {
    this.#options = options;
    this.#stopping = options.stopping ?? new AbortController();
  }

  /** Aborted when the writer is: ends what steps wait for. */
  get stopped(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Runs one step; when it fails, nothing of the object is left. */
  async run<Result>(step: () => Promise<Result>): Promise<Result> {
    assert(this.#running === undefined, 'a writer does one thing at a time');
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#state === 'discarded') this.throwIfStopped();
    assert(this.#state === 'open', `the writer is ${this.#state}`);
    const running = this.#start(step);
    this.#running = running;
    try {
      return await running;
    } catch (error) {
      const { errorFrom = (same: unknown) => same } = this.#options;
      const failure = errorFrom(error);
      if (this.#state === 'open') {
        this.#failure = { error: failure };
        await this.#discardAfter(failure);
      }
      throw failure;
    } finally {
      this.#running = undefined;
    }
  }

  /** The new object stands: nothing takes it back any more. */
  setCommitted(): void {
    this.#state = 'committed';
  }

  /** Ends the step under way, and leaves nothing of the object unless it stands. May be repeated. */
  async abort(): Promise<void> {
    if (this.#state === 'open') this.#stopping.abort();
    await Promise.allSettled([this.#running]);
    if (this.#state === 'open') await this.#discard();
  }

  /** Throws when the writer was aborted, or something failed meanwhile. */
  throwIfStopped(): void {
    throwIfAborted(this.#options.signal);
    if (this.stopped.aborted) throw new HoldfastError('operation.interrupted');
    const failure = this.#options.failure?.();
    if (failure === undefined) return;
    const { errorFrom = (same: unknown) => same } = this.#options;
    throw errorFrom(failure.error);
  }

  async #start<Result>(step: () => Promise<Result>): Promise<Result> {
    this.throwIfStopped();
    return await step();
  }

  async #discard(): Promise<void> {
    this.#state = 'discarded';
    this.#stopping.abort();
    await this.#options.discard();
  }

  async #discardAfter(failure: unknown): Promise<void> {
    try {
      await this.#discard();
    } catch (error) {
      const isKnown = failure instanceof HoldfastError;
      const reason = failure instanceof Error ? failure.message : String(failure);
      const { message, context } = this.#options.left();
      throw new HoldfastError(isKnown ? failure.code : 'storage.failed', {
        message: `${reason}; ${message}`,
        ...(isKnown ? { hint: failure.hint } : {}),
        context,
        cause: new AggregateError([failure, error]),
      });
    }
  }
}
