import type { FileHandle } from 'node:fs/promises';
import { TaskPool } from './task-pool.ts';

/**
 * Syncs and closes files beside the writing of the next ones, so that thousands of small files share the disk's flushes.
 * Holds at most `limit` files open. The first failure is thrown by the next call.
 */
export class SyncPool {
  readonly #tasks: TaskPool;

  constructor(limit = 8) {
    this.#tasks = new TaskPool(limit);
  }

  /** Takes the handle over; waits while too many are under way. */
  async add(handle: FileHandle): Promise<void> {
    await this.#tasks.add(() => syncAndClose(handle));
  }

  /** Waits until everything is on the disk. */
  async drain(): Promise<void> {
    await this.#tasks.drain();
  }

  /** Waits until nothing is open any more, whatever became of it. */
  async settle(): Promise<void> {
    await this.#tasks.settle();
  }
}

async function syncAndClose(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
