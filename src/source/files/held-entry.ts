import { throwIfAborted } from '../../errors.ts';
import { ReadableBytes } from '../readable-bytes.ts';
import type { SourceEntry } from '../source.ts';
import { entryPath, fileMetadata } from './file-metadata.ts';
import type { FileState } from './read-small-files.ts';

/** A small file that was read. */
export interface HeldFile extends FileState {
  readonly bytes: Uint8Array;
}

/** A small file as an entry: it is closed already, and was the same before and after it was read. */
export function heldEntry(archivePath: Buffer, file: HeldFile): SourceEntry {
  let left = file.bytes;
  const open = (signal: AbortSignal | undefined) =>
    new ReadableBytes(async (into) => {
      throwIfAborted(signal);
      const piece = left.subarray(0, into.length);
      into.set(piece);
      left = left.subarray(piece.length);
      return piece.length;
    });
  return {
    ...entryPath(archivePath),
    kind: 'file',
    expectedSizeBytes: file.bytes.length,
    metadata: fileMetadata(file),
    open,
  };
}
