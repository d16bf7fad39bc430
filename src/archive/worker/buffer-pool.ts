import assert from 'node:assert/strict';
import { alignedMemory } from './aligned-memory.ts';

/**
 * A bounded number of equal pieces of shared memory, aligned to pages: who wants one more waits. This is what bounds a run's memory.
 */
export class BufferPool {
  readonly sizeBytes: number;
  readonly #free: Uint8Array[] = [];
  /** Those that are lent, by their memory: a part or another view of one gives it back as well. */
  readonly #lent = new Map<ArrayBufferLike, Uint8Array>();
  readonly #waiting: { resolve: (buffer: Uint8Array) => void; reject: (error: unknown) => void }[] = [];
  #unallocated: number;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: { readonly count: number; readonly sizeBytes: number }) {
    this.#unallocated = options.count;
    this.sizeBytes = options.sizeBytes;
  }

  acquire(): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(this.#lend(free));
    if (this.#unallocated > 0) {
      this.#unallocated--;
      return Promise.resolve(this.#lend(alignedMemory(this.sizeBytes)));
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Takes back what was lent; any view of its memory will do. */
  release(buffer: Uint8Array): void {
    const own = this.#lent.get(buffer.buffer);
    assert(own !== undefined, 'only what is lent is given back, and once');
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve(own);
      return;
    }
    this.#lent.delete(own.buffer);
    this.#free.push(own);
  }

  /** Wakes all who wait with the error: their pipeline has failed elsewhere. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure.error);
  }

  #lend(buffer: Uint8Array): Uint8Array {
    this.#lent.set(buffer.buffer, buffer);
    return buffer;
  }
}
