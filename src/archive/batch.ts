import type { Header } from './header.ts';

/** Segments are worked on in batches of about this size: waking a thread costs as much as hashing 100 KiB. */
const batchBytes = 2 * 1024 * 1024;
const maximumBatchSegments = 64;

/** Stands for T, the number of data blocks, while an archive is being written. */
export const unknownDataBlocks = 2 ** 47;

/** How many data segments of full size a batch has. */
export function segmentsInBatch(header: Pick<Header, 'segmentSizeBytes'>): number {
  return Math.max(1, Math.min(maximumBatchSegments, Math.floor(batchBytes / header.segmentSizeBytes)));
}
