import { alignedMemory } from './aligned-memory.ts';

/** Sizes are rounded up to these, so that buffers of nearly one size can stand in for each other. */
const granuleBytes = 768 * 1024;

/** Large buffers of one run, aligned and shared between its threads: what one step of the run gives back serves the next. */
export class BulkMemory {
  readonly #free: ArrayBufferLike[] = [];

  /** Memory of at least this size, up to a granule more; what stands in it is of no meaning. */
  take(sizeBytes: number): Uint8Array {
    const wanted = sizeBytes < granuleBytes ? sizeBytes : Math.ceil(sizeBytes / granuleBytes) * granuleBytes;
    const index = this.#free.findIndex(({ byteLength }) => byteLength >= wanted && byteLength < wanted + granuleBytes);
    const [buffer] = index === -1 ? [] : this.#free.splice(index, 1);
    return buffer === undefined ? alignedMemory(wanted) : new Uint8Array(buffer);
  }

  /** Takes back what nobody uses any more. */
  giveBack(buffer: ArrayBufferLike): void {
    this.#free.push(buffer);
  }
}
