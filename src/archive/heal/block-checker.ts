import { asBuffer, copyBytes } from '../../bytes.ts';
import { blockKind, type Frame, frameBytes } from './block.ts';
import { blockSizeBytes, frameSizeBytes } from './geometry.ts';
import { createKernel, type Kernel } from './kernel.ts';

/** Blocks that are checked at a time: 1 MiB stays in a processor's cache. */
const chunkBlocks = 256;
const frameOffset = chunkBlocks * blockSizeBytes;
const resultsOffset = frameOffset + frameSizeBytes;

/** Blocks that follow one another, and whose frames differ by their position alone. */
export interface FrameRun {
  /** Of the first block. */
  readonly frame: Frame;
  readonly count: number;
}

/** Checks blocks against the frames and hashes that they must have, many at a time. Memory: 1 MiB. */
export class BlockChecker {
  readonly #kernel: Kernel = createKernel(resultsOffset + chunkBlocks);

  /** For each block of the runs, which lie one after the other in `blocks`: 1 where it is intact, else 0. */
  check(blocks: Uint8Array, archiveId: Uint8Array, runs: readonly FrameRun[]): Uint8Array {
    const results = new Uint8Array(runs.reduce((sum, { count }) => sum + count, 0));
    const { memory } = this.#kernel;
    let index = 0;
    for (const { frame, count } of runs) {
      for (let done = 0; done < count; done += chunkBlocks) {
        const chunk = Math.min(chunkBlocks, count - done);
        copyBytes(blocks.subarray(index * blockSizeBytes, (index + chunk) * blockSizeBytes), memory, 0);
        memory.set(frameBytes(archiveId, { ...frame, position: frame.position + done }), frameOffset);
        const isData = frame.kind === blockKind.data;
        this.#kernel.checkBlocks({ blocks: 0, count: chunk, frame: frameOffset, isData, results: resultsOffset });
        results.set(memory.subarray(resultsOffset, resultsOffset + chunk), index);
        index += chunk;
      }
    }
    return results;
  }

  /** The same for several readings of the blocks: the readings in which a block is intact, as bits. Equal readings are checked once. */
  checkLayers(layers: readonly Uint8Array[], archiveId: Uint8Array, runs: readonly FrameRun[]): Uint16Array {
    const [first] = layers;
    const checked = layers.map((layer, number) => {
      if (number > 0 && first !== undefined && asBuffer(first).equals(layer)) return undefined;
      return this.check(layer, archiveId, runs);
    });
    const bits = new Uint16Array(runs.reduce((sum, { count }) => sum + count, 0));
    for (const [number, intact] of checked.entries()) {
      const results = intact ?? checked[0];
      for (let index = 0; index < bits.length; index++) {
        if (results?.[index] === 1) bits[index] = (bits[index] ?? 0) | (1 << number);
      }
    }
    return bits;
  }
}
