/** A bounded number of equal pieces of shared memory: who wants one more waits. This is what bounds a run's memory. */
export class BufferPool {
  readonly sizeBytes: number;
  readonly #free: Uint8Array[] = [];
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
    if (free !== undefined) return Promise.resolve(free);
    if (this.#unallocated > 0) {
      this.#unallocated--;
      return Promise.resolve(new Uint8Array(new SharedArrayBuffer(this.sizeBytes)));
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  release(buffer: Uint8Array): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#free.push(buffer);
    else waiting.resolve(buffer);
  }

  /** Wakes all who wait with the error: their pipeline has failed elsewhere. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure.error);
  }
}
