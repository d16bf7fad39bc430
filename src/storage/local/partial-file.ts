import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, statfs, unlink } from 'node:fs/promises';
import type { ReadBack } from '../../archive/random-access.ts';
import type { RangeSet } from '../../archive/range-set.ts';
import { alignedMemory } from '../../archive/worker/aligned-memory.ts';
import { directLength, openDirect, refusesDirectIo, worthwhileDirectLength } from '../../disk/direct-io.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { HoldfastError } from '../../errors.ts';
import { onPath } from '../durable-file.ts';
import { FarCopy } from './far-copy.ts';

/** Each of the two buffers in which bytes are gathered, and later moved. */
const bufferBytes = 2 * 1024 * 1024;
/** Where the page cache is used, data is handed to the disk this often, so that the last sync has little left to wait for. */
const syncIntervalBytes = 32 * 1024 * 1024;
/** A second copy that is written together with the first pays from here on. */
const farCopyStartBytes = 16 * 1024 * 1024;
/** Types of file systems that fill a hole with zeros, at the cost of writing it: FAT, exFAT, HFS+. */
const fillingTypes = new Set([0x4d44, 0x2011bab0, 0x482b]);

/**
 * The temporary file of a writer. Large aligned pieces are written from where they stand, past the page cache where the file system
 * takes that; what else is appended is gathered in one buffer while the other one is written. Memory: two buffers of 2 MiB.
 */
