import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { HoldfastError } from '../../errors.ts';
import { folderError, onPath } from '../durable-file.ts';
import type { RandomAccess } from '../storage.ts';
import { openDirect, refusesDirectIo, worthwhileDirectLength } from './direct-io.ts';

/** Node refuses single reads of 2 GiB and more. */
const readLimitBytes = 64 * 1024 * 1024;

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
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const sizeBytes = options.sizeBytes ?? (await sizeOf(handle, path));
      const direct = options.direct === false ? undefined : await openDirect(handle, constants.O_RDONLY);
      return new FileRandomAccess({ handle, direct, path, sizeBytes });
    } catch (error) {
      await handle.close();
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
  readonly #handle: FileHandle;
  readonly #direct: FileHandle | undefined;
  readonly #path: string;
  #usesDirect: boolean;

  constructor(parts: { handle: FileHandle; direct: FileHandle | undefined; path: string; sizeBytes: number }) {
    this.#handle = parts.handle;
    this.#direct = parts.direct;
    this.#path = parts.path;
    this.#usesDirect = parts.direct !== undefined;
    this.sizeBytes = parts.sizeBytes;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
    const wanted = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    return onPath(this.#path, async () => {
      let done = 0;
      while (done < wanted) {
        const piece = into.subarray(done, Math.min(wanted, done + readLimitBytes));
        const position = offset + done;
        const bytesRead = (await this.#readDirect(piece, position)) ?? (await this.#readBuffered(piece, position));
        // The file was cut since it was opened: its end is here now.
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  async #readBuffered(into: Uint8Array, offset: number): Promise<number> {
    return (await this.#handle.read(into, 0, into.length, offset)).bytesRead;
  }

  /** Bytes read; undefined where they have to be read through the page cache. */
  async #readDirect(into: Uint8Array, offset: number): Promise<number | undefined> {
    const length = worthwhileDirectLength(into, into.length, offset);
    if (!this.#usesDirect || this.#direct === undefined || length === 0) return undefined;
    try {
      return (await this.#direct.read(into, 0, length, offset)).bytesRead;
    } catch (error) {
      if (!refusesDirectIo(error)) throw error;
      this.#usesDirect = false;
      return undefined;
    }
  }

  async close(): Promise<void> {
    await onPath(this.#path, async () => {
      await Promise.all([this.#handle.close(), this.#direct?.close()]);
    });
  }
}
