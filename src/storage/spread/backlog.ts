import type { SharedPiece } from '../fan-out/shared-pieces.ts';

/** Counts what waits to be written by one lane. */
export class Backlog {
  #waitingBytes = 0;
  #written = Promise.withResolvers<void>();

  /** A piece for the lane alone. The bytes are its own: nobody else changes them. */
  piece(bytes: Uint8Array): SharedPiece {
    const { length } = bytes;
    this.#waitingBytes += length;
    return {
      bytes,
      release: () => {
        this.#waitingBytes -= length;
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
