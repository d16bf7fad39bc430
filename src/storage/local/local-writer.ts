import assert from 'node:assert/strict';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { isSystemError, onPath, partialPath, storageErrorFrom, syncFolder } from '../durable-file.ts';
import type { RandomAccess, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { fileRandomAccess } from './file-random-access.ts';

/** A single write is at most this long, so that an abort is noticed. */
const writeLimitBytes = 8 * 1024 * 1024;
/** Data is handed to the disk this often while the run computes, so that `commit` has little left to wait for. */
const syncIntervalBytes = 32 * 1024 * 1024;
/** Each of the two buffers in which `commit` moves the further copies. */
const copyBufferBytes = 2 * 1024 * 1024;

/** Where a {@link LocalWriter} writes. `target` lies in an existing folder. */
export interface LocalTarget {
  readonly name: string;
  readonly target: string;
  readonly mode: number;
  /** Sets the mode whatever the umask is. */
  readonly exactMode: boolean;
}

/** Opens the temporary file beside the target. */
export async function openLocalWriter(target: LocalTarget, options: WriterOptions): Promise<StorageWriter> {
  assert(Number.isInteger(options.copies) && options.copies >= 1 && options.copies <= 8, 'copies are 1 to 8');
  throwIfAborted(options.signal);
  const path = partialPath(target.target);
  // wx+: never an existing file, nor through a link that someone put there; readable, for the further copies.
  const handle = await onPath(path, () => open(path, 'wx+', target.mode));
  const writer = new LocalWriter({ handle, path, target, options });
  if (target.exactMode) await writer.setMode(target.mode);
  return writer;
}

/**
 * Writes a temporary file and renames it at commit. A writer that failed has removed its file already; one whose process dies
 * leaves a file that the next writer in the folder removes. Memory: two buffers of 2 MiB during commit.
 */
class LocalWriter implements StorageWriter {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #target: LocalTarget;
  readonly #options: WriterOptions;
  #state: 'open' | 'committed' | 'discarded' = 'open';
  #isAborting = false;
  #sizeBytes = 0;
  /** The call under way; `abort` waits for it. Its error goes to whoever made the call. */
  #running: Promise<unknown> | undefined;
  #unsyncedBytes = 0;
  #sync: Promise<void> | undefined;
  /** Kept for good: the kernel tells of a failed write-back only once, and a later sync would pass. */
  #syncFailure: { readonly error: unknown } | undefined;

  constructor(parts: { handle: FileHandle; path: string; target: LocalTarget; options: WriterOptions }) {
    this.#handle = parts.handle;
    this.#path = parts.path;
    this.#target = parts.target;
    this.#options = parts.options;
  }

  async setMode(mode: number): Promise<void> {
    await this.#run(() => this.#handle.chmod(mode));
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#run(() => this.#append(bytes));
  }

  async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return this.#run(() => this.#publish(check));
  }

  async abort(): Promise<void> {
    this.#isAborting = true;
    await Promise.allSettled([this.#running]);
    if (this.#state === 'open') await this.#discard();
  }

  /** Runs one step; when it fails, nothing of the object is left. */
  async #run<Result>(step: () => Promise<Result>): Promise<Result> {
    assert(this.#running === undefined, 'a writer does one thing at a time');
    if (this.#state === 'discarded') this.#throwIfStopped();
    assert(this.#state === 'open', `the writer is ${this.#state}`);
    const running = step();
    this.#running = running;
    try {
      return await running;
    } catch (error) {
      const failure = storageErrorFrom(error, this.#target.target);
      if (this.#state === 'open') await this.#discardAfter(failure);
      throw failure;
    } finally {
      this.#running = undefined;
    }
  }

  async #publish(check: ((stored: RandomAccess) => Promise<void>) | undefined): Promise<StoredObject> {
    await this.#replicate();
    await this.#syncNow();
    if (check) await this.#readBack(check);
    this.#throwIfStopped();
    await this.#handle.sync();
    const stats = await this.#handle.stat();
    this.#require(stats.size === this.#sizeBytes, 'another process changed it');
    await this.#handle.close();
    this.#throwIfStopped();
    try {
      await rename(this.#path, this.#target.target);
    } catch (error) {
      this.#require(!isSystemError(error) || error.code !== 'ENOENT', 'another process removed it', error);
      throw error;
    }
    // From here on the new object stands. Dying before the folder is synced brings back the old one or the new one, whole.
    this.#state = 'committed';
    await syncFolder(dirname(this.#target.target));
    return { name: this.#target.name, sizeBytes: stats.size, modifiedMs: Math.floor(stats.mtimeMs) };
  }

  async #append(bytes: Uint8Array): Promise<void> {
    let done = 0;
    do {
      this.#throwIfStopped();
      const length = Math.min(bytes.length - done, writeLimitBytes);
      const { bytesWritten } = await this.#handle.write(bytes, done, length, this.#sizeBytes);
      this.#require(bytesWritten > 0 || length === 0, 'the disk takes nothing');
      done += bytesWritten;
      this.#sizeBytes += bytesWritten;
      this.#unsyncedBytes += bytesWritten;
      this.#syncInBackground();
    } while (done < bytes.length);
  }

  #syncInBackground(): void {
    if (this.#unsyncedBytes < syncIntervalBytes || this.#sync) return;
    this.#unsyncedBytes = 0;
    const finish = () => {
      this.#sync = undefined;
    };
    const fail = (error: unknown) => {
      this.#syncFailure = { error };
      finish();
    };
    this.#sync = this.#handle.datasync().then(finish, fail);
  }

  async #syncNow(): Promise<void> {
    await this.#sync;
    this.#throwIfStopped();
    await this.#handle.datasync();
  }

  /** Appends copies 2 to n of the first run: one piece is read while the one before it is written. */
  async #replicate(): Promise<void> {
    const runBytes = this.#sizeBytes;
    const totalBytes = runBytes * (this.#options.copies - 1);
    if (totalBytes === 0) return;
    let [current, next] = [new Uint8Array(copyBufferBytes), new Uint8Array(copyBufferBytes)];
    let piece = await this.#readPiece(current, 0, runBytes);
    let doneBytes = 0;
    while (doneBytes < totalBytes) {
      const following = doneBytes + piece.length;
      const [nextPiece] = await Promise.all([
        following < totalBytes ? this.#readPiece(next, following % runBytes, runBytes) : piece,
        this.#append(piece),
      ]);
      [current, next] = [next, current];
      piece = nextPiece;
      doneBytes = following;
      this.#options.onReplicate?.(doneBytes, totalBytes);
    }
  }

  async #readPiece(buffer: Uint8Array, offset: number, end: number): Promise<Uint8Array> {
    const length = Math.min(buffer.length, end - offset);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#handle.read(buffer, done, length - done, offset + done);
      this.#require(bytesRead > 0, 'another process cut it');
      done += bytesRead;
    }
    return buffer.subarray(0, length);
  }

  async #readBack(check: (stored: RandomAccess) => Promise<void>): Promise<void> {
    const stored = await fileRandomAccess(this.#path);
    try {
      await check(stored);
    } finally {
      await stored.close();
    }
  }

  #throwIfStopped(): void {
    throwIfAborted(this.#options.signal);
    if (this.#isAborting) throw new HoldfastError('operation.interrupted');
    if (this.#syncFailure) throw storageErrorFrom(this.#syncFailure.error, this.#target.target);
  }

  #require(condition: boolean, problem: string, cause?: unknown): void {
    if (condition) return;
    const message = `the temporary file ${this.#path} is not as it was written: ${problem}`;
    throw new HoldfastError('storage.failed', { message, context: { path: this.#path }, cause });
  }

  async #discard(): Promise<void> {
    this.#state = 'discarded';
    await onPath(this.#path, async () => {
      await this.#sync;
      // Waits for reads and writes under way.
      await this.#handle.close();
      try {
        await unlink(this.#path);
      } catch (error) {
        if (!isSystemError(error) || error.code !== 'ENOENT') throw error;
      }
    });
  }

  async #discardAfter(failure: unknown): Promise<void> {
    try {
      await this.#discard();
    } catch (error) {
      const code = failure instanceof HoldfastError ? failure.code : 'storage.failed';
      const reason = failure instanceof Error ? failure.message : String(failure);
      const message = `${reason}; the temporary file ${this.#path} could not be removed`;
      throw new HoldfastError(code, {
        message,
        context: { path: this.#path },
        cause: new AggregateError([failure, error]),
      });
    }
  }
}
