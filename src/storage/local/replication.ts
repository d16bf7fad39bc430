import { HoldfastError } from '../../errors.ts';
import type { RandomAccess } from '../storage.ts';
import type { PartialFile } from './partial-file.ts';

/** What a {@link Replication} makes: `copies - 1` further runs behind the first one of `runBytes`. */
export interface ReplicationOptions {
  readonly file: Pick<PartialFile, 'buffers' | 'read' | 'write' | 'hasHoles'>;
  readonly runBytes: number;
  readonly copies: number;
  readonly onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Called before each step; throws when the writer was stopped. */
  readonly throwIfStopped: () => void;
}

interface Waiting {
  readonly made: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes the further copies piece by piece: a piece of the run is read once, and written behind for each copy. Two pieces are under way at
 * once, so that one is read while the other is written. A piece that somebody waits for is made before the others.
 */
export class Replication {
  readonly #options: ReplicationOptions;
  readonly #pieceBytes: number;
  readonly #pieceCount: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #urgent: number[] = [];
  /** Pieces that were taken out of turn, from `#next` on. */
  readonly #taken = new Set<number>();
  /** Pieces that were made, from `#madeUpTo` on. */
  readonly #made = new Set<number>();
  #next = 0;
  #madeUpTo = 0;
  #doneBytes = 0;
  #ended: { readonly error: unknown } | undefined;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#pieceBytes = options.file.buffers[0].length;
    this.#pieceCount = options.copies === 1 ? 0 : Math.ceil(options.runBytes / this.#pieceBytes);
  }

  get sizeBytes(): number {
    return this.#options.runBytes * this.#options.copies;
  }

  /** Makes all pieces. When one fails, so do all who wait. */
  async run(): Promise<void> {
    const lanes = this.#options.file.buffers.map((buffer) => this.#makePieces(buffer));
    for (const lane of lanes) lane.catch((error: unknown) => this.stop(error));
    await Promise.allSettled(lanes);
    if (this.#ended) throw this.#ended.error;
  }

  /** Makes no further piece; who waits for one is sent away. The first error stays. */
  stop(error: unknown): void {
    this.#ended ??= { error };
    for (const waiting of this.#waiting.values()) waiting.reject(this.#refusal());
    this.#waiting.clear();
  }

  /** A view of the whole file that is still being made: a read waits until what it reaches is there. */
  view(access: RandomAccess): RandomAccess {
    const { sizeBytes } = this;
    return {
      sizeBytes,
      read: async (offset, into) => {
        await this.#untilMade(offset, Math.min(offset + into.length, sizeBytes));
        return access.read(offset, into);
      },
      close: () => access.close(),
    };
  }

  async #untilMade(start: number, end: number): Promise<void> {
    this.#throwIfEnded();
    const { runBytes } = this.#options;
    const waits: Promise<void>[] = [];
    for (let offset = Math.max(start, runBytes); offset < end; ) {
      const inRun = offset % runBytes;
      const piece = Math.floor(inRun / this.#pieceBytes);
      if (piece >= this.#madeUpTo && !this.#made.has(piece)) waits.push(this.#waitFor(piece));
      offset += Math.min(runBytes, (piece + 1) * this.#pieceBytes) - inRun;
    }
    await Promise.all(waits);
  }

  #waitFor(piece: number): Promise<void> {
    const known = this.#waiting.get(piece);
    if (known) return known.made;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Of a read that waits for several pieces only one failure is thrown.
    promise.catch(() => undefined);
    this.#waiting.set(piece, { made: promise, resolve, reject });
    if (piece >= this.#next && !this.#taken.has(piece) && this.#options.file.hasHoles) this.#urgent.push(piece);
    return promise;
  }

  #take(): number | undefined {
    for (let piece = this.#urgent.shift(); piece !== undefined; piece = this.#urgent.shift()) {
      if (piece < this.#next || this.#taken.has(piece)) continue;
      this.#taken.add(piece);
      return piece;
    }
    while (this.#taken.delete(this.#next)) this.#next += 1;
    if (this.#next >= this.#pieceCount) return undefined;
    this.#next += 1;
    return this.#next - 1;
  }

  async #makePieces(buffer: Uint8Array): Promise<void> {
    const { file, runBytes, copies, onProgress } = this.#options;
    const totalBytes = runBytes * (copies - 1);
    for (let piece = this.#take(); piece !== undefined; piece = this.#take()) {
      const offset = piece * this.#pieceBytes;
      const bytes = buffer.subarray(0, Math.min(this.#pieceBytes, runBytes - offset));
      this.#throwIfEnded();
      await file.read(bytes, offset);
      for (let copy = 1; copy < copies; copy += 1) {
        this.#throwIfEnded();
        await file.write(bytes, copy * runBytes + offset);
        this.#doneBytes += bytes.length;
        onProgress?.(this.#doneBytes, totalBytes);
      }
      this.#finishPiece(piece);
    }
  }

  #finishPiece(piece: number): void {
    this.#made.add(piece);
    while (this.#made.delete(this.#madeUpTo)) this.#madeUpTo += 1;
    this.#waiting.get(piece)?.resolve();
    this.#waiting.delete(piece);
  }

  #throwIfEnded(): void {
    this.#options.throwIfStopped();
    if (this.#ended) throw this.#refusal();
  }

  /** Not the error itself: a reader that tolerates sectors which cannot be read must not go on as if this were one. */
  #refusal(): HoldfastError {
    return new HoldfastError('operation.interrupted', { cause: this.#ended?.error });
  }
}
