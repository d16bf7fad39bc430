import { type Range, RangeSet } from '../archive/range-set.ts';
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from './storage.ts';

/** Shorter reads of the first run are not copied on: a write for each would cost more than it saves. */
const leastCopiedBytes = 256 * 1024;
const blockBytes = 4096;

/** The unfinished file that copies are made in. */
export interface ReplicatedFile {
  /** Memory for what is moved without a reader's. */
  readonly buffers: readonly [Uint8Array, Uint8Array];
  /** Whether writing beyond the end costs nothing for what is left out. */
  readonly hasHoles: boolean;
  /** Fills `into` with what stands at a place. */
  read(into: Uint8Array, offset: number): Promise<void>;
  /** Writes bytes at a place. Several may be under way at once. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
}

/** What a {@link Replication} makes: `copies - 1` further runs behind the first one of `runBytes`. */
export interface ReplicationOptions {
  readonly file: ReplicatedFile;
  readonly runBytes: number;
  readonly copies: number;
  /** What of the run stands in all copies already. */
  readonly made?: RangeSet | undefined;
  readonly onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Called before each step; throws when the writer was stopped. */
  readonly throwIfStopped: () => void;
}

/** A range of the run that is being written behind. */
interface UnderWay extends Range {
  readonly made: Promise<void>;
}

/**
 * Makes the further copies while the first run is read back: what a reader of the view gets from the run is written behind it from the
 * reader's own memory, so that it is read once. What nobody reads is copied at the end, and what is wanted of a further copy before that
 * is made at once.
 */
export class Replication {
  readonly #options: ReplicationOptions;
  /** In the run: what stands in all copies. */
  readonly #made: RangeSet;
  readonly #underWay = new Set<UnderWay>();
  readonly #freeBuffers: Uint8Array[];
  readonly #waitingForBuffer: ((buffer: Uint8Array) => void)[] = [];
  #doneBytes = 0;
  #ended: { readonly error: unknown } | undefined;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#freeBuffers = [...options.file.buffers];
    this.#made = options.made ?? new RangeSet();
    if (options.copies === 1) this.#made.add(0, options.runBytes);
    let missingBytes = 0;
    for (const gap of this.#made.gaps(0, options.runBytes)) missingBytes += gap.end - gap.start;
    this.#doneBytes = (options.runBytes - missingBytes) * (options.copies - 1);
  }

  get sizeBytes(): number {
    return this.#options.runBytes * this.#options.copies;
  }

  /** Copies all that is missing. Throws the first error of any step, and what `stop` was given. */
  async finish(): Promise<void> {
    const lanes = this.#options.file.buffers.map(() => this.#makeGaps().catch((error: unknown) => this.stop(error)));
    await Promise.all(lanes);
    // Nothing of this touches the file any more when this ends.
    await Promise.allSettled([...this.#underWay].map((range) => range.made));
    if (this.#ended) throw this.#ended.error;
  }

  /** Makes nothing more; who waits is sent away. The first error stays. */
  stop(error: unknown): void {
    this.#ended ??= { error };
  }

  /** A view of the whole file that is still being made. */
  view(access: RandomAccess): RandomAccess {
    const { sizeBytes } = this;
    const { runBytes } = this.#options;
    return {
      sizeBytes,
      isSequential: access.isSequential,
      read: async (offset, into) => {
        this.#refuseWhenEnded();
        const end = Math.min(offset + into.length, sizeBytes);
        if (end <= runBytes && end - offset >= leastCopiedBytes) {
          const part = into.subarray(0, end - offset);
          const reading = access.read(offset, part);
          await this.#refuseAfterFailure(() => this.#copyOn(offset, part, reading));
          return await reading;
        }
        await this.#refuseAfterFailure(() => this.#untilMade(offset, end));
        return await access.read(offset, into);
      },
      close: () => access.close(),
    };
  }

  /** Not the error itself: a reader that tolerates sectors which cannot be read must not go on as if this were one. */
  async #refuseAfterFailure(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.stop(error);
    }
    this.#refuseWhenEnded();
  }

  #refuseWhenEnded(): void {
    try {
      this.#throwIfEnded();
    } catch (error) {
      this.stop(error);
      throw new HoldfastError('operation.interrupted', { cause: error });
    }
  }

