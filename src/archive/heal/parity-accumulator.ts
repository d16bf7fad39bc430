import assert from 'node:assert';
import { copyBytes } from '../../bytes.ts';
import {
  bandGeometry,
  blockSizeBytes,
  bodySizeBytes,
  frameSizeBytes,
  type StripeShape,
  stripesPerBand,
} from './geometry.ts';
import { createKernel, type Kernel } from './kernel.ts';
import { basis, groupTablesSizeBytes, writeGroupTables } from './novel-basis.ts';
import { parityLocator, roundRows, tableSizeBytes, writeSolvingTables } from './reed-solomon.ts';

/** Blocks that are taken at a time: 8 of each of 64 stripes, which a kernel transforms together. */
export const chunkBlocks = 8 * stripesPerBand;

/** The sums for one number of stripes. */
interface Level {
  readonly stripes: number;
  /** Where the sums of stripe 0 begin in the kernel's memory. */
  readonly offset: number;
  /** Which stripes have sums other than zero. */
  readonly touched: Uint8Array;
}

/**
 * Makes the parity of a band while its data blocks come, in any order: sums them in the novel basis, and solves the parity in the same place at
 * the end. How many stripes the band has is known then only, so it sums for 64 all the time, and for 8 and for 1 while the
 * band is short enough for these. It is fastest with chunks that begin at a multiple of `chunkBlocks`.
 * Memory: (64 + 8 + 1)·M·4,048 bytes (M rounded up to a multiple of 8) and 2 MiB for blocks: 6.6 MiB for M = 16.
 */
export class ParityAccumulator {
  readonly #shape: StripeShape;
  readonly #rowCount: number;
  readonly kernel: Kernel;
  /** Where it takes blocks from. It leaves them as they are until {@link solve}. */
  readonly chunkOffset: number;
  /** Room in the kernel's memory for the frame of who makes the blocks there. */
  readonly frameOffset: number;
  readonly #zerosOffset: number;
  readonly #levels: readonly Level[];

  constructor(shape: StripeShape) {
    const { dataBlocks, parityBlocks } = shape;
    assert(dataBlocks >= 1 && parityBlocks >= 2 && parityBlocks <= 64 && dataBlocks + parityBlocks <= 255);
    this.#shape = { dataBlocks, parityBlocks };
    this.#rowCount = roundRows(parityBlocks);
    this.chunkOffset = groupTablesSizeBytes(this.#rowCount);
    this.frameOffset = this.chunkOffset + chunkBlocks * blockSizeBytes;
    this.#zerosOffset = this.frameOffset + frameSizeBytes;
    let end = this.#zerosOffset + bodySizeBytes;
    this.#levels = [stripesPerBand, 8, 1].map((stripes) => {
      const offset = end;
      end += stripes * this.#rowCount * bodySizeBytes;
      return { stripes, offset, touched: new Uint8Array(stripes) };
    });
    this.kernel = createKernel(end);
    writeGroupTables(this.kernel.memory, 0, this.#rowCount);
  }

  /** Whether it makes the parity of stripes of this shape. */
  isFor({ dataBlocks, parityBlocks }: StripeShape): boolean {
    return this.#shape.dataBlocks === dataBlocks && this.#shape.parityBlocks === parityBlocks;
  }

  /** Takes `count` framed data blocks (4,096 bytes each) that follow one another in the band from index `firstIndex` on. */
  add(blocks: Uint8Array, firstIndex: number, count: number): void {
    assert(blocks.length >= count * blockSizeBytes);
    for (let done = 0; done < count; ) {
      const chunk = Math.min(chunkBlocks - ((firstIndex + done) % chunkBlocks), count - done);
      copyBytes(
        blocks.subarray(done * blockSizeBytes, (done + chunk) * blockSizeBytes),
        this.kernel.memory,
        this.chunkOffset,
      );
      this.addChunk(firstIndex + done, chunk);
      done += chunk;
    }
  }

