import { posix } from 'node:path';
import type { Stats } from 'ssh2';
import { HoldfastError } from '../../errors.ts';
import { nameTaken } from '../name-taken.ts';
import { Replication } from '../replication.ts';
import type { RandomAccess, ReadBack, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { WriterSteps } from '../writer-steps.ts';
import { RemoteFile } from './remote-file.ts';
import type { SftpConnection } from './sftp-connection.ts';
import type { SftpPartialFile } from './sftp-partial-file.ts';
import { SftpRandomAccess } from './sftp-random-access.ts';
import type { SftpSession } from './sftp-session.ts';

type Check = (stored: RandomAccess) => Promise<void>;

/** What an {@link SftpWriter} is made of. */
export interface WriterParts {
  readonly name: string;
  /** The path under which the object appears. */
  readonly target: string;
  readonly file: SftpPartialFile;
  readonly session: SftpSession;
  readonly options: WriterOptions;
  /** Ends what the writer waits for. The signal of the options is in it. */
  readonly stop: AbortController;
  /** Called with the path of a temporary file that could not be removed. */
  readonly onLeft: (path: string) => void;
}

/**
 * Writes a temporary file beside the target, reads it back, and renames it at commit. The second copy is made by the server where it can
 * copy; else it is sent while the first one is read back. Memory: that of an {@link SftpPartialFile}.
 */
export class SftpWriter implements StorageWriter {
  readonly #parts: WriterParts;
  readonly #file: SftpPartialFile;
  readonly #steps: WriterSteps;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#file = parts.file;
    const { path } = parts.file;
    this.#steps = new WriterSteps({
      signal: parts.options.signal,
      stopping: parts.stop,
      failure: () => parts.file.failure,
      discard: () => this.#discard(),
      left: () => ({
        message: `the temporary file ${path} could not be removed: a later run does that`,
        context: { path },
      }),
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#steps.run(() => this.#file.append(bytes));
  }

  /** Of one copy only: where there are two, the check at the end reads both anyway, since the second one is made then. */
  get readBack(): ReadBack | undefined {
    if (this.#parts.options.copies > 1) return undefined;
    const file = this.#file;
    return {
      get writtenBytes() {
        return file.writtenBytes;
      },
      isKept: true,
      read: async (copy, offset, into) => {
        if (copy > 0) return false;
        await file.read(into, offset);
        return true;
      },
    };
  }

  async commit(check?: Check): Promise<StoredObject> {
    return await this.#steps.run(() => this.#publish(check));
  }

  async abort(): Promise<void> {
    await this.#steps.abort();
  }

  async #publish(check: Check | undefined): Promise<StoredObject> {
    const { name, target, session } = this.#parts;
    await this.#file.flush();
    const sizeBytes = await this.#replicateAndCheck(check);
    this.#steps.throwIfStopped();
    const stats = await this.#file.finish(sizeBytes);
    this.#steps.throwIfStopped();
    // Without the signal: who is told that it was interrupted may rely on the old object.
    const replaces = this.#parts.options.createOnly !== true;
    await session.run((connection, attempt) =>
      rename(connection, { from: this.#file.path, target, stats, attempt, replaces }),
    );
    this.#steps.setCommitted();
    await session.run((connection) => syncFolder(connection, posix.dirname(target)));
    return { name, sizeBytes, modifiedMs: stats.mtime * 1000 };
  }

  /** Makes the further copies while what is there of them is checked already; gives the size of the file. */
  async #replicateAndCheck(check: Check | undefined): Promise<number> {
    const { copies, onReplicate } = this.#parts.options;
    const runBytes = this.#file.appendedBytes;
    const onCopied = (doneBytes: number) => onReplicate?.(doneBytes, runBytes * (copies - 1));
    const made = copies > 1 ? await this.#file.copyOnServer(runBytes, copies, onCopied) : undefined;
    const replication = new Replication({
      file: this.#file,
      runBytes,
      copies,
      made,
      onProgress: onReplicate,
      throwIfStopped: () => this.#steps.throwIfStopped(),
    });
    try {
      if (check) await this.#readBack(check, replication);
    } catch (error) {
      replication.stop(error);
    }
    await replication.finish();
    return replication.sizeBytes;
  }

  async #readBack(check: Check, replication: Replication): Promise<void> {
    const { path } = this.#file;
    const file = new RemoteFile(this.#parts.session, path, (connection) => connection.open(path, 0x01));
    const stored = new SftpRandomAccess({ file, sizeBytes: replication.sizeBytes, place: path });
    try {
      await check(replication.view(stored));
    } finally {
      await stored.close();
    }
  }

  async #discard(): Promise<void> {
    try {
      await this.#file.remove();
    } catch (error) {
      this.#parts.onLeft(this.#file.path);
      throw error;
    }
  }
}

/** Publishes a file. On a further try the rename may have been done already, with its answer lost. */
async function rename(
  connection: SftpConnection,
  step: {
    readonly from: string;
    readonly target: string;
    readonly stats: Stats;
    readonly attempt: number;
    readonly replaces: boolean;
  },
): Promise<void> {
  const { from, target, stats, attempt, replaces } = step;
  try {
    await connection.rename(from, target, { replaces });
  } catch (error) {
    if (!(error instanceof HoldfastError) || connection.lost !== undefined) throw error;
    if (error.code === 'storage.not_found') {
      if (attempt > 1 && (await isSame(connection, target, stats))) return;
      const message = `the temporary file ${from} is not as it was written: another process removed it`;
      throw new HoldfastError('storage.failed', { message, context: { path: from }, cause: error });
    }
    const isRefusal = !replaces || !connection.has('posix-rename@openssh.com');
    if (!isRefusal || !(await isThere(connection, target))) throw error;
    if (!replaces) throw nameTaken(target, error);
    throw new HoldfastError('storage.conflict', {
      message: `${target}: it exists, and this server cannot replace a file in one step (posix-rename@openssh.com)`,
      hint: 'choose a name that is not there yet, such as one with the time in it',
      context: { path: target },
      cause: error,
    });
  }
}

async function isSame(connection: SftpConnection, path: string, stats: Stats): Promise<boolean> {
  const { size, mtime } = await connection.linkStats(path);
  return size === stats.size && mtime === stats.mtime;
}

async function isThere(connection: SftpConnection, path: string): Promise<boolean> {
  try {
    await connection.linkStats(path);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'storage.not_found') return false;
    throw error;
  }
}

/** Makes a rename or a removal survive a crash of the server, where it opens folders like files, as OpenSSH on Linux does. */
export async function syncFolder(connection: SftpConnection, folder: string): Promise<void> {
  if (!connection.has('fsync@openssh.com')) return;
  try {
    const handle = await connection.open(folder, 0x01);
    try {
      await connection.sync(handle, folder);
    } finally {
      await connection.close(handle, folder);
    }
  } catch (error) {
    // A server that does not is no error: it has said that the change is made.
    if (connection.lost !== undefined) throw error;
  }
}
