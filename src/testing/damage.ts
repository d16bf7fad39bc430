import assert from 'node:assert/strict';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

/**
 * Changes a chunk that stands at an offset, and says whether it did. Chunks come in order, without gaps, cut anywhere: how they are
 * cut must not change the result.
 */
export type Patch = (chunk: Uint8Array, offset: number) => boolean;

/** Bytes `from` to `to` - 1 of the original, changed by a patch that spans the whole of it. */
interface OriginalPiece {
  readonly from: number;
  readonly to: number;
  readonly patch?: Patch;
}

/** What damaged bytes are made of, in order: parts of the original, and other bytes. */
export type Outline = readonly (OriginalPiece | Uint8Array)[];

const chunkBytes = 1024 * 1024;

/** Makes the damaged bytes. */
export function applyToBytes(outline: Outline, original: Uint8Array): Uint8Array {
  const pieces = outline.map((piece) => {
    if (piece instanceof Uint8Array) return piece;
    const part = Uint8Array.from(original.subarray(piece.from, piece.to));
    piece.patch?.(part, piece.from);
    return part;
  });
  const [only, second] = pieces;
  return only && !second ? only : new Uint8Array(Buffer.concat(pieces));
}

/** Damages a file: where only bytes change or the end goes, in place; else through a file beside it. */
export async function applyToFile(decide: (sizeBytes: number) => Outline, path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const outline = decide(size);
    const [only, second] = outline;
    if (only && !second && !(only instanceof Uint8Array) && only.from === 0) {
      await patchInPlace(file, only);
      await file.truncate(only.to);
    } else {
      await rewrite(file, outline, path);
    }
  } finally {
    await file.close();
  }
}

async function patchInPlace(file: FileHandle, piece: OriginalPiece): Promise<void> {
  if (!piece.patch) return;
  for await (const { chunk, offset } of chunksOf(file, piece)) {
    if (piece.patch(chunk, offset)) await file.write(chunk, 0, chunk.length, offset);
  }
}

async function rewrite(file: FileHandle, outline: Outline, path: string): Promise<void> {
  const damagedPath = `${path}.damaged`;
  const damaged = await open(damagedPath, 'wx');
  try {
    for (const piece of outline) {
      if (piece instanceof Uint8Array) {
        await damaged.writeFile(piece);
        continue;
      }
      for await (const { chunk, offset } of chunksOf(file, piece)) {
        piece.patch?.(chunk, offset);
        await damaged.writeFile(chunk);
      }
    }
    await damaged.close();
    await rename(damagedPath, path);
  } catch (error) {
    await damaged.close();
    await rm(damagedPath, { force: true });
    throw error;
  }
}

/** The chunk's memory is used again for the next. */
async function* chunksOf(
  file: FileHandle,
  piece: OriginalPiece,
): AsyncGenerator<{ chunk: Uint8Array; offset: number }> {
  const buffer = new Uint8Array(chunkBytes);
  let offset = piece.from;
  while (offset < piece.to) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, piece.to - offset), offset);
    assert(bytesRead > 0, `the file ended at ${offset} while it was damaged`);
    yield { chunk: buffer.subarray(0, bytesRead), offset };
    offset += bytesRead;
  }
}
