import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { alignedMemory } from '../../archive/worker/aligned-memory.ts';
import { directLength, openDirect, refusesDirectIo } from '../../storage/local/direct-io.ts';

const bufferBytes = 2 * 1024 * 1024;

/** Memory in which the bytes of large files are gathered, one file after the other: two buffers of 2 MiB, made when first needed. */
export class StagingMemory {
  #buffers: readonly [Uint8Array, Uint8Array] | undefined;

  get buffers(): readonly [Uint8Array, Uint8Array] {
    this.#buffers ??= [alignedMemory(bufferBytes), alignedMemory(bufferBytes)];
    return this.#buffers;
  }
}

/**
 * A new file that is written from its start. A large one bypasses the page cache where the file system takes that: one buffer is filled
 * while the other is written. Its end, and all of a small one, go through the cache.
 */
export class StagedFile {
  readonly handle: FileHandle;
  readonly #direct: FileHandle | undefined;
  readonly #memory: StagingMemory;
  #usesDirect: boolean;
  #current: 0 | 1 = 0;
  #filledBytes = 0;
  #offset = 0;
  #writing: Promise<void> = Promise.resolve();

  static async create(path: Buffer, options: { sizeBytes: number; memory: StagingMemory }): Promise<StagedFile> {
    const handle = await open(path, 'wx', 0o600);
    try {
      const direct = options.sizeBytes >= bufferBytes ? await openDirect(handle, constants.O_WRONLY) : undefined;
      return new StagedFile(handle, direct, options.memory);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  private constructor(handle: FileHandle, direct: FileHandle | undefined, memory: StagingMemory) {
    this.handle = handle;
    this.#direct = direct;
    this.#usesDirect = direct !== undefined;
    this.#memory = memory;
  }

  /** Takes a copy of the bytes, or writes them. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#direct === undefined) {
      await this.#writeBuffered(bytes, this.#offset);
      this.#offset += bytes.length;
      return;
    }
    let taken = 0;
    while (taken < bytes.length) {
      const length = Math.min(bytes.length - taken, bufferBytes - this.#filledBytes);
      this.#memory.buffers[this.#current].set(bytes.subarray(taken, taken + length), this.#filledBytes);
      this.#filledBytes += length;
      taken += length;
      if (this.#filledBytes === bufferBytes) await this.#writeFilled();
    }
  }

  /** Writes what is left. The handle stays open, for metadata and the sync. */
  async finish(): Promise<void> {
    if (this.#filledBytes > 0) await this.#writeFilled();
    await this.#writing;
    await this.#direct?.close();
  }

  /** Closes it as it is: it will be removed. */
  async abandon(): Promise<void> {
    await Promise.allSettled([this.#writing]);
    await this.#direct?.close();
    await this.handle.close();
  }

  async #writeFilled(): Promise<void> {
    await this.#writing;
    const bytes = this.#memory.buffers[this.#current].subarray(0, this.#filledBytes);
    this.#writing = this.#write(bytes, this.#offset);
    // The error is thrown where the next write begins, or at the end.
    this.#writing.catch(() => undefined);
    this.#offset += this.#filledBytes;
    this.#filledBytes = 0;
    this.#current = this.#current === 0 ? 1 : 0;
  }

  async #write(bytes: Uint8Array, offset: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const rest = bytes.subarray(done);
      const written = await this.#writeDirect(rest, offset + done);
      if (written === undefined) return await this.#writeBuffered(rest, offset + done);
      done += written;
    }
  }

  /** How many bytes were written; undefined where they have to go through the page cache. */
  async #writeDirect(bytes: Uint8Array, offset: number): Promise<number | undefined> {
    const length = directLength(bytes, bytes.length, offset);
    if (!this.#usesDirect || this.#direct === undefined || length === 0) return undefined;
    try {
      const { bytesWritten } = await this.#direct.write(bytes, 0, length, offset);
      return bytesWritten === 0 ? undefined : bytesWritten;
    } catch (error) {
      if (!refusesDirectIo(error)) throw error;
      this.#usesDirect = false;
      return undefined;
    }
  }

  async #writeBuffered(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }
  }
}
