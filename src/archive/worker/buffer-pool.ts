import assert from 'node:assert/strict';
import { BulkMemory } from './bulk-memory.ts';

interface Waiting {
  readonly count: number;
  readonly resolve: (buffers: Uint8Array[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A bounded number of equal pieces of shared memory, aligned to pages: who wants more than there are waits, in turn. This is what bounds
 * a run's memory. What is released serves other pools of the run too: nothing may write to it any more.
 */
export class BufferPool {
  readonly sizeBytes: number;
  readonly #memory: BulkMemory;
  readonly #count: number;
  /** Those that are lent, by their memory: a part or another view of one gives it back as well. */
  readonly #lent = new Map<ArrayBufferLike, Uint8Array>();
  readonly #waiting: Waiting[] = [];
  #left: number;
  #failure: { readonly error: unknown } | undefined;

  /** The memory is that of the run; a pool of its own may do without. */
  constructor(options: { readonly count: number; readonly sizeBytes: number; readonly memory?: BulkMemory }) {
    this.#count = options.count;
    this.#left = options.count;
    this.sizeBytes = options.sizeBytes;
    this.#memory = options.memory ?? new BulkMemory();
  }

  async acquire(): Promise<Uint8Array> {
    const [buffer] = await this.acquireSeveral(1);
    assert(buffer !== undefined);
    return buffer;
  }

  /** Several at once: whoever took them one by one would wait for others that do the same. */
  acquireSeveral(count: number): Promise<Uint8Array[]> {
    assert(count <= this.#count, 'nobody waits for more than there are');
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count, resolve, reject });
      this.#serve();
    });
  }

  /** Takes back what was lent; any view of its memory will do. */
  release(buffer: Uint8Array): void {
    const own = this.#lent.get(buffer.buffer);
    assert(own !== undefined, 'only what is lent is given back, and once');
    this.#lent.delete(own.buffer);
    this.#memory.giveBack(own.buffer);
    this.#left++;
    this.#serve();
  }

  /** Wakes all who wait with the error: their pipeline has failed elsewhere. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure.error);
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#left < next.count) return;
      this.#waiting.shift();
      next.resolve(Array.from({ length: next.count }, () => this.#lend()));
    }
  }

  #lend(): Uint8Array {
    this.#left--;
    const buffer = this.#memory.take(this.sizeBytes).subarray(0, this.sizeBytes);
    this.#lent.set(buffer.buffer, buffer);
    return buffer;
  }
}
