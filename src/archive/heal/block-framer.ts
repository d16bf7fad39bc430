import assert from 'node:assert/strict';
import type { FrameTask } from '../worker/protocol.ts';
import { asBuffer, blockKind, frameBytes } from './block.ts';
import { blockSizeBytes, frameSizeBytes, payloadSizeBytes, type StripeShape } from './geometry.ts';
import { chunkBlocks, ParityAccumulator } from './parity-accumulator.ts';

/**
 * Makes data blocks of payloads, and sums their parity, all in the memory of one kernel. One thread's part of the work on a band.
 * Memory: that of a {@link ParityAccumulator}.
 */
export class BlockFramer {
  readonly #archiveId: Uint8Array;
  readonly #parity: ParityAccumulator;
  readonly #chunk: Buffer;

  constructor(archiveId: Uint8Array, shape: StripeShape) {
    this.#archiveId = archiveId;
    this.#parity = new ParityAccumulator(shape);
    const { kernel, chunkOffset } = this.#parity;
    this.#chunk = asBuffer(kernel.memory.subarray(chunkOffset, chunkOffset + chunkBlocks * blockSizeBytes));
  }

  /** The `frame` task. */
  frame(task: FrameTask): undefined {
    const { count, blocks } = task;
    if (task.lost) {
      // Zeros add nothing to the parity.
      blocks.fill(0, 0, count * blockSizeBytes);
      return undefined;
    }
    const payloads = new PayloadSource(task.pieces);
    for (let done = 0; done < count; done += chunkBlocks) {
      const chunk = Math.min(chunkBlocks, count - done);
      payloads.fill(this.#chunk, chunk);
      this.#seal(task.firstPosition + done, chunk);
      this.#parity.addChunk(task.firstIndex + done, chunk);
      blocks.set(this.#chunk.subarray(0, chunk * blockSizeBytes), done * blockSizeBytes);
    }
    return undefined;
  }

  /** See {@link ParityAccumulator.take}. */
  takeParity(bandDataBlocks: number): Uint8Array {
    return this.#parity.take(bandDataBlocks);
  }

  #seal(position: number, count: number): void {
    const { kernel, chunkOffset, frameOffset } = this.#parity;
    const frame = frameBytes(this.#archiveId, { position, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
    kernel.memory.set(frame, frameOffset);
    kernel.sealBlocks({ blocks: chunkOffset, count, frame: frameOffset, isData: true });
  }
}

/** Joined pieces that are copied to where payloads stand in blocks. */
class PayloadSource {
  readonly #pieces: Buffer[];
  /** What was taken of the first piece. */
  #taken = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces.map(asBuffer);
  }

  /** Fills the payloads of the first `count` blocks with the bytes that come next. */
  fill(blocks: Buffer, count: number): void {
    for (let block = 0; block < count; block++) {
      const start = block * blockSizeBytes + frameSizeBytes;
      for (let filled = 0; filled < payloadSizeBytes; )
        filled += this.#copy(blocks, start + filled, payloadSizeBytes - filled);
    }
  }

  #copy(target: Buffer, offset: number, wanted: number): number {
    const [piece] = this.#pieces;
    assert(piece !== undefined, 'there are fewer bytes than payloads');
    const copied = piece.copy(target, offset, this.#taken, Math.min(piece.length, this.#taken + wanted));
    this.#taken += copied;
    if (this.#taken === piece.length) {
      this.#pieces.shift();
      this.#taken = 0;
    }
    return copied;
  }
}
