import { freeMemory } from '../../archive/worker/free-memory.ts';
import type { SharedPiece } from '../fan-out/shared-pieces.ts';

/** Counts what waits to be written by one lane. */
export class Backlog {
  #waitingBytes = 0;
  #written = Promise.withResolvers<void>();

  /** A piece for the lane alone. The bytes are its own: their memory goes once they are written. */
  piece(bytes: Uint8Array): SharedPiece {
    const { length } = bytes;
    this.#waitingBytes += length;
    return {
      bytes,
      release: (isStillRead) => {
        this.#waitingBytes -= length;
        if (!isStillRead) freeMemory(bytes);
        this.#written.resolve();
        this.#written = Promise.withResolvers<void>();
      },
    };
  }

  /** Resolves when no more than so many bytes wait. */
  async settle(mostBytes: number): Promise<void> {
    while (this.#waitingBytes > mostBytes) await this.#written.promise;
  }
}
