import assert from 'node:assert/strict';
import { asBuffer, copyBytes } from '../../bytes.ts';
import type { FrameTask, ParityTask } from '../worker/protocol.ts';
import { blockKind, type Frame, frameBytes } from './block.ts';
import { bandGeometry, blockSizeBytes, frameSizeBytes, payloadSizeBytes, type StripeShape } from './geometry.ts';
import { chunkBlocks, ParityAccumulator } from './parity-accumulator.ts';

/**
 * Makes data blocks of payloads and parity blocks of these, band after band, all in the memory of one kernel. Blocks wait there until there are
 * enough to be summed at once.
 * Memory: that of a {@link ParityAccumulator}.
 */
export class BlockFramer {
  readonly #archiveId: Uint8Array;
  readonly #shape: StripeShape;
  readonly #parity: ParityAccumulator;
  readonly #chunk: Buffer;
  /** Data blocks of the band so far; the last of them, up to a multiple of `chunkBlocks`, wait in the chunk. */
  #bandData = 0;

  /** The accumulator is one of that shape, which holds nothing, and the framer's alone from then on. */
  constructor(archiveId: Uint8Array, shape: StripeShape, parity = new ParityAccumulator(shape)) {
    this.#archiveId = archiveId;
    this.#shape = shape;
    this.#parity = parity;
    const { kernel, chunkOffset } = this.#parity;
    this.#chunk = asBuffer(kernel.memory.subarray(chunkOffset, chunkOffset + chunkBlocks * blockSizeBytes));
  }

  /** Gives the accumulator up, holding nothing; the framer is of no use any more. */
  release(): ParityAccumulator {
    this.#parity.clear();
    return this.#parity;
  }

  /** The `frame` task. */
  frame(task: FrameTask): undefined {
    assert(task.firstIndex === this.#bandData, 'blocks come in order');
    const payloads = new PayloadSource(task.pieces);
    for (let done = 0; done < task.count; ) {
      const waiting = this.#bandData % chunkBlocks;
      const count = Math.min(chunkBlocks - waiting, task.count - done);
      const blocks = this.#chunk.subarray(waiting * blockSizeBytes, (waiting + count) * blockSizeBytes);
      if (task.lost) {
        // Zeros add nothing to the parity.
        blocks.fill(0);
      } else {
        payloads.fill(blocks, count);
        const position = task.firstPosition + done;
        this.#seal(waiting, count, { position, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
      }
      copyBytes(blocks, task.blocks, done * blockSizeBytes);
      done += count;
      this.#bandData += count;
      if (waiting + count === chunkBlocks) this.#parity.addChunk(this.#bandData - chunkBlocks, chunkBlocks);
    }
    return undefined;
  }

  /** The `parity` task: the first one of a band ends it, and after the last one another band may begin. */
  parity(task: ParityTask): undefined {
    const { bandDataBlocks, firstIndex } = task;
    assert(bandDataBlocks === this.#bandData, 'a band ends with all of its blocks');
    const { stripes, parityRows } = bandGeometry(bandDataBlocks, this.#shape);
    if (firstIndex === 0) {
      const waiting = bandDataBlocks % chunkBlocks;
      if (waiting > 0) this.#parity.addChunk(bandDataBlocks - waiting, waiting);
      this.#parity.solve(bandDataBlocks);
    }
    for (let done = 0; done < task.count; ) {
      const index = firstIndex + done;
      const ordinal = Math.floor(index / stripes);
      const count = Math.min(task.count - done, (ordinal + 1) * stripes - index);
      for (let block = 0; block < count; block++) {
        this.#chunk.set(
          this.#parity.parityBody(bandDataBlocks, index + block),
          block * blockSizeBytes + frameSizeBytes,
        );
      }
      const position = task.firstPosition + done;
      this.#seal(0, count, { position, bandDataBlocks, kind: blockKind.parity, ordinal });
      copyBytes(this.#chunk.subarray(0, count * blockSizeBytes), task.blocks, done * blockSizeBytes);
      done += count;
    }
    if (firstIndex + task.count === stripes * parityRows) {
      this.#parity.clear();
      this.#bandData = 0;
    }
    return undefined;
  }

  /** Seals blocks of the chunk. */
  #seal(firstBlock: number, count: number, frame: Frame): void {
    const { kernel, chunkOffset, frameOffset } = this.#parity;
    kernel.memory.set(frameBytes(this.#archiveId, frame), frameOffset);
    const blocks = chunkOffset + firstBlock * blockSizeBytes;
    kernel.sealBlocks({ blocks, count, frame: frameOffset, isData: frame.kind === blockKind.data });
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
