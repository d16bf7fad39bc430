import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { PositionalFile } from '../../disk/positional-file.ts';
import { HoldfastError } from '../../errors.ts';
import { folderError, onPath } from '../durable-file.ts';
import type { RandomAccess } from '../storage.ts';

/** How a file is read. */
export interface FileAccessOptions {
  /**
   * Reads large aligned pieces past the page cache where that can be done; true unless set. It proves what is on the disk, leaves the
   * cache to others, and takes less CPU time, even where the file is cached.
   */
  readonly direct?: boolean;
  /** The size that the file will have when it is finished; the present one unless set. */
  readonly sizeBytes?: number;
}

/**
 * Opens a file, a disk image or a block device for reading. Throws `storage.not_found` (a folder too), `storage.unauthorized`,
 * `storage.failed`.
 */
export async function fileRandomAccess(path: string, options: FileAccessOptions = {}): Promise<RandomAccess> {
  return onPath(path, async () => {
    // Without O_NONBLOCK opening a pipe would wait for its other end.
    const file = new PositionalFile(await open(path, constants.O_RDONLY | constants.O_NONBLOCK));
    try {
      const sizeBytes = options.sizeBytes ?? (await sizeOf(file.handle, path));
      if (options.direct !== false) await file.openDirect(constants.O_RDONLY);
      return new FileRandomAccess({ file, path, sizeBytes });
    } catch (error) {
      await file.close();
      throw error;
    }
  });
}

async function sizeOf(handle: FileHandle, path: string): Promise<number> {
  const stats = await handle.stat();
  if (stats.isDirectory()) throw folderError(path);
  if (stats.isFile()) return stats.size;
  if (!stats.isBlockDevice()) {
    throw new HoldfastError('storage.failed', {
      message: `${path}: it is neither a file nor a disk`,
      context: { path },
    });
  }
  const byte = new Uint8Array(1);
  return findEnd(async (offset) => (await handle.read(byte, 0, 1, offset)).bytesRead === 1);
}

/** The size of something whose size only reading tells: `hasByte` says whether there is a byte at an offset. */
export async function findEnd(hasByte: (offset: number) => Promise<boolean>): Promise<number> {
  let present = 0;
  let absent = 1;
  if (!(await hasByte(0))) return 0;
  while (absent < Number.MAX_SAFE_INTEGER / 2 && (await hasByte(absent))) {
    present = absent;
    absent *= 2;
  }
  while (absent - present > 1) {
    const middle = Math.floor((present + absent) / 2);
    if (await hasByte(middle)) present = middle;
    else absent = middle;
  }
  return absent;
}

class FileRandomAccess implements RandomAccess {
  readonly sizeBytes: number;
  readonly #file: PositionalFile;
  readonly #path: string;

  constructor(parts: { file: PositionalFile; path: string; sizeBytes: number }) {
    this.#file = parts.file;
    this.#path = parts.path;
    this.sizeBytes = parts.sizeBytes;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
    const wanted = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    return onPath(this.#path, async () => {
      let done = 0;
      while (done < wanted) {
        const bytesRead = await this.#file.read(into.subarray(done, wanted), offset + done);
        // The file was cut since it was opened: its end is here now.
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  async close(): Promise<void> {
    await onPath(this.#path, () => this.#file.close());
  }
}
