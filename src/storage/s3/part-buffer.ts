import assert from 'node:assert/strict';
import { equalPartBytes, growingPartBytes, leastPartBytes } from './part-sizes.ts';

/** How a {@link PartBuffer} cuts. */
export interface PartBufferOptions {
  readonly lanes: number;
  readonly equalParts: boolean;
  readonly expectedSizeBytes?: number;
}

/**
 * Cuts what is written into parts. Where a lane follows, its last part is a middle part of the object and must not be short: so the last 5 MiB are
 * held back until more comes, and become part of the last one. Memory is used again.
 */
export class PartBuffer {
  readonly #options: PartBufferOptions;
  readonly #heldBytes: number;
  #free: Buffer[] = [];
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
    return this.#filledBytes === this.#partBytes + this.#heldBytes;
  }

  /** Copies bytes as far as there is room, and tells how many. */
  take(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.#partBytes + this.#heldBytes - this.#filledBytes);
    this.#buffer.set(bytes.subarray(0, length), this.#filledBytes);
    this.#filledBytes += length;
    this.takenBytes += length;
    return length;
  }

  /** Cuts off the next part: all of the rest unless it is full. Its memory is its own until it is released. */
  part(): { readonly bytes: Uint8Array; readonly release: () => void } {
    const { isFull } = this;
    const buffer = this.#buffer;
    const bytes = buffer.subarray(0, isFull ? this.#partBytes : this.#filledBytes);
    const held = buffer.subarray(bytes.length, this.#filledBytes);
    this.#partCount += 1;
    this.#partBytes = this.#sizeOf(this.#partCount);
    this.#buffer = this.#allocate();
    this.#buffer.set(held);
    this.#filledBytes = held.length;
    return { bytes, release: () => this.#free.push(buffer) };
  }

  /** What is in no part yet. */
  rest(): Uint8Array {
    return this.#buffer.subarray(0, this.#filledBytes);
  }

  /** Lets go of all memory. */
  close(): void {
    this.#free = [];
    this.#buffer = Buffer.alloc(0);
    this.#filledBytes = 0;
  }

  #sizeOf(index: number): number {
    const { equalParts, expectedSizeBytes, lanes } = this.#options;
    if (!equalParts) return growingPartBytes(index, lanes);
    assert(lanes === 1, 'parts that have to be alike are of one lane');
    return equalPartBytes(expectedSizeBytes);
  }

  #allocate(): Buffer {
    const sizeBytes = this.#partBytes + this.#heldBytes;
    const free = this.#free.pop();
    if (free !== undefined && free.length >= sizeBytes) return free;
    // Parts grow slowly: what is allocated fits the next ones as well.
    return Buffer.allocUnsafeSlow(Math.ceil((sizeBytes * 17) / 16));
  }
}
