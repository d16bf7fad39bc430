import { asBuffer } from '../../bytes.ts';
import { headerMagic } from '../header.ts';
import type { FoundBlock, ScanTask } from '../worker/protocol.ts';
import { blockKind, hasRightHash, readFrame } from './block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes } from './geometry.ts';

/** Finding blocks by their own bytes, wherever they lie. Runs in worker threads. */

function found(bytes: Buffer, offset: number): FoundBlock | undefined {
  const block = bytes.subarray(offset, offset + blockSizeBytes);
  if (block.length < blockSizeBytes) return undefined;
  const frame = readFrame(block);
  if (frame === undefined) return undefined;
  const isHeader = frame.kind === blockKind.header || frame.kind === blockKind.final;
  // Cheaper than a hash, which would be made at every byte of a run of zeros where the archive id is zeros.
  if (isHeader && block.compare(headerMagic, 0, headerMagic.length, frameSizeBytes, frameSizeBytes + 8) !== 0)
    return undefined;
  if (!hasRightHash(block)) return undefined;
  const body = isHeader ? Uint8Array.from(block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes)) : undefined;
  return { ...frame, offset, ...(body === undefined ? {} : { body }) };
}

/** Offset of the next place that may be a block's start: by the archive id, or, where that is not known, by a header's magic. */
function nextCandidate(bytes: Buffer, from: number, archiveId: Buffer | undefined): number {
  if (archiveId !== undefined) return bytes.indexOf(archiveId, from);
  const magic = bytes.indexOf(headerMagic, from + frameSizeBytes);
  return magic === -1 ? -1 : magic - frameSizeBytes;
}

/** The `scan` task. */
export function scanBlocks(task: ScanTask): FoundBlock[] {
  const bytes = asBuffer(task.bytes);
  const archiveId = task.archiveId === undefined ? undefined : asBuffer(task.archiveId);
  const blocks: FoundBlock[] = [];
  let offset = 0;
  while (offset < task.limit) {
    const candidate = nextCandidate(bytes, offset, archiveId);
    if (candidate === -1 || candidate >= task.limit) break;
    const block = found(bytes, candidate);
    if (block !== undefined) blocks.push(block);
    offset = block === undefined ? candidate + 1 : candidate + blockSizeBytes;
  }
  return blocks;
}
