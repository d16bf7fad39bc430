import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { alignedMemory } from '../../archive/worker/aligned-memory.ts';
import { copyBytes } from '../../bytes.ts';
import { directLength } from '../../disk/direct-io.ts';
import { PositionalFile } from '../../disk/positional-file.ts';

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
 * A new file that is written from its start. A large one bypasses the page cache where the file system takes that: whole pages are written
 * from where they stand; of what else there is, one buffer is filled while the other is written. Its end, and all of a small one, go through the cache.
 */
export class StagedFile {
  readonly #file: PositionalFile;
  readonly #memory: StagingMemory;
  #current: 0 | 1 = 0;
  #filledBytes = 0;
  #offset = 0;
  #writing: Promise<void> = Promise.resolve();

  static async create(path: Buffer, options: { sizeBytes: number; memory: StagingMemory }): Promise<StagedFile> {
    const file = new PositionalFile(await open(path, 'wx', 0o600));
    try {
      if (options.sizeBytes >= bufferBytes) await file.openDirect(constants.O_WRONLY);
      return new StagedFile(file, options.memory);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(file: PositionalFile, memory: StagingMemory) {
    this.#file = file;
    this.#memory = memory;
  }

  get handle(): FileHandle {
    return this.#file.handle;
  }

  /** Takes a copy of the bytes, or writes them. */
  async append(bytes: Uint8Array): Promise<void> {
    if (!this.#file.isOpenDirect) {
      await this.#file.write(bytes, this.#offset);
      this.#offset += bytes.length;
      return;
    }
    if (this.#filledBytes === 0 && directLength(bytes, bytes.length, this.#offset) === bytes.length) {
      await this.#writing;
      await this.#file.write(bytes, this.#offset);
      this.#offset += bytes.length;
      return;
    }
    let taken = 0;
    while (taken < bytes.length) {
      const length = Math.min(bytes.length - taken, bufferBytes - this.#filledBytes);
      copyBytes(bytes.subarray(taken, taken + length), this.#memory.buffers[this.#current], this.#filledBytes);
      this.#filledBytes += length;
      taken += length;
      if (this.#filledBytes === bufferBytes) await this.#writeFilled();
    }
  }

  /** Writes what is left. The handle stays open, for metadata and the sync. */
  async finish(): Promise<void> {
    if (this.#filledBytes > 0) await this.#writeFilled();
    await this.#writing;
    await this.#file.closeDirect();
  }

  /** Closes it as it is: it will be removed. */
  async abandon(): Promise<void> {
    await Promise.allSettled([this.#writing]);
    await this.#file.close();
  }

  async #writeFilled(): Promise<void> {
    await this.#writing;
    const bytes = this.#memory.buffers[this.#current].subarray(0, this.#filledBytes);
    this.#writing = this.#file.write(bytes, this.#offset);
    // The error is thrown where the next write begins, or at the end.
    this.#writing.catch(() => undefined);
    this.#offset += this.#filledBytes;
    this.#filledBytes = 0;
    this.#current = this.#current === 0 ? 1 : 0;
  }
}
