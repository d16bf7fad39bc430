import { freeMemory } from '../../archive/worker/free-memory.ts';
import { leastPartBytes } from './part-sizes.ts';

/** How a {@link PartBuffer} cuts. */
export interface PartBufferOptions {
  /** The size of a part, by its index from 0; it never falls. */
  readonly partBytes: (index: number) => number;
  /** Something follows the last part, so that it must not be short. */
  readonly holdsBack: boolean;
}

/** A part that was cut off. Its memory is its own until it is released. */
export interface CutPart {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

/**
 * Cuts what is written into parts. Where a lane follows, its last part is a middle part of the object and must not be short: so a part is
 * held back until 5 MiB more are there, and takes what comes after it when that is less. Memory is used again: it is that of the parts that were
 * not released, and of two.
 */
export class PartBuffer {
  readonly #options: PartBufferOptions;
  readonly #heldBytes: number;
  readonly #allocated = new Set<Buffer>();
  #free: Buffer[] = [];
  /** A whole part that is held back, in memory that is a little longer. */
  #held: { readonly memory: Buffer; readonly bytes: Buffer } | undefined;
  /** There once something is taken into it: what was sent meanwhile may have been released by then. */
  #buffer: Buffer | undefined;
  #filledBytes = 0;
  #partBytes: number;
  #partCount = 0;
  /** All bytes so far. */
  takenBytes = 0;

  constructor(options: PartBufferOptions) {
    this.#options = options;
    this.#heldBytes = options.holdsBack ? leastPartBytes : 0;
    this.#partBytes = options.partBytes(0);
  }

  /** Whether there is a part to be sent, and no room for more before. */
  get isFull(): boolean {
    return this.#filledBytes === this.#limitBytes && (this.#heldBytes === 0 || this.#held !== undefined);
  }

  /** Copies bytes as far as there is room, and tells how many. */
  take(bytes: Uint8Array): number {
    this.#buffer ??= this.#allocate();
    const length = Math.min(bytes.length, this.#limitBytes - this.#filledBytes);
    this.#buffer.set(bytes.subarray(0, length), this.#filledBytes);
    this.#filledBytes += length;
    this.takenBytes += length;
    this.#hold();
    return length;
  }

  /** Cuts off the next part: all of the rest unless it is full. */
  part(): CutPart {
    if (!this.isFull) {
      const bytes = this.rest();
      this.close();
      return { bytes, release: () => undefined };
    }
    const held = this.#held ?? this.#whole();
    if (this.#held === undefined) this.#begin();
    this.#held = undefined;
    this.#hold();
    return { bytes: held.bytes, release: () => this.#free.push(held.memory) };
  }

  /** What is in no part yet. */
  rest(): Uint8Array {
    const rest = this.#buffer?.subarray(0, this.#filledBytes) ?? new Uint8Array(0);
    return this.#held === undefined ? rest : Buffer.concat([this.#held.bytes, rest]);
  }

  /** Lets go of all memory. */
  close(): void {
    this.#free = [];
    this.#held = undefined;
    this.#buffer = undefined;
    this.#filledBytes = 0;
  }

  /** As `close`, once nothing that was cut off is used any more: the memory is given back at once. */
  free(): void {
    this.close();
    for (const memory of this.#allocated) freeMemory(memory);
    this.#allocated.clear();
  }

  get #limitBytes(): number {
    return this.#held === undefined ? this.#partBytes : this.#heldBytes;
  }

  #whole(): { readonly memory: Buffer; readonly bytes: Buffer } {
    const memory = this.#buffer ?? Buffer.alloc(0);
    return { memory, bytes: memory.subarray(0, this.#filledBytes) };
  }

  /** Holds a part back once it is whole. */
  #hold(): void {
    if (this.#heldBytes === 0 || this.#held !== undefined || this.#filledBytes < this.#partBytes) return;
    this.#held = this.#whole();
    this.#begin();
  }

  #begin(): void {
    this.#partCount += 1;
    this.#partBytes = this.#options.partBytes(this.#partCount);
    this.#buffer = undefined;
    this.#filledBytes = 0;
  }

  #allocate(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined && free.length >= this.#partBytes) return free;
    // Where parts grow they do so slowly: what is allocated fits the next ones as well.
    const isEven = this.#options.partBytes(this.#partCount + 1) === this.#partBytes;
    const memory = Buffer.allocUnsafeSlow(isEven ? this.#partBytes : Math.ceil((this.#partBytes * 17) / 16));
    if (free !== undefined) this.#allocated.delete(free);
    this.#allocated.add(memory);
    return memory;
  }
}