  /** The same for blocks that stand in the kernel's memory from `chunkOffset` on; at most `chunkBlocks`. */
  addChunk(firstIndex: number, count: number): void {
    assert(firstIndex >= 0 && firstIndex + count <= stripesPerBand * this.#shape.dataBlocks && count <= chunkBlocks);
    for (const level of this.#levels) {
      const capacity = level.stripes * this.#shape.dataBlocks;
      const countInLevel = Math.min(count, capacity - firstIndex);
      if (countInLevel > 0) this.#addToLevel(level, firstIndex, countInLevel);
    }
  }

  /** Adds the first `count` blocks of the chunk, stripe by stripe. */
  #addToLevel(level: Level, firstIndex: number, count: number): void {
    const { stripes } = level;
    for (let block = 0; block < Math.min(stripes, count); block++) {
      const stripe = (firstIndex + block) % stripes;
      level.touched[stripe] = 1;
      this.kernel.transform({
        source: this.chunkOffset + block * blockSizeBytes + frameSizeBytes,
        sourceStrideBytes: stripes * blockSizeBytes,
        sourceCount: Math.ceil((count - block) / stripes),
        firstIndex: Math.floor((firstIndex + block) / stripes),
        tables: 0,
        zeros: this.#zerosOffset,
        target: this.#sumsOffset(level, stripe),
        rowCount: this.#rowCount,
      });
    }
  }

  #sumsOffset(level: Level, stripe: number): number {
    return level.offset + stripe * this.#rowCount * bodySizeBytes;
  }

  #levelOf(bandDataBlocks: number): Level {
    const { stripes } = bandGeometry(bandDataBlocks, this.#shape);
    const level = this.#levels.find((candidate) => candidate.stripes === stripes);
    assert(level !== undefined);
    return level;
  }

  /**
   * Solves the parity of what was added, for a band that has turned out to have D data blocks. It stands where the sums were, for
   * {@link parityBody}; the chunk is overwritten. {@link clear} comes before the next band.
   */
  solve(bandDataBlocks: number): void {
    const { memory } = this.kernel;
    const { parityRows } = bandGeometry(bandDataBlocks, this.#shape);
    const rowCount = roundRows(parityRows);
    const solvedOffset = this.chunkOffset;
    const tables = solvedOffset + rowCount * bodySizeBytes;
    const rows = Uint8Array.from({ length: parityRows }, (_, row) => row);
    const matrix = Array.from(rows, (degree) => rows.map((row) => basis(degree, parityLocator(row))));
    writeSolvingTables(memory, tables, matrix);
    const level = this.#levelOf(bandDataBlocks);
    for (let stripe = 0; stripe < level.stripes; stripe++) {
      const source = this.#sumsOffset(level, stripe);
      memory.fill(0, solvedOffset, tables);
      this.kernel.accumulate({
        source,
        sourceStrideBytes: bodySizeBytes,
        sourceCount: parityRows,
        tables,
        tableStrideBytes: rowCount * tableSizeBytes,
        target: solvedOffset,
        rowCount,
      });
      memory.copyWithin(source, solvedOffset, solvedOffset + parityRows * bodySizeBytes);
    }
  }

  /** The body of a solved band's parity block `index`; a view, until {@link clear}. */
  parityBody(bandDataBlocks: number, index: number): Uint8Array {
    const level = this.#levelOf(bandDataBlocks);
    const row = Math.floor(index / level.stripes);
    const start = this.#sumsOffset(level, index % level.stripes) + row * bodySizeBytes;
    return this.kernel.memory.subarray(start, start + bodySizeBytes);
  }

  /** Forgets all that was added or solved. */
  clear(): void {
    for (const level of this.#levels) {
      for (let stripe = 0; stripe < level.stripes; stripe++) {
        if (level.touched[stripe] === 0) continue;
        const start = this.#sumsOffset(level, stripe);
        this.kernel.memory.fill(0, start, start + this.#rowCount * bodySizeBytes);
        level.touched[stripe] = 0;
      }
    }
  }
}
