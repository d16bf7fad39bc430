import assert from 'node:assert/strict';
import { link, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { partialPath } from '../../disk/partial-path.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { throwIfAborted } from '../../errors.ts';
import { storageErrorFrom, syncFolder } from '../durable-file.ts';
import { nameTaken } from '../name-taken.ts';
import { Replication } from '../replication.ts';
import type { RandomAccess, ReadBack, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { WriterSteps } from '../writer-steps.ts';
import { fileRandomAccess } from './file-random-access.ts';
import { PartialFile } from './partial-file.ts';

type Check = (stored: RandomAccess) => Promise<void>;

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
  const file = await PartialFile.create(partialPath(target.target), target.mode, {
    farCopy: options.copies === 2,
  });
  const writer = new LocalWriter({ file, target, options });
  if (target.exactMode) await writer.setMode(target.mode);
  return writer;
}

/**
 * Writes a temporary file and renames it at commit. A writer that failed has removed its file already; one whose process dies
 * leaves a file that the next writer in the folder removes. Memory: that of a {@link PartialFile}.
 */
class LocalWriter implements StorageWriter {
  readonly #file: PartialFile;
  readonly #target: LocalTarget;
  readonly #options: WriterOptions;
  readonly #steps: WriterSteps;

  constructor(parts: { file: PartialFile; target: LocalTarget; options: WriterOptions }) {
    this.#file = parts.file;
    this.#target = parts.target;
    this.#options = parts.options;
    const { path } = parts.file;
    this.#steps = new WriterSteps({
      signal: parts.options.signal,
      failure: () => parts.file.failure,
      errorFrom: (error) => storageErrorFrom(error, parts.target.target),
      discard: () => parts.file.remove(),
      left: () => ({ message: `the temporary file ${path} could not be removed`, context: { path } }),
    });
  }

  async setMode(mode: number): Promise<void> {
    await this.#steps.run(() => this.#file.setMode(mode));
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#steps.run(() => this.#file.append(bytes));
  }

  get readBack(): ReadBack | undefined {
    return this.#file.readBack;
  }

  async commit(check?: Check): Promise<StoredObject> {
    return await this.#steps.run(() => this.#publish(check));
  }

  async abort(): Promise<void> {
    await this.#steps.abort();
  }

  async #publish(check: Check | undefined): Promise<StoredObject> {
    await this.#file.flush();
    const sizeBytes = await this.#replicateAndCheck(check);
    this.#steps.throwIfStopped();
    const stats = await this.#file.finish(sizeBytes);
    this.#steps.throwIfStopped();
    try {
      if (this.#options.createOnly === true) await renameToFreeName(this.#file.path, this.#target.target);
      else await rename(this.#file.path, this.#target.target);
    } catch (error) {
      this.#file.require(!isSystemError(error) || error.code !== 'ENOENT', 'another process removed it', error);
      throw error;
    }
    // From here on the new object stands. Dying before the folder is synced brings back the old one or the new one, whole.
    this.#steps.setCommitted();
    await syncFolder(dirname(this.#target.target));
    return { name: this.#target.name, sizeBytes: stats.size, modifiedMs: Math.floor(stats.mtimeMs) };
  }

  /** Makes the further copies while what is there of them is checked already; gives the size of the file. */
  async #replicateAndCheck(check: Check | undefined): Promise<number> {
    const replication = new Replication({
      file: this.#file,
      runBytes: this.#file.appendedBytes,
      made: await this.#file.joinFarCopy(),
      copies: this.#options.copies,
      onProgress: this.#options.onReplicate,
      throwIfStopped: () => this.#steps.throwIfStopped(),
    });
    try {
      if (check) await this.#readBack(check, replication);
    } catch (error) {
      replication.stop(error);
    }
    await replication.finish();
    await this.#file.syncData();
    return replication.sizeBytes;
  }

  async #readBack(check: Check, replication: Replication): Promise<void> {
    const stored = await fileRandomAccess(this.#file.path, { sizeBytes: replication.sizeBytes });
    try {
      await check(replication.view(stored));
    } finally {
      await stored.close();
    }
  }
}

/**
 * Renames a file, and replaces nothing: the new name is a second link, which the system refuses where there is one. A process that dies in
 * between leaves the old name too, for the next writer to remove. Without links (exFAT) an empty file takes the name first.
 */
async function renameToFreeName(path: string, target: string): Promise<void> {
  try {
    await link(path, target);
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    if (code === 'EEXIST') throw nameTaken(target, error);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code ?? '')) throw error;
    await reserve(target);
    await rename(path, target);
    return;
  }
  await unlink(path);
}

async function reserve(target: string): Promise<void> {
  try {
    await (await open(target, 'wx')).close();
  } catch (error) {
    if (isSystemError(error) && error.code === 'EEXIST') throw nameTaken(target, error);
    throw error;
  }
}
