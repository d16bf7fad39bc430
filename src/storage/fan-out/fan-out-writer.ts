import assert from 'node:assert/strict';
import { type Clock, systemClock, systemWait, type Wait } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { RandomAccess, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { type FanOutTarget, Lane, type LaneOptions } from './lane.ts';
import { SharedPieces } from './shared-pieces.ts';

export type { FanOutTarget };

/** How several storages are written. */
export interface FanOutOptions extends WriterOptions {
  /** Bytes that may wait for the slowest storage before the run does: 4 MiB unless set. They are held once, whatever the number of storages. */
  readonly bufferBytes?: number;
  /** A storage that takes nothing for this long is given up: 300,000 unless set. */
  readonly stallTimeoutMs?: number;
  /**
   * The name must be free: the storages replace nothing, and where one that could be written says `storage.conflict` the object is made on none, so that
   * no name means one object here and another there. One storage commits before the others, always the same, so that of two who write at once one has
   * all. A storage that comes to be taken after that fails by itself.
   */
  readonly needsFreeName?: boolean;
  readonly clock?: Clock;
  readonly wait?: Wait;
}

/** Of so many pieces one waits while another is written. */
const pieceCount = 4;

/** What became of one storage. */
export interface FanOutResult {
  readonly target: FanOutTarget;
  readonly stored?: StoredObject;
  readonly error?: unknown;
  /** Where the storage keeps the object in parts: what became of each. */
  readonly parts?: StorageWriter['parts'];
}

/**
 * Writes the same object to several storages at once. One that fails is left out from then on, and leaves nothing; the writer fails when
 * none is left. The slowest one sets the pace, until it stalls. Checks of `commit` run one after the other, each on what that
 * storage holds, and only those whose check passes appear. Memory: `bufferBytes`.
 */
export class FanOutWriter implements StorageWriter {
  readonly #lanes: readonly Lane[];
  readonly #options: FanOutOptions;
  readonly #pieces: SharedPieces;
  readonly #replicated = new Map<FanOutTarget, number>();
  #reportedBytes = 0;
  #isCommitted = false;
  /** The end of the checks that are waiting for one another. */
  #order: Promise<void> = Promise.resolve();

  /** Opens a writer on each. Throws when none can be opened. */
  static async open(targets: readonly FanOutTarget[], options: FanOutOptions): Promise<FanOutWriter> {
    assert(targets.length > 0, 'there is a storage');
    throwIfAborted(options.signal);
    const writer = new FanOutWriter(targets, options);
    await Promise.all(writer.#lanes.map((lane) => lane.open()));
    for (const lane of writer.#lanes) await writer.#throwIfTaken(lane);
    await writer.#throwIfNoneIsLeft();
    return writer;
  }

  private constructor(targets: readonly FanOutTarget[], options: FanOutOptions) {
    const { bufferBytes = 4 * 1024 * 1024, needsFreeName: _, ...writerOptions } = options;
    const { stallTimeoutMs = 300_000, clock = systemClock, wait = systemWait } = writerOptions;
    this.#options = options;
    const pieceBytes = Math.ceil(bufferBytes / pieceCount);
    this.#pieces = new SharedPieces({ count: pieceCount, pieceBytes, lanes: targets.length });
    this.#lanes = targets.map((target) => {
      const onReplicate = (doneBytes: number, totalBytes: number) => this.#onReplicate(target, doneBytes, totalBytes);
      const shared: LaneOptions = { ...writerOptions, stallTimeoutMs, clock, wait, onReplicate };
      return new Lane(target, shared);
    });
  }

  /** The further copies are as far as those of the slowest storage. */
  #onReplicate(target: FanOutTarget, doneBytes: number, totalBytes: number): void {
    this.#replicated.set(target, doneBytes);
    const open = this.#lanes.filter((lane) => lane.isOpen);
    const slowest = Math.min(...open.map((lane) => this.#replicated.get(lane.target) ?? 0));
    if (slowest <= this.#reportedBytes) return;
    this.#reportedBytes = slowest;
    this.#options.onReplicate?.(slowest, totalBytes);
  }

  get results(): FanOutResult[] {
    return this.#lanes.map(({ target, stored, failure, parts }) => ({
      target,
      ...(parts === undefined ? {} : { parts }),
      ...(failure === undefined ? {} : { error: failure.error }),
      ...(failure === undefined && stored !== undefined ? { stored } : {}),
    }));
  }

  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#isCommitted, 'the writer has not committed');
    throwIfAborted(this.#options.signal);
    for (let taken = 0; taken < bytes.length; ) {
      const piece = await this.#pieces.fill(bytes.subarray(taken));
      taken += piece.bytes.length;
      for (const lane of this.#lanes) lane.push(piece);
      await this.#throwIfNoneIsLeft();
    }
  }

  /** Gives what the first storage holds that did not fail. */
  async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    assert(!this.#isCommitted, 'the writer commits once');
    this.#isCommitted = true;
    this.#pieces.close();
    const exclusive = (work: () => Promise<void>): Promise<void> => {
      const turn = this.#order.then(work);
      this.#order = turn.catch(() => undefined);
      return turn;
    };
    const left = [...this.#lanes];
    if (this.#options.needsFreeName === true && left.length > 1) {
      await Promise.all(left.map((lane) => lane.finishWriting()));
      left.sort((one, other) => (one.place < other.place ? -1 : 1));
      for (let isDecided = false; !isDecided && left.length > 0; ) {
        const [first] = left.splice(0, 1);
        await first?.commit(check, exclusive);
        await this.#throwIfTaken(first);
        isDecided = first?.isOpen === true;
      }
    }
    await Promise.all(left.map((lane) => lane.commit(check, exclusive)));
    await this.#throwIfNoneIsLeft();
    const stored = this.#lanes.find((lane) => lane.isOpen)?.stored;
    assert(stored !== undefined, 'a lane that did not fail has stored the object');
    return stored;
  }

  async abort(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => (lane.stored === undefined ? lane.abort() : undefined)));
  }

  async #throwIfTaken(lane: Lane | undefined): Promise<void> {
    const error = lane?.failure?.error;
    const isTaken = error instanceof HoldfastError && error.code === 'storage.conflict';
    if (!isTaken || this.#options.needsFreeName !== true) return;
    await Promise.all(this.#lanes.map((other) => other.abort(error)));
    throw error;
  }

  async #throwIfNoneIsLeft(): Promise<void> {
    const isLeft = this.#lanes.some((lane) => lane.isOpen);
    if (isLeft) return;
    throwIfAborted(this.#options.signal);
    throw noneIsLeft(this.results);
  }
}

function noneIsLeft(results: readonly FanOutResult[]): unknown {
  const [first] = results;
  if (results.every(({ error }) => error === first?.error)) return first?.error;
  const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));
  const known = results.map(({ error }) => error).find((error) => error instanceof HoldfastError);
  return new HoldfastError(known?.code ?? 'storage.failed', {
    message: `no storage took it: ${results.map(({ target, error }) => `${target.label}: ${reason(error)}`).join('; ')}`,
    ...(known === undefined ? {} : { hint: known.hint }),
    context: { storages: results.map(({ target }) => target.label) },
    cause: new AggregateError(results.map(({ error }) => error)),
  });
}
