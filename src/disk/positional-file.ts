import type { FileHandle } from 'node:fs/promises';
import { HoldfastError } from '../errors.ts';
import { directLength, openDirect, refusesDirectIo, worthwhileDirectLength } from './direct-io.ts';

/** Node refuses single reads of 2 GiB and more. */
const readLimitBytes = 64 * 1024 * 1024;

/**
 * An open file that is read and written at offsets: past the page cache where `openDirect` was called, the file system takes it and
 * memory, offset and length are aligned, else through the cache. Both give the same bytes: the kernel writes out what the cache holds
 * before it reads directly. The first refusal of the file system is the last. Throws errors of the system as they are.
 */
export class PositionalFile {
  readonly handle: FileHandle;
  #direct: FileHandle | undefined;
  #usesDirect = false;

  /** Takes the handle over: `close` closes it. */
  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  /** Whether there is a second handle, for direct I/O. */
  get isOpenDirect(): boolean {
    return this.#direct !== undefined;
  }

  /** Opens the same file for direct I/O too where that can be done; once. `flags`: how the handle was opened (`O_RDONLY`, …). */
  async openDirect(flags: number): Promise<void> {
    this.#direct = await openDirect(this.handle, flags);
    this.#usesDirect = this.#direct !== undefined;
  }

  /** Reads what one call gives, from the start of `into` on: 0 at the end of the file, else one byte at least, and 64 MiB at most. */
  async read(into: Uint8Array, offset: number): Promise<number> {
    const piece = into.subarray(0, readLimitBytes);
    return (await this.#readDirect(piece, offset)) ?? (await this.readThroughCache(piece, offset));
  }

  /** The same, never directly. */
  async readThroughCache(into: Uint8Array, offset: number): Promise<number> {
    return (await this.handle.read(into, 0, Math.min(into.length, readLimitBytes), offset)).bytesRead;
  }

  /** Writes all of the bytes. Throws `storage.failed` where the disk takes nothing. */
  async write(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const rest = bytes.subarray(done);
      const written =
        (await this.#writeDirect(rest, offset + done)) ??
        (await this.handle.write(rest, 0, rest.length, offset + done)).bytesWritten;
      if (written === 0) throw new HoldfastError('storage.failed', { message: 'the disk takes nothing' });
      done += written;
    }
  }

  /** Closes the second handle alone. May be repeated. */
  async closeDirect(): Promise<void> {
    await this.#direct?.close();
  }

  /** Closes both handles. May be repeated. */
  async close(): Promise<void> {
    await Promise.all([this.handle.close(), this.#direct?.close()]);
  }

  #readDirect(into: Uint8Array, offset: number): Promise<number | undefined> {
    const length = worthwhileDirectLength(into, into.length, offset);
    return this.#unlessRefused(length, async (direct) => (await direct.read(into, 0, length, offset)).bytesRead);
  }

  #writeDirect(bytes: Uint8Array, offset: number): Promise<number | undefined> {
    const length = directLength(bytes, bytes.length, offset);
    return this.#unlessRefused(length, async (direct) => (await direct.write(bytes, 0, length, offset)).bytesWritten);
  }

  /** How many bytes were moved directly; undefined where they have to go through the page cache. */
  async #unlessRefused(length: number, move: (direct: FileHandle) => Promise<number>): Promise<number | undefined> {
    if (length === 0 || !this.#usesDirect || this.#direct === undefined) return undefined;
    try {
      return await move(this.#direct);
    } catch (error) {
      if (!refusesDirectIo(error)) throw error;
      this.#usesDirect = false;
      return undefined;
    }
  }
}