export class PartialFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #direct: FileHandle | undefined;
  readonly #staging = [alignedMemory(bufferBytes), alignedMemory(bufferBytes)] as const;
  /** Which of the two is being filled, and how far. */
  #current: 0 | 1 = 0;
  #stagedBytes = 0;
  /** Where the bytes that are being gathered will stand. */
  #stagedOffset = 0;
  #writing: Promise<void> = Promise.resolve();
  #usesDirect: boolean;
  #unsyncedBytes = 0;
  #sync: Promise<void> | undefined;
  #farCopy: FarCopy | undefined;
  /** From its start the run stands on the disk so far. */
  #writtenBytes = 0;
  #wantsFarCopy: boolean;
  /** Kept for good: the kernel tells of a failed write-back only once, and a later sync would pass. */
  #failure: { readonly error: unknown } | undefined;
  /** Whether writing beyond the end costs nothing for what is left out. */
  readonly hasHoles: boolean;

  /** With `farCopy` what is appended is written twice where that can be done: see `joinFarCopy`. */
  static async create(path: string, mode: number, options: { readonly farCopy: boolean }): Promise<PartialFile> {
    return await onPath(path, async () => {
      // wx+: never an existing file, nor through a link that someone put there; readable, for the further copies.
      const handle = await open(path, 'wx+', mode);
      let direct: FileHandle | undefined;
      try {
        direct = await openDirect(handle, constants.O_RDWR);
        const hasHoles = !fillingTypes.has((await statfs(path)).type);
        return new PartialFile({ path, handle, direct, hasHoles, farCopy: options.farCopy && hasHoles });
      } catch (error) {
        await Promise.all([handle.close(), direct?.close(), unlink(path)]);
        throw error;
      }
    });
  }

  private constructor(parts: {
    path: string;
    handle: FileHandle;
    direct: FileHandle | undefined;
    hasHoles: boolean;
    farCopy: boolean;
  }) {
    this.#wantsFarCopy = parts.farCopy;
    this.path = parts.path;
    this.hasHoles = parts.hasHoles;
    this.#handle = parts.handle;
    this.#direct = parts.direct;
    this.#usesDirect = parts.direct !== undefined;
  }

  /** Bytes appended, written or not. */
  get appendedBytes(): number {
    return this.#stagedOffset + this.#stagedBytes;
  }

  /** The two buffers, free to use once `flush` is done. */
  get buffers(): readonly [Uint8Array, Uint8Array] {
    return this.#staging;
  }

  setMode(mode: number): Promise<void> {
    return this.#handle.chmod(mode);
  }

  /** What an earlier write or sync in the background met. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** The memory may be used again once the promise is settled. An error may be thrown by a later call. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#throwFailure();
    if (this.#wantsFarCopy && this.#stagedOffset >= farCopyStartBytes) await this.#beginFarCopy();
    if (this.#usesDirect && worthwhileDirectLength(bytes, bytes.length, this.appendedBytes) === bytes.length) {
      await this.#appendInPlace(bytes);
      return;
    }
    let taken = 0;
    while (taken < bytes.length) {
      const length = Math.min(bytes.length - taken, bufferBytes - this.#stagedBytes);
      this.#staging[this.#current].set(bytes.subarray(taken, taken + length), this.#stagedBytes);
      this.#stagedBytes += length;
      taken += length;
      if (this.#stagedBytes === bufferBytes) await this.#writeStaged();
    }
  }

  /** Writes bytes from where they stand, behind those that are gathered. */
  async #appendInPlace(bytes: Uint8Array): Promise<void> {
    if (this.#stagedBytes > 0) await this.#writeStaged();
    const offset = this.#stagedOffset;
    this.#stagedOffset += bytes.length;
    await Promise.all([this.#writing, this.#writeAppended(bytes, offset)]);
    this.#throwFailure();
    this.#writtenBytes = this.#stagedOffset;
  }

  /** Reads back what was appended, from the disk; undefined where that would only show what is in memory. */
  get readBack(): ReadBack | undefined {
    if (!this.#usesDirect) return undefined;
    const writtenBytes = () => this.#writtenBytes;
    const isKept = () => this.#farCopy?.isKept ?? true;
    return {
      get writtenBytes() {
        return writtenBytes();
      },
      get isKept() {
        return isKept();
      },
      read: async (copy, offset, into) => {
        const place = copy === 0 ? offset : this.#farCopy?.offsetOf(offset, into.length);
        if (place === undefined || copy > 1) return false;
        await onPath(this.path, () => this.read(into, place));
        return true;
      },
    };
  }

  async #writeAppended(bytes: Uint8Array, offset: number): Promise<void> {
    await Promise.all([this.write(bytes, offset), this.#farCopy?.write(bytes, offset)]);
  }

  /** Through the page cache it would only make more of what the disk has to catch up with. */
  async #beginFarCopy(): Promise<void> {
    this.#wantsFarCopy = false;
    if (!this.#usesDirect) return;
    // Nothing else may change the file's length meanwhile.
    await this.#writing;
    const write = (bytes: Uint8Array, offset: number) => this.write(bytes, offset);
    this.#farCopy = await FarCopy.begin({ handle: this.#handle, write });
  }

  /**
   * Once all is flushed: puts what was written twice behind the first run. Gives what of the run stands there.
   */
  async joinFarCopy(): Promise<RangeSet | undefined> {
    return await this.#farCopy?.join(this.appendedBytes);
  }

  /** Writes all that was appended. Afterwards only `write` may be called. */
  async flush(): Promise<void> {
    await this.#writeStaged();
    await this.#writing;
    this.#throwFailure();
  }

  /** Starts to write the buffer that was filled, when the other one is written and can be filled. */
  async #writeStaged(): Promise<void> {
    await this.#writing;
    this.#throwFailure();
    const bytes = this.#staging[this.#current].subarray(0, this.#stagedBytes);
    const offset = this.#stagedOffset;
    // What stands before was written before: one staged piece is under way at a time, and none beside it.
    this.#writing = this.#writeAppended(bytes, offset).then(
      () => {
        this.#writtenBytes = Math.max(this.#writtenBytes, offset + bytes.length);
      },
      (error: unknown) => this.#fail(error),
    );
    this.#stagedOffset += this.#stagedBytes;
    this.#stagedBytes = 0;
    this.#current = this.#current === 0 ? 1 : 0;
  }

  /** Writes bytes at a place. Several may be under way at once. */
  async write(bytes: Uint8Array, offset: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const rest = bytes.subarray(done);
      const written =
        (await this.#writeDirect(rest, offset + done)) ?? (await this.#writeBuffered(rest, offset + done));
      this.require(written > 0, 'the disk takes nothing');
      done += written;
    }
  }

  /** How many bytes were written; undefined where they have to go through the page cache. */
  async #writeDirect(bytes: Uint8Array, offset: number): Promise<number | undefined> {
    const length = directLength(bytes, bytes.length, offset);
    if (!this.#usesDirect || this.#direct === undefined || length === 0) return undefined;
    try {
      return (await this.#direct.write(bytes, 0, length, offset)).bytesWritten;
    } catch (error) {
      if (!refusesDirectIo(error)) throw error;
      this.#usesDirect = false;
      return undefined;
    }
  }

  async #writeBuffered(bytes: Uint8Array, offset: number): Promise<number> {
    const { bytesWritten } = await this.#handle.write(bytes, 0, bytes.length, offset);
    this.#unsyncedBytes += bytesWritten;
    if (this.#unsyncedBytes >= syncIntervalBytes && this.#sync === undefined) this.#syncInBackground();
    return bytesWritten;
  }

  /** Fills `into` with what stands at a place. */
  async read(into: Uint8Array, offset: number): Promise<void> {
    let done = 0;
    while (done < into.length) {
      const rest = into.subarray(done);
      const bytesRead =
        (await this.#readDirect(rest, offset + done)) ?? (await this.#readBuffered(rest, offset + done));
      this.require(bytesRead > 0, 'another process cut it');
      done += bytesRead;
    }
  }

  async #readDirect(into: Uint8Array, offset: number): Promise<number | undefined> {
    const length = directLength(into, into.length, offset);
    if (!this.#usesDirect || this.#direct === undefined || length === 0) return undefined;
    try {
      return (await this.#direct.read(into, 0, length, offset)).bytesRead;
    } catch (error) {
      if (!refusesDirectIo(error)) throw error;
      this.#usesDirect = false;
      return undefined;
    }
  }

  async #readBuffered(into: Uint8Array, offset: number): Promise<number> {
    return (await this.#handle.read(into, 0, into.length, offset)).bytesRead;
  }

  #syncInBackground(): void {
    this.#unsyncedBytes = 0;
    this.#sync = this.#handle
      .datasync()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#sync = undefined;
      });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Makes the bytes written so far durable. */
  async syncData(): Promise<void> {
    await this.#sync;
    this.#throwFailure();
    await this.#handle.datasync();
  }

  /** Makes all of the file durable, and closes it. */
  async finish(sizeBytes: number): Promise<Stats> {
    await this.#sync;
    this.#throwFailure();
    await this.#handle.sync();
    const stats = await this.#handle.stat();
    this.require(stats.size === sizeBytes, 'another process changed it');
    await this.#close();
    return stats;
  }

  /** Removes the file, after what is under way. */
  async remove(): Promise<void> {
    await onPath(this.path, async () => {
      await Promise.all([this.#writing, this.#sync]);
      await this.#close();
      try {
        await unlink(this.path);
      } catch (error) {
        if (!isSystemError(error) || error.code !== 'ENOENT') throw error;
      }
    });
  }

  async #close(): Promise<void> {
    // A closed handle may be closed again.
    await Promise.all([this.#handle.close(), this.#direct?.close()]);
  }

  /** Throws `storage.failed` where the file is not what this writer made. */
  require(condition: boolean, problem: string, cause?: unknown): void {
    if (condition) return;
    const message = `the temporary file ${this.path} is not as it was written: ${problem}`;
    throw new HoldfastError('storage.failed', { message, context: { path: this.path }, cause });
  }
}
