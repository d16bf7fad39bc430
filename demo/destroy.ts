import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { SeededRandom } from './seeded-random.ts';

/** Blocks of the archive format: a block with one wrong byte is a damaged block. */
export const blockSizeBytes = 4096;

/** What was done to a file. */
export interface Destruction {
  readonly sizeBytes: number;
  /** The region that was overwritten, `last` not included. */
  readonly region: { readonly firstByte: number; readonly lastByte: number };
  /** Offsets of single bytes that were changed outside of the region. */
  readonly flippedOffsets: readonly number[];
}

/** Overwrites one region of `fraction` of the file with noise and changes `flips` single bytes in the rest. */
export function destroy(path: string, options: { seed: string; fraction: number; flips: number }): Destruction {
  const random = new SeededRandom(options.seed);
  const { size: sizeBytes } = statSync(path);
  const regionSizeBytes = Math.ceil(sizeBytes * options.fraction);
  const firstByte = random.integer(sizeBytes - regionSizeBytes);
  const lastByte = firstByte + regionSizeBytes;
  const file = openSync(path, 'r+');
  try {
    for (let offset = firstByte; offset < lastByte; ) {
      offset += writeSync(file, random.bytes(Math.min(1_048_576, lastByte - offset)), undefined, undefined, offset);
    }
    const chosen = new Set<number>();
    const byte = new Uint8Array(1);
    while (chosen.size < Math.min(options.flips, sizeBytes - regionSizeBytes)) {
      const offset = random.integer(sizeBytes);
      if (chosen.has(offset) || (offset >= firstByte && offset < lastByte)) continue;
      readSync(file, byte, 0, 1, offset);
      byte[0] = (byte[0] ?? 0) ^ random.between(1, 255);
      writeSync(file, byte, 0, 1, offset);
      chosen.add(offset);
    }
    fsyncSync(file);
    return { sizeBytes, region: { firstByte, lastByte }, flippedOffsets: [...chosen] };
  } finally {
    closeSync(file);
  }
}

/** For each block of the file whether it is as it was (0), has a wrong byte (1) or is gone (2). */
export function blockStates(destruction: Destruction): Uint8Array {
  const states = new Uint8Array(Math.ceil(destruction.sizeBytes / blockSizeBytes));
  for (const offset of destruction.flippedOffsets) states[Math.floor(offset / blockSizeBytes)] = 1;
  const { firstByte, lastByte } = destruction.region;
  states.fill(2, Math.floor(firstByte / blockSizeBytes), Math.ceil(lastByte / blockSizeBytes));
  return states;
}
