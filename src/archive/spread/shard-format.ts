import { asBuffer } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import { archiveIdSizeBytes, hasRightHash, isSealedAs, sealBlock, shardBlockKind } from '../heal/block.ts';
import { blockSizeBytes, frameSizeBytes } from '../heal/geometry.ts';

/** Shards byte by byte: `docs/format.md` section 8. */

export const shardVersion = 1;
export const shardMagic = Buffer.from('HOLDSHRD', 'ascii');
/** Before so many rows stands a lead: the shard's head, and the archive's header. */
export const rowsPerGroup = 4096;
/** Blocks of a lead, and of the end of a shard. */
export const leadBlocks = 2;
/** With these all locators of a row are distinct, and its matrices are small. */
export const maximumDataShards = 200;
export const maximumParityShards = 16;

/** Over how many shards an archive is laid: any `data` of them give it back. */
export interface SpreadShape {
  readonly data: number;
  readonly parity: number;
}

/** What a shard tells of itself. */
export interface ShardHead {
  readonly archiveId: Uint8Array;
  readonly shape: SpreadShape;
  /** From 0: the data shards, then the parity shards. */
  readonly index: number;
  /** Blocks of the archive: known at a shard's end alone. */
  readonly totalBlocks: number | undefined;
}

/** Data and parity shards together. */
export function shardCount({ data, parity }: SpreadShape): number {
  return data + parity;
}

/** What stands in the frames of heads and parity in place of a band's size, so that two arrangements of one archive are never mixed. */
export function shapeMark({ data, parity }: SpreadShape): number {
  return data + parity * 256;
}

/** Rows of a shard of an archive with `totalBlocks` blocks: block b lies in row floor(b / k) of shard b mod k. */
export function shardRows(shape: SpreadShape, index: number, totalBlocks: number): number {
  const start = index < shape.data ? index : 0;
  return Math.max(0, Math.ceil((totalBlocks - start) / shape.data));
}

/** Where a row's block begins in a shard. */
export function rowOffset(row: number): number {
  return (row + leadBlocks * (Math.floor(row / rowsPerGroup) + 1)) * blockSizeBytes;
}

/** Where the leads of a shard with so many rows begin; the last of them is its end. */
export function leadOffsets(rows: number): number[] {
  const groups = Math.max(1, Math.ceil(rows / rowsPerGroup));
  const leads = Array.from({ length: groups }, (_, group) => group * (rowsPerGroup + leadBlocks) * blockSizeBytes);
  return [...leads, (rows + groups * leadBlocks) * blockSizeBytes];
}

/** Bytes of a shard with so many rows. */
export function shardSizeBytes(rows: number): number {
  return (leadOffsets(rows).at(-1) ?? 0) + leadBlocks * blockSizeBytes;
}

/** Rows of a shard by its size. */
export function rowsInShard(sizeBytes: number): number {
  const blocks = Math.floor(sizeBytes / blockSizeBytes) - leadBlocks;
  const groups = Math.max(1, Math.ceil(blocks / (rowsPerGroup + leadBlocks)));
  return Math.max(0, blocks - groups * leadBlocks);
}

/** The head block before `row`; with `totalBlocks` the one at the shard's end. */
export function headBlock(head: ShardHead, row: number): Buffer {
  const block = Buffer.alloc(blockSizeBytes);
  const { archiveId, shape, index, totalBlocks } = head;
  const body = block.subarray(frameSizeBytes);
  shardMagic.copy(body, 0);
  body.writeUInt16LE(shardVersion, 8);
  body.set(archiveId, 12);
  body[28] = shape.data;
  body[29] = shape.parity;
  body[30] = index;
  body.writeBigUInt64LE(BigInt(totalBlocks ?? 0), 32);
  const kind = totalBlocks === undefined ? shardBlockKind.head : shardBlockKind.end;
  sealBlock(block, archiveId, { position: row, bandDataBlocks: shapeMark(shape), kind, ordinal: index });
  return block;
}

/**
 * Reads a head block; undefined where it is none that is whole. Throws `archive.version_unsupported` for one of another version, and
 * `archive.corrupt` for one that cannot be.
 */
export function readHeadBlock(block: Buffer): ShardHead | undefined {
  const kind = block[28];
  if (kind !== shardBlockKind.head && kind !== shardBlockKind.end) return undefined;
  const body = block.subarray(frameSizeBytes);
  if (shardMagic.compare(body, 0, shardMagic.length) !== 0 || !hasRightHash(block)) return undefined;
  const version = body.readUInt16LE(8);
  if (version !== shardVersion) {
    throw new HoldfastError('archive.version_unsupported', { message: `a shard has version ${version}` });
  }
  const archiveId = Uint8Array.from(body.subarray(12, 12 + archiveIdSizeBytes));
  const shape = { data: body[28] ?? 0, parity: body[29] ?? 0 };
  const index = body[30] ?? 0;
  const total = body.readBigUInt64LE(32);
  const isEnd = kind === shardBlockKind.end;
  const isValid =
    isShape(shape) && index < shardCount(shape) && total < 2n ** 48n && isEnd === total > 0n && body[31] === 0;
  const position = asBuffer(block).readUIntLE(16, 6);
  const frame = { position, bandDataBlocks: shapeMark(shape), kind, ordinal: index };
  if (!isValid || !isSealedAs(block, archiveId, frame)) {
    throw new HoldfastError('archive.corrupt', { message: 'the head of a shard is not valid' });
  }
  return { archiveId, shape, index, totalBlocks: isEnd ? Number(total) : undefined };
}

/** Whether an archive can be laid so. */
export function isShape({ data, parity }: SpreadShape): boolean {
  const isWithin = (value: number, most: number) => Number.isInteger(value) && value >= 1 && value <= most;
  return isWithin(data, maximumDataShards) && isWithin(parity, maximumParityShards);
}
