import assert from 'node:assert/strict';
import { equalPartBytes, growingPartBytes, leastPartBytes } from './part-sizes.ts';

/** How a {@link PartBuffer} cuts. */
export interface PartBufferOptions {
  readonly lanes: number;
  readonly equalParts: boolean;
  readonly expectedSizeBytes?: number;
}

/** A part that was cut off. Its memory is its own until it is released. */
export interface CutPart {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

/**
 * Cuts what is written into parts. Where a lane follows, its last part is a middle part of the object and must not be short: so a part is
 * held back until 5 MiB more are there, and takes what comes after it when that is less. Memory is used again.
 */
export class PartBuffer {
  readonly #options: PartBufferOptions;
  readonly #heldBytes: number;
  #free: Buffer[] = [];
  /** A whole part that is held back, in memory that is a little longer. */
  #held: { readonly memory: Buffer; readonly bytes: Buffer } | undefined;
  #buffer: Buffer;
  #filledBytes = 0;
  #partBytes: number;
  #partCount = 0;
  /** All bytes so far. */
  takenBytes = 0;

  constructor(options: PartBufferOptions) {
    this.#options = options;
    this.#heldBytes = options.lanes > 1 ? leastPartBytes : 0;
    this.#partBytes = this.#sizeOf(0);
    this.#buffer = this.#allocate();
  }

  /** Whether there is a part to be sent, and no room for more before. */
  get isFull(): boolean {
    return this.#filledBytes === this.#limitBytes && (this.#heldBytes === 0 || this.#held !== undefined);
  }

  /** Copies bytes as far as there is room, and tells how many. */
  take(bytes: Uint8Array): number {
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
    const held = this.#held;
    const { memory, bytes } = held ?? { memory: this.#buffer, bytes: this.#buffer.subarray(0, this.#filledBytes) };
    this.#held = undefined;
    if (held === undefined) this.#begin();
    else this.#hold();
    return { bytes, release: () => this.#free.push(memory) };
  }

  /** What is in no part yet. */
  rest(): Uint8Array {
    const rest = this.#buffer.subarray(0, this.#filledBytes);
    return this.#held === undefined ? rest : Buffer.concat([this.#held.bytes, rest]);
  }

  /** Lets go of all memory. */
  close(): void {
    this.#free = [];
    this.#held = undefined;
    this.#buffer = Buffer.alloc(0);
    this.#filledBytes = 0;
  }

  get #limitBytes(): number {
    return this.#held === undefined ? this.#partBytes : this.#heldBytes;
  }

  /** Holds a part back once it is whole. */
  #hold(): void {
    if (this.#heldBytes === 0 || this.#held !== undefined || this.#filledBytes < this.#partBytes) return;
    this.#held = { memory: this.#buffer, bytes: this.#buffer.subarray(0, this.#partBytes) };
    this.#begin();
  }

  #begin(): void {
    this.#partCount += 1;
    this.#partBytes = this.#sizeOf(this.#partCount);
    this.#buffer = this.#allocate();
    this.#filledBytes = 0;
  }

  #sizeOf(index: number): number {
    const { equalParts, expectedSizeBytes, lanes } = this.#options;
    if (!equalParts) return growingPartBytes(index, lanes, expectedSizeBytes);
    assert(lanes === 1, 'parts that have to be alike are of one lane');
    return equalPartBytes(expectedSizeBytes);
  }

  #allocate(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined && free.length >= this.#partBytes) return free;
    // Where parts grow they do so slowly: what is allocated fits the next ones as well.
    const isEven = this.#sizeOf(this.#partCount + 1) === this.#partBytes;
    return Buffer.allocUnsafeSlow(isEven ? this.#partBytes : Math.ceil((this.#partBytes * 17) / 16));
  }
}
