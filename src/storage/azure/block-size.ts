/** Blocks of one blob, in all copies together: a limit of Azure, as is 4,000 MiB a block. */
export const maximumBlocks = 50_000;

const firstBlockBytes = 8 * 1024 * 1024;
/** Blocks double this often: after that one copy of two has reached 6.2 TiB. */
const steps = 8;
const bytesInFlight = 64 * 1024 * 1024;

/** Blocks that one of the copies may have. */
export function blocksPerCopy(copies: number): number {
  return Math.floor(maximumBlocks / copies);
}

/**
 * Size of a block by its number in a copy: 8 MiB, doubled after each eighth of the blocks that a copy may have, so that nobody has to
 * know the size ahead. Of two copies each has blocks of 8 MiB up to 24 GiB, of 64 MiB from 171 GiB on, and 6.2 TiB at most.
 */
export function blockSizeBytes(index: number, copies: number): number {
  const step = Math.min(steps - 1, Math.floor(index / Math.floor(blocksPerCopy(copies) / steps)));
  return firstBlockBytes * 2 ** step;
}

/** Blocks sent at once: four, fewer when they are large. */
export function blocksInFlight(sizeBytes: number): number {
  return Math.min(4, Math.max(1, Math.floor(bytesInFlight / sizeBytes)));
}
