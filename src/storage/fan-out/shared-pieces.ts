import { freeMemory } from '../../archive/worker/free-memory.ts';

/** Bytes that several lanes write. */
export interface SharedPiece {
  readonly bytes: Uint8Array;
  /** A lane needs it no more. `isStillRead`: what the lane began may go on reading, so the memory must stay as it is. */
  release(isStillRead: boolean): void;
}

/**
 * A fixed number of buffers that each hold a piece of what is written, for all lanes together. One is used again when the last lane has
 * released it: memory made anew for each piece would pile up until it is collected.
 */
export class SharedPieces {
  readonly #pieceBytes: number;
  readonly #lanes: number;
  readonly #free: Uint8Array[] = [];
  #unallocated: number;
  #isClosed = false;
  #freed = Promise.withResolvers<void>();

  constructor(options: { readonly count: number; readonly pieceBytes: number; readonly lanes: number }) {
    this.#pieceBytes = options.pieceBytes;
    this.#unallocated = options.count;
    this.#lanes = options.lanes;
  }

  /** Copies the beginning of the bytes, as soon as there is room. Each lane releases it once. */
  async fill(bytes: Uint8Array): Promise<SharedPiece> {
    const buffer = await this.#take();
    const length = Math.min(bytes.length, buffer.length);
    buffer.set(bytes.subarray(0, length));
    let users = this.#lanes;
    let isFit = true;
    const release = (isStillRead: boolean): void => {
      users -= 1;
      if (isStillRead) isFit = false;
      if (users === 0) this.#giveBack(isFit ? buffer : undefined);
    };
    return { bytes: buffer.subarray(0, length), release };
  }

  /** Nothing is filled any more: memory goes as it becomes free. */
  close(): void {
    this.#isClosed = true;
    for (const buffer of this.#free.splice(0)) freeMemory(buffer);
  }

  async #take(): Promise<Uint8Array> {
    for (;;) {
      const free = this.#free.pop();
      if (free !== undefined) return free;
      if (this.#unallocated > 0) {
        this.#unallocated -= 1;
        return new Uint8Array(this.#pieceBytes);
      }
      await this.#freed.promise;
    }
  }

  #giveBack(buffer: Uint8Array | undefined): void {
    if (buffer === undefined) this.#unallocated += 1;
    else if (this.#isClosed) freeMemory(buffer);
    else this.#free.push(buffer);
    this.#freed.resolve();
    this.#freed = Promise.withResolvers();
  }
}
