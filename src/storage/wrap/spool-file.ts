import { createCipheriv, createDecipheriv } from 'node:crypto';
import { type FileHandle, open, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { freeMemory } from '../../archive/worker/free-memory.ts';
import { copyBytes } from '../../bytes.ts';
import { type Clock, systemClock } from '../../clock.ts';
import { partialOwner, partialPath } from '../../disk/partial-path.ts';
import { stalePaths } from '../../disk/stale-paths.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { storageErrorFrom } from '../durable-file.ts';

const chunkBytes = 1024 * 1024;
const keyBytes = 32;
const tagBytes = 16;
const nonceBytes = 12;
const baseName = 'holdfast-spool';
/** Where the process cannot be asked whether it lives: no run is taken to last longer. */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;
/** How often it is asked whether there is room left, in chunks. */
const roomIntervalChunks = 16;
const defaultReserveBytes = 128 * 1024 * 1024;

/** Options of {@link SpoolFile}. */
export interface SpoolOptions {
  /** A folder on local disk with room for one copy. */
  readonly folder: string;
  /** What is left free for others, looked at every 16 MiB; 128 MiB unless set. */
  readonly reserveBytes?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Bytes on local disk until they are read once or more from their start. Each MiB is sealed by AES-256-GCM under a key that is only in
 * memory: what is left on the disk says nothing, and what the disk changed is refused. The file loses its name as soon as it is made,
 * where the system allows that, so that the system frees it when the process dies in any way. Memory: 4 MiB.
 */
export class SpoolFile {
  readonly #handle: FileHandle;
  readonly #options: SpoolOptions;
  /** Where the file still has its name. */
  readonly #path: string | undefined;
  readonly #key: Uint8Array;
  readonly #staged = new Uint8Array(chunkBytes);
  readonly #sealed = new Uint8Array(chunkBytes + tagBytes);
  #stagedBytes = 0;
  #chunkCount = 0;

  private constructor(handle: FileHandle, path: string | undefined, options: SpoolOptions) {
    this.#handle = handle;
    this.#path = path;
    this.#options = options;
    this.#key = (options.random ?? systemRandom).bytes(keyBytes);
  }

  /** Makes one, and removes those that dead processes left in the folder. */
  static async create(options: SpoolOptions): Promise<SpoolFile> {
    return await inFolder(options.folder, async () => {
      await removeStale(options);
      const path = partialPath(join(options.folder, baseName));
      const handle = await open(path, 'wx+', 0o600);
      const isUnlinked = await unlinkIfPermitted(path);
      return new SpoolFile(handle, isUnlinked ? undefined : path, options);
    });
  }

  get sizeBytes(): number {
    return this.#chunkCount * chunkBytes + this.#stagedBytes;
  }

  /** The memory may be used again once the promise is settled. Throws `storage.full` where the folder has no room. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let taken = 0; taken < bytes.length; ) {
      const part = bytes.subarray(taken, taken + chunkBytes - this.#stagedBytes);
      copyBytes(part, this.#staged, this.#stagedBytes);
      this.#stagedBytes += part.length;
      taken += part.length;
      if (this.#stagedBytes === chunkBytes) await this.#writeChunk();
    }
  }

  /** All bytes, up to 1 MiB at a time; each is good until the next one is asked for. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const sealed = new Uint8Array(chunkBytes + tagBytes);
    for (let number = 0; number < this.#chunkCount; number += 1) {
      const bytes = await this.#readChunk(number, sealed);
      yield bytes;
      freeMemory(bytes);
    }
    // What did not fill a chunk never went to the disk.
    if (this.#stagedBytes > 0) yield this.#staged.subarray(0, this.#stagedBytes);
  }

  /** Gives the room back. May be called again. */
  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#path !== undefined) await unlinkIfPermitted(this.#path);
  }

  async #writeChunk(): Promise<void> {
    const { folder } = this.#options;
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#chunkCount));
    const sealed = cipher.update(this.#staged);
    this.#sealed.set(sealed);
    freeMemory(sealed);
    cipher.final();
    this.#sealed.set(cipher.getAuthTag(), chunkBytes);
    const place = this.#chunkCount * (chunkBytes + tagBytes);
    await inFolder(folder, async () => {
      if (this.#chunkCount % roomIntervalChunks === roomIntervalChunks - 1) await this.#checkRoom();
      await writeAll(this.#handle, this.#sealed, place);
    });
    this.#chunkCount += 1;
    this.#stagedBytes = 0;
  }

  async #checkRoom(): Promise<void> {
    const { folder, reserveBytes = defaultReserveBytes } = this.#options;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < reserveBytes) throw fullError(folder);
  }

  async #readChunk(number: number, sealed: Uint8Array): Promise<Uint8Array> {
    const { folder } = this.#options;
    const { bytesRead } = await inFolder(folder, () =>
      this.#handle.read(sealed, 0, sealed.length, number * sealed.length),
    );
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(number));
    decipher.setAuthTag(sealed.subarray(chunkBytes));
    try {
      const bytes = decipher.update(sealed.subarray(0, chunkBytes));
      decipher.final();
      if (bytesRead === sealed.length) return bytes;
    } catch (error) {
      throw changedError(folder, error);
    }
    throw changedError(folder, undefined);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, place: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, place + done)).bytesWritten;
  }
}

/** The key is used for one file only, so that the number of a chunk never comes twice under it. */
function nonceOf(chunk: number): Uint8Array {
  const nonce = Buffer.alloc(nonceBytes);
  nonce.writeUIntBE(chunk, nonceBytes - 6, 6);
  return nonce;
}

/** The user looks for the cause at the storage: it is said that this is about this machine's disk. */
async function inFolder<Result>(folder: string, operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    if (isSystemError(error) && ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(error.code)) throw fullError(folder, error);
    throw storageErrorFrom(error, folder);
  }
}

function fullError(folder: string, cause?: unknown): HoldfastError {
  const message = `${folder}: there is no room left for the spool: a further copy is kept on this disk until the first one is stored`;
  const hint = 'name a folder with more room by `spoolFolder` of the storage, or store one copy (`copies: 1`)';
  return new HoldfastError('storage.full', { message, hint, context: { path: folder }, cause });
}

function changedError(folder: string, cause: unknown): HoldfastError {
  return new HoldfastError('storage.failed', {
    message: `${folder}: the spool does not read back as it was written`,
    hint: 'check the disk and the memory of this machine, or name another folder by `spoolFolder` of the storage',
    context: { path: folder },
    cause,
  });
}

/** Whether the name is gone: some systems keep that of an open file. */
async function unlinkIfPermitted(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return true;
    if (isSystemError(error) && ['EBUSY', 'EPERM', 'EACCES'].includes(error.code)) return false;
    throw error;
  }
}

async function removeStale(options: SpoolOptions): Promise<void> {
  const ownerOf = (name: string) => {
    const owner = partialOwner(name);
    return owner?.base === baseName ? owner : undefined;
  };
  const found = stalePaths(options.folder, { ownerOf, staleAfterMs, clock: options.clock ?? systemClock });
  for await (const { path, stats } of found) if (stats.isFile()) await unlinkIfPermitted(path);
}
