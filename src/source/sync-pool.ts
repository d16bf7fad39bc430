import { close, fsync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
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

  /** The same for files that another thread has opened: all of them are closed, also when one fails. */
  async addDescriptors(files: readonly number[]): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    for (const file of files) {
      try {
        await this.#tasks.add(() => syncAndCloseDescriptor(file));
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
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

const syncDescriptor = promisify(fsync);
const closeDescriptor = promisify(close);

async function syncAndCloseDescriptor(file: number): Promise<void> {
  try {
    await syncDescriptor(file);
  } finally {
    await closeDescriptor(file);
  }
}
