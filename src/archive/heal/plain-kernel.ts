import { products } from './galois-field.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, hashSizeBytes } from './geometry.ts';
import type { Kernel } from './kernel.ts';
import {
  type Accumulation,
  type BlockBatch,
  type BlockCheck,
  checkAccumulation,
  checkBatch,
  checkBlockCheck,
  checkHashing,
  checkTransformation,
  type Hashing,
  type Transformation,
} from './kernel-arguments.ts';
import { basis } from './novel-basis.ts';
import { dataLocator, tableSizeBytes } from './reed-solomon.ts';
import { xxh3 } from './xxh3.ts';

const positionOffset = 16;
const outerHashOffset = blockSizeBytes - hashSizeBytes;
const innerHashOffset = outerHashOffset - hashSizeBytes;

/**
 * The kernel in plain TypeScript: the oracle of the fast one, and what stands in where WebAssembly has no relaxed SIMD.
 */
export class PlainKernel implements Kernel {
  readonly memory: Uint8Array;

  constructor(memorySizeBytes: number) {
    this.memory = new Uint8Array(memorySizeBytes);
  }

  /** Takes the coefficient from its table, as the product with 1, and multiplies by the field's own table of products. */
  accumulate(accumulation: Accumulation): void {
    checkAccumulation(accumulation, this.memory.length);
    const { source, sourceStrideBytes, sourceCount, tables, tableStrideBytes, target, rowCount } = accumulation;
    for (let index = 0; index < sourceCount; index++) {
      const from = source + index * sourceStrideBytes;
      for (let row = 0; row < rowCount; row++) {
        const coefficient = this.memory[tables + index * tableStrideBytes + row * tableSizeBytes + 1]!;
        if (coefficient !== 0) this.#addProduct(coefficient, from, target + row * bodySizeBytes);
      }
    }
  }

  /** By the definition of the sums, without tables or layers. */
  transform(transformation: Transformation): void {
    checkTransformation(transformation, this.memory.length);
    const { source, sourceStrideBytes, firstIndex, sourceCount, target, rowCount } = transformation;
    for (let index = 0; index < sourceCount; index++) {
      const locator = dataLocator(firstIndex + index);
      for (let row = 0; row < rowCount; row++) {
        const coefficient = basis(row, locator);
        if (coefficient === 0) continue;
        this.#addProduct(coefficient, source + index * sourceStrideBytes, target + row * bodySizeBytes);
      }
    }
  }

  #addProduct(coefficient: number, from: number, to: number): void {
    const { memory } = this;
    const multiples = coefficient << 8;
    for (let at = 0; at < bodySizeBytes; at++) memory[to + at]! ^= products[multiples | memory[from + at]!]!;
  }

  hash(hashing: Hashing): void {
    checkHashing(hashing, this.memory.length);
    const { source, lengthBytes, target } = hashing;
    this.memory.set(xxh3(this.memory.subarray(source, source + lengthBytes)), target);
  }

  sealBlocks(batch: BlockBatch): void {
    checkBatch(batch, this.memory.length);
    for (let index = 0; index < batch.count; index++) {
      const block = this.#block(batch, index);
      block.set(this.#frame(batch, index));
      const hash = xxh3(block.subarray(0, batch.isData ? innerHashOffset : outerHashOffset));
      if (batch.isData) block.set(hash, innerHashOffset);
      block.set(hash, outerHashOffset);
    }
  }

  checkBlocks(check: BlockCheck): void {
    checkBlockCheck(check, this.memory.length);
    for (let index = 0; index < check.count; index++) {
      this.memory[check.results + index] = this.#isIntact(check, index) ? 1 : 0;
    }
  }

  #isIntact(batch: BlockBatch, index: number): boolean {
    const block = this.#block(batch, index);
    if (this.#frame(batch, index).compare(block, 0, frameSizeBytes) !== 0) return false;
    const coveredSizeBytes = batch.isData ? innerHashOffset : outerHashOffset;
    const hash = Buffer.from(xxh3(block.subarray(0, coveredSizeBytes)));
    return (
      hash.compare(block, coveredSizeBytes, coveredSizeBytes + hashSizeBytes) === 0 &&
      hash.compare(block, outerHashOffset, blockSizeBytes) === 0
    );
  }

  #block({ blocks }: BlockBatch, index: number): Uint8Array {
    const start = blocks + index * blockSizeBytes;
    return this.memory.subarray(start, start + blockSizeBytes);
  }

  /** The frame of one of the blocks: its position is that of the first and the blocks between. */
  #frame({ frame }: BlockBatch, index: number): Buffer {
    const bytes = Buffer.from(this.memory.subarray(frame, frame + frameSizeBytes));
    const position = bytes.readBigUInt64LE(positionOffset) + BigInt(index);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, position), positionOffset);
    return bytes;
  }
}
