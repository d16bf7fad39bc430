import type { FileHandle } from 'node:fs/promises';

/**
 * Syncs and closes files beside the writing of the next ones, so that thousands of small files share the disk's flushes.
 * Holds at most `limit` files open. The first failure is thrown by the next call.
 */
export class SyncPool {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly cause: unknown } | undefined;

  constructor(limit = 8) {
    this.#limit = limit;
  }

  /** Takes the handle over; waits while too many are under way. */
  async add(handle: FileHandle): Promise<void> {
    const task: Promise<void> = syncAndClose(handle)
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
      })
      .finally(() => this.#running.delete(task));
    this.#running.add(task);
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.#throwFailure();
  }

  /** Waits until everything is on the disk. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  /** Waits until nothing is open any more, whatever became of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
  }
}

async function syncAndClose(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
