import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Clock, systemClock } from '../../clock.ts';
import { isInPageCache } from '../../disk/page-cache.ts';
import { PositionalFile } from '../../disk/positional-file.ts';
import { HoldfastError } from '../../errors.ts';
import { folderError, onPath } from '../durable-file.ts';
import type { RandomAccess } from '../storage.ts';

/** Who reads less than this gains nothing from knowing whether it is cached. */
const leastReadBytes = 8 * 1024 * 1024;

/** How a file is read. */
export interface FileAccessOptions {
  /**
   * Whether large aligned pieces are read past the page cache where that can be done: `always` unless set, since it proves what is on the
   * disk, leaves the cache to others, and takes less CPU time. `unless-cached` is for who wants the bytes and not the proof: a file that
   * is in the page cache comes from there, without waiting for the disk.
   */
  readonly direct?: 'always' | 'unless-cached' | 'never';
  /** Times the reads that tell whether the file is cached; the system's unless set. */
  readonly clock?: Clock;
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
      const direct = options.direct ?? 'always';
      if (direct !== 'never') await file.openDirect(constants.O_RDONLY);
      const asksCache = direct === 'unless-cached' && file.isOpenDirect;
      return new FileRandomAccess({ file, path, sizeBytes, asksCache, clock: options.clock ?? systemClock });
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
  readonly #asksCache: boolean;
  readonly #clock: Clock;
  #readBytes = 0;
  /** Settled once the page cache was asked: whether the file is read through it. */
  #throughCache: Promise<boolean> | undefined;

  constructor(parts: { file: PositionalFile; path: string; sizeBytes: number; asksCache: boolean; clock: Clock }) {
    this.#file = parts.file;
    this.#path = parts.path;
    this.sizeBytes = parts.sizeBytes;
    this.#asksCache = parts.asksCache;
    this.#clock = parts.clock;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
    const wanted = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    return onPath(this.#path, async () => {
      let done = 0;
      while (done < wanted) {
        const bytesRead = await this.#readPiece(into.subarray(done, wanted), offset + done);
        // The file was cut since it was opened: its end is here now.
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  async #readPiece(into: Uint8Array, offset: number): Promise<number> {
    if (this.#asksCache && this.#readBytes >= leastReadBytes) {
      this.#throughCache ??= isInPageCache(this.#file.handle, this.sizeBytes, this.#clock);
      if (await this.#throughCache) return await this.#file.readThroughCache(into, offset);
    }
    const bytesRead = await this.#file.read(into, offset);
    this.#readBytes += bytesRead;
    return bytesRead;
  }

  async close(): Promise<void> {
    await onPath(this.#path, () => this.#file.close());
  }
}
