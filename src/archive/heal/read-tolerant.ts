import { HoldfastError } from '../../errors.ts';
import type { RandomAccess } from '../random-access.ts';
import { blockSizeBytes } from './geometry.ts';

/**
 * Fills `into` from a source; what cannot be read, and what lies behind the end, is left as zeros, which no block is.
 * A range that fails is tried again block by block, so that one bad sector costs one block.
 */
export async function readTolerant(source: RandomAccess, offset: number, into: Uint8Array): Promise<void> {
  const done = await tryRead(source, offset, into);
  if (done !== undefined) {
    into.fill(0, done);
    return;
  }
  for (let start = 0; start < into.length; start += blockSizeBytes) {
    const piece = into.subarray(start, Math.min(into.length, start + blockSizeBytes));
    piece.fill(0, (await tryRead(source, offset + start, piece)) ?? 0);
  }
}

/**
 * Bytes read, or undefined where the source cannot read them: that is damage like any other, and is healed or reported as such.
 * A source that may answer later, or does not let us in, is not damaged: its error is thrown.
 */
async function tryRead(source: RandomAccess, offset: number, into: Uint8Array): Promise<number | undefined> {
  if (offset >= source.sizeBytes) return 0;
  let done = 0;
  try {
    while (done < into.length) {
      const read = await source.read(offset + done, into.subarray(done));
      if (read === 0) break;
      done += read;
    }
  } catch (error) {
    if (error instanceof HoldfastError && error.code !== 'storage.failed') throw error;
    return undefined;
  }
  return done;
}
