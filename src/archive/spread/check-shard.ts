import { asBuffer } from '../../bytes.ts';
import { throwIfAborted } from '../../errors.ts';
import { blockKind, hasRightHash, readFrame } from '../heal/block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes } from '../heal/geometry.ts';
import type { Shard } from './shard.ts';
import { headBlock, leadBlocks, leadOffsets, rowsPerGroup, shardRows, shardSizeBytes } from './shard-format.ts';
import type { SpreadAccess } from './spread-access.ts';

/** Rows that are read at once. */
const rowsAtOnce = 256;

/** The health of one shard. */
export interface ShardHealth {
  /** From 0. */
  readonly index: number;
  readonly label: string;
  readonly state: 'intact' | 'damaged' | 'unreadable';
  /** Blocks of it that are not as they must be, those of its leads included. */
  readonly damagedBlocks: number;
  readonly totalBlocks: number;
  /** Why it could not be read. */
  readonly error?: unknown;
}

/**
 * Checks what was not read of a shard yet: rows, leads, its length. No key is needed. A storage that does not answer makes it `unreadable`.
 */
export async function checkShard(
  access: SpreadAccess,
  shard: Shard,
  options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: (count: number) => void } = {},
): Promise<ShardHealth> {
  const { shape, layout } = access;
  const rows = shardRows(shape, shard.index, layout.totalBlocks);
  const place = { index: shard.index, label: shard.label, totalBlocks: shardSizeBytes(rows) / blockSizeBytes };
  for (const gap of [...shard.seen.gaps(0, rows)]) {
    for (let row = gap.start; row < gap.end; row += rowsAtOnce) {
      throwIfAborted(options.signal);
      const count = Math.min(rowsAtOnce, gap.end - row);
      const blocks = await shard.rows(row, count, true);
      if (blocks === undefined) break;
      shard.note(row, intactRows(access, shard.index, { row, blocks }));
      options.onBytes?.(blocks.length);
    }
  }
  const badLeads = await damagedLeads(access, shard, rows);
  if (shard.failure !== undefined) {
    return { ...place, state: 'unreadable', damagedBlocks: 0, error: shard.failure.error };
  }
  const isLong = shard.access.sizeBytes === shardSizeBytes(rows);
  const damagedBlocks = shard.damagedCount + badLeads;
  return { ...place, state: damagedBlocks === 0 && isLong ? 'intact' : 'damaged', damagedBlocks };
}

function intactRows(
  access: SpreadAccess,
  index: number,
  read: { readonly row: number; readonly blocks: Buffer },
): Uint8Array {
  const { row, blocks } = read;
  return Uint8Array.from({ length: blocks.length / blockSizeBytes }, (_, step) => {
    const block = blocks.subarray(step * blockSizeBytes, (step + 1) * blockSizeBytes);
    return access.isIntact(block, index, row + step) ? 1 : 0;
  });
}

async function damagedLeads(access: SpreadAccess, shard: Shard, rows: number): Promise<number> {
  const { shape, archiveId, layout } = access;
  const offsets = leadOffsets(rows);
  let damaged = 0;
  for (const [group, offset] of offsets.entries()) {
    const bytes = await shard.bytes(offset, leadBlocks * blockSizeBytes, true);
    if (bytes === undefined) break;
    const isEnd = group === offsets.length - 1;
    const totalBlocks = isEnd ? layout.totalBlocks : undefined;
    const head = headBlock({ archiveId, shape, index: shard.index, totalBlocks }, isEnd ? rows : group * rowsPerGroup);
    if (!head.equals(bytes.subarray(0, blockSizeBytes))) damaged += 1;
    if (!isHeader(access, bytes.subarray(blockSizeBytes))) damaged += 1;
  }
  return damaged;
}

/** Whether it is the archive's first block, with the header that counts. */
function isHeader(access: SpreadAccess, block: Buffer): boolean {
  const frame = readFrame(block);
  const body = block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes);
  return (
    frame?.kind === blockKind.header &&
    frame.position === 0 &&
    body.equals(asBuffer(access.header.body)) &&
    hasRightHash(block)
  );
}
