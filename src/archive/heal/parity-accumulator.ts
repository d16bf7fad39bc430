import assert from 'node:assert';
import { powers } from './galois-field.ts';
import {
  bandGeometry,
  blockSizeBytes,
  bodySizeBytes,
  frameSizeBytes,
  type StripeShape,
  stripesPerBand,
} from './geometry.ts';
import { createKernel, type Kernel } from './kernel.ts';
import { roundRows, tableSizeBytes, writeSolvingTables, writeSyndromeTables } from './reed-solomon.ts';

/** Blocks that are taken at a time: 4 of each of 64 stripes, so that sums are loaded and stored once for 4 blocks. */
export const chunkBlocks = 4 * stripesPerBand;

/** The sums for one number of stripes. */
interface Level {
  readonly stripes: number;
  /** Where the sums of stripe 0 begin in the kernel's memory. */
  readonly offset: number;
  /** Which stripes have sums other than zero. */
  readonly touched: Uint8Array;
}

/**
 * Sums the syndromes of a band's stripes over the data blocks that it is given, in any order, while the band is made. How many stripes the
 * band has is known at its end only, so it sums for 64 all the time, and for 8 and for 1 while the band is short enough for
 * these. Several may each take a part of a band: see {@link finishParity}.
 * Memory: (64 + 8 + 1)·M·4,048 bytes (M rounded up to a multiple of 8), 1 MiB for blocks and K·M·32 bytes of tables: 5.8 MiB for 239 + 16.
 */
export class ParityAccumulator {
  readonly #shape: StripeShape;
  readonly #rowCount: number;
  readonly kernel: Kernel;
  /** Where it takes blocks from. */
  readonly chunkOffset: number;
  /** Room in the kernel's memory for the frame of who makes the blocks there. */
  readonly frameOffset: number;
  readonly #levels: readonly Level[];

  constructor(shape: StripeShape) {
    const { dataBlocks, parityBlocks } = shape;
    assert(dataBlocks >= 1 && parityBlocks >= 2 && parityBlocks <= 64 && dataBlocks + parityBlocks <= 255);
    this.#shape = { dataBlocks, parityBlocks };
    this.#rowCount = roundRows(parityBlocks);
    let end = dataBlocks * this.#rowCount * tableSizeBytes;
    this.chunkOffset = end;
    end += chunkBlocks * blockSizeBytes;
    this.frameOffset = end;
    end += frameSizeBytes;
    this.#levels = [stripesPerBand, 8, 1].map((stripes) => {
      const offset = end;
      end += stripes * this.#rowCount * bodySizeBytes;
      return { stripes, offset, touched: new Uint8Array(stripes) };
    });
    this.kernel = createKernel(end);
    writeSyndromeTables(this.kernel.memory, {
      offset: 0,
      firstExponent: parityBlocks,
      exponentCount: dataBlocks,
      rowCount: this.#rowCount,
    });
  }

  /** Takes `count` framed data blocks (4,096 bytes each) that follow one another in the band from index `firstIndex` on. */
  add(blocks: Uint8Array, firstIndex: number, count: number): void {
    assert(blocks.length >= count * blockSizeBytes);
    for (let done = 0; done < count; done += chunkBlocks) {
      const chunk = Math.min(chunkBlocks, count - done);
      this.kernel.memory.set(blocks.subarray(done * blockSizeBytes, (done + chunk) * blockSizeBytes), this.chunkOffset);
      this.addChunk(firstIndex + done, chunk);
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
    const tableStrideBytes = this.#rowCount * tableSizeBytes;
    for (let block = 0; block < Math.min(stripes, count); block++) {
      const stripe = (firstIndex + block) % stripes;
      level.touched[stripe] = 1;
      this.kernel.accumulate({
        source: this.chunkOffset + block * blockSizeBytes + frameSizeBytes,
        sourceStrideBytes: stripes * blockSizeBytes,
        sourceCount: Math.ceil((count - block) / stripes),
        tables: Math.floor((firstIndex + block) / stripes) * tableStrideBytes,
        tableStrideBytes,
        target: level.offset + stripe * this.#rowCount * bodySizeBytes,
        rowCount: this.#rowCount,
      });
    }
  }

  /**
   * The syndromes of what was added, for a band that has turned out to have D data blocks, as S·M bodies of 4,048 bytes: row r of stripe s
   * at (s·M + r)·4,048. Clears all for the next band.
   */
  take(bandDataBlocks: number): Uint8Array {
    const { parityBlocks } = this.#shape;
    const { stripes } = bandGeometry(bandDataBlocks, this.#shape);
    const { memory } = this.kernel;
    const taken = new Uint8Array(stripes * parityBlocks * bodySizeBytes);
    for (const level of this.#levels) {
      for (let stripe = 0; stripe < level.stripes; stripe++) {
        if (level.touched[stripe] === 0) continue;
        const start = level.offset + stripe * this.#rowCount * bodySizeBytes;
        if (level.stripes === stripes) {
          taken.set(
            memory.subarray(start, start + parityBlocks * bodySizeBytes),
            stripe * parityBlocks * bodySizeBytes,
          );
        }
        memory.fill(0, start, start + this.#rowCount * bodySizeBytes);
        level.touched[stripe] = 0;
      }
    }
    return taken;
  }
}

/** Adds (XORs) `bytes`, of the same length, to `sum`. */
function addBytes(sum: Uint8Array, bytes: Uint8Array): void {
  assert(sum.length === bytes.length && sum.byteOffset % 4 === 0 && bytes.byteOffset % 4 === 0);
  const words = new Uint32Array(sum.buffer, sum.byteOffset, sum.length / 4);
  const others = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let at = 0; at < words.length; at++) words[at]! ^= others[at]!;
}

/**
 * The parity bodies of a band of D data blocks, S·m of 4,048 bytes in the order of the parity blocks, from the partial syndromes that
 * the accumulators of its parts gave. The first partial is overwritten with the sum.
 */
export function finishParity(
  partials: readonly Uint8Array[],
  bandDataBlocks: number,
  dataBlocks: number,
  parityBlocks: number,
): Uint8Array {
  const { stripes, parityRows } = bandGeometry(bandDataBlocks, { dataBlocks, parityBlocks });
  const syndromes = partials[0]!;
  assert(syndromes.length === stripes * parityBlocks * bodySizeBytes);
  for (const partial of partials.slice(1)) addBytes(syndromes, partial);

  const rowCount = roundRows(parityRows);
  const tablesSizeBytes = parityRows * rowCount * tableSizeBytes;
  const source = tablesSizeBytes;
  const target = source + parityRows * bodySizeBytes;
  const kernel = createKernel(target + rowCount * bodySizeBytes);
  writeSolvingTables(kernel.memory, 0, powers.slice(0, parityRows));
  const parity = new Uint8Array(stripes * parityRows * bodySizeBytes);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const start = stripe * parityBlocks * bodySizeBytes;
    kernel.memory.set(syndromes.subarray(start, start + parityRows * bodySizeBytes), source);
    kernel.memory.fill(0, target, target + rowCount * bodySizeBytes);
    kernel.accumulate({
      source,
      sourceStrideBytes: bodySizeBytes,
      sourceCount: parityRows,
      tables: 0,
      tableStrideBytes: rowCount * tableSizeBytes,
      target,
      rowCount,
    });
    for (let row = 0; row < parityRows; row++) {
      const from = target + row * bodySizeBytes;
      parity.set(kernel.memory.subarray(from, from + bodySizeBytes), (row * stripes + stripe) * bodySizeBytes);
    }
  }
  return parity;
}
