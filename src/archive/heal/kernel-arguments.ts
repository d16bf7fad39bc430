import assert from 'node:assert';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, hashSizeBytes } from './geometry.ts';
import { groupTablesSizeBytes } from './novel-basis.ts';
import { dataLocator, rowStep, tableSizeBytes } from './reed-solomon.ts';
import { minimumHashedBytes } from './xxh3.ts';

/**
 * What a kernel is asked for. All places are offsets into its memory; what would leave it is refused here, since the fast kernel would not
 * notice.
 */

/** One matrix product over bodies. */
export interface Accumulation {
  /** The first source body. */
  readonly source: number;
  /** From one source body to the next. */
  readonly sourceStrideBytes: number;
  readonly sourceCount: number;
  /** The first source's tables: one for each row. */
  readonly tables: number;
  /** From one source's tables to the next one's. */
  readonly tableStrideBytes: number;
  /** The first target body; the others follow without gaps. */
  readonly target: number;
  /** Target bodies: a multiple of {@link rowStep}. */
  readonly rowCount: number;
}

/** Data bodies of one stripe that are added to its sums in the novel basis. */
export interface Transformation {
  /** The first source body. */
  readonly source: number;
  /** From one source body to the next. */
  readonly sourceStrideBytes: number;
  readonly sourceCount: number;
  /** Index of the first source in the stripe; the others follow. */
  readonly firstIndex: number;
  /** The tables of `writeGroupTables` for this number of rows. */
  readonly tables: number;
  /** A body of zeros. */
  readonly zeros: number;
  /** The sum of row 0; the others follow without gaps. */
  readonly target: number;
  /** Sums: a multiple of {@link rowStep}. */
  readonly rowCount: number;
}

/** A hash of bytes. */
export interface Hashing {
  readonly source: number;
  /** At least {@link minimumHashedBytes}. */
  readonly lengthBytes: number;
  /** Where the 16 bytes of the hash are written. */
  readonly target: number;
}

/** Blocks that follow one another in their copy and in memory, and whose frames differ by their position alone. */
export interface BlockBatch {
  /** The first block. */
  readonly blocks: number;
  /** How many blocks: 0 or more. */
  readonly count: number;
  /** The 32 bytes of the first block's frame. It is read only: the next block's position is one more, and so on. */
  readonly frame: number;
  /** Whether they are data blocks, which have two hashes. */
  readonly isData: boolean;
}

/** Blocks to be checked. */
export interface BlockCheck extends BlockBatch {
  /** Where one byte a block is written: 1 where it is intact, else 0. */
  readonly results: number;
}

/** Throws where an accumulation leaves the memory. */
export function checkAccumulation(accumulation: Accumulation, memorySizeBytes: number): void {
  const { source, sourceStrideBytes, sourceCount, tables, tableStrideBytes, target, rowCount } = accumulation;
  assert(sourceCount >= 1 && rowCount >= rowStep && rowCount % rowStep === 0);
  assert(source >= 0 && source + (sourceCount - 1) * sourceStrideBytes + bodySizeBytes <= memorySizeBytes);
  assert(tables >= 0 && tables + (sourceCount - 1) * tableStrideBytes + rowCount * tableSizeBytes <= memorySizeBytes);
  assert(target >= 0 && target + rowCount * bodySizeBytes <= memorySizeBytes);
}

/** Throws where a transformation leaves the memory or the field. */
export function checkTransformation(transformation: Transformation, memorySizeBytes: number): void {
  const { source, sourceStrideBytes, sourceCount, firstIndex, tables, zeros, target, rowCount } = transformation;
  assert(sourceCount >= 1 && rowCount >= rowStep && rowCount % rowStep === 0);
  assert(firstIndex >= 0 && dataLocator(firstIndex + sourceCount - 1) > 0);
  assert(source >= 0 && source + (sourceCount - 1) * sourceStrideBytes + bodySizeBytes <= memorySizeBytes);
  assert(tables >= 0 && tables + groupTablesSizeBytes(rowCount) <= memorySizeBytes);
  assert(zeros >= 0 && zeros + bodySizeBytes <= memorySizeBytes);
  assert(target >= 0 && target + rowCount * bodySizeBytes <= memorySizeBytes);
}

/** Throws where a hash leaves the memory, or is of too few bytes. */
export function checkHashing({ source, lengthBytes, target }: Hashing, memorySizeBytes: number): void {
  assert(lengthBytes >= minimumHashedBytes);
  assert(source >= 0 && source + lengthBytes <= memorySizeBytes);
  assert(target >= 0 && target + hashSizeBytes <= memorySizeBytes);
}

/** Throws where a batch leaves the memory. */
export function checkBatch({ blocks, count, frame }: BlockBatch, memorySizeBytes: number): void {
  assert(count >= 0 && blocks >= 0 && blocks + count * blockSizeBytes <= memorySizeBytes);
  assert(frame >= 0 && frame + frameSizeBytes <= memorySizeBytes);
}

/** Throws where a batch or its results leave the memory. */
export function checkBlockCheck(check: BlockCheck, memorySizeBytes: number): void {
  checkBatch(check, memorySizeBytes);
  assert(check.results >= 0 && check.results + check.count <= memorySizeBytes);
}