  /** Waits for, or makes, what lies behind the first run between two offsets. */
  async #untilMade(start: number, end: number): Promise<void> {
    const { runBytes, file } = this.#options;
    for (let offset = Math.max(start, runBytes); offset < end; ) {
      const inRun = offset % runBytes;
      const length = Math.min(runBytes - inRun, end - offset);
      // Where a hole would be filled with zeros, all that stands before comes first.
      const from = file.hasHoles ? inRun - (inRun % blockBytes) : 0;
      const to = Math.min(Math.ceil((inRun + length) / blockBytes) * blockBytes, runBytes);
      await this.#ensure(from, to);
      offset += length;
    }
  }

  async #ensure(start: number, end: number): Promise<void> {
    for (;;) {
      this.#throwIfEnded();
      const [gap] = this.#made.gaps(start, end);
      if (gap === undefined) return;
      const others = [...this.#underWay].filter((range) => range.start < gap.end && range.end > gap.start);
      if (others.length > 0) await Promise.all(others.map((range) => range.made));
      else await this.#make(gap);
    }
  }

  /**
   * Writes bytes of the run, when they were read, behind it where that is not done yet. It is under way from now on, so that nobody
   * makes the same meanwhile. A read that fails makes nothing.
   */
  async #copyOn(offset: number, bytes: Uint8Array, reading: Promise<number>): Promise<void> {
    // Its error is for the reader, when what was begun has ended.
    reading.catch(() => undefined);
    const free = this.#free(offset, offset + bytes.length);
    if (!this.#options.file.hasHoles && free[0]?.start !== this.#free(0, this.#options.runBytes)[0]?.start) return;
    const copy = async (gap: Range) => {
      const length = await reading.catch(() => 0);
      if (length === bytes.length) await this.#write(gap, bytes.subarray(gap.start - offset, gap.end - offset));
    };
    await Promise.all(free.map((gap) => this.#begin(gap, () => copy(gap))));
  }

  /** What is neither made nor under way. */
  #free(start: number, end: number): Range[] {
    const taken = new RangeSet();
    for (const range of this.#underWay) taken.add(range.start, range.end);
    return [...this.#made.gaps(start, end)].flatMap((gap) => [...taken.gaps(gap.start, gap.end)]);
  }

  async #makeGaps(): Promise<void> {
    for (;;) {
      this.#throwIfEnded();
      const [gap] = this.#free(0, this.#options.runBytes);
      if (gap === undefined) return;
      await this.#make(gap);
    }
  }

  /** Makes the beginning of a gap that nobody makes. */
  #make(gap: Range): Promise<void> {
    const [{ length }] = this.#options.file.buffers;
    const piece = { start: gap.start, end: Math.min(gap.end, gap.start + length) };
    return this.#begin(piece, async () => {
      const buffer = this.#freeBuffers.pop() ?? (await this.#nextBuffer());
      try {
        const bytes = buffer.subarray(0, piece.end - piece.start);
        this.#throwIfEnded();
        await this.#options.file.read(bytes, piece.start);
        await this.#write(piece, bytes);
      } finally {
        const waiting = this.#waitingForBuffer.shift();
        if (waiting === undefined) this.#freeBuffers.push(buffer);
        else waiting(buffer);
      }
    });
  }

  #nextBuffer(): Promise<Uint8Array> {
    return new Promise((resolve) => this.#waitingForBuffer.push(resolve));
  }

  #begin(range: Range, work: () => Promise<void>): Promise<void> {
    const made = work().finally(() => this.#underWay.delete(underWay));
    const underWay = { ...range, made };
    this.#underWay.add(underWay);
    return made;
  }

  async #write(range: Range, bytes: Uint8Array): Promise<void> {
    const { file, runBytes, copies, onProgress } = this.#options;
    for (let copy = 1; copy < copies; copy += 1) {
      this.#throwIfEnded();
      await file.write(bytes, copy * runBytes + range.start);
      this.#doneBytes += bytes.length;
      onProgress?.(this.#doneBytes, runBytes * (copies - 1));
    }
    this.#made.add(range.start, range.end);
  }

  #throwIfEnded(): void {
    this.#options.throwIfStopped();
    if (this.#ended) throw this.#ended.error;
  }
}
