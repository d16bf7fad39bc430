import assert from 'node:assert/strict';
import { posix } from 'node:path';
import type { Stats } from 'ssh2';
import { isPartialName, partialPath } from '../../disk/partial-path.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { checkObjectName } from '../object-name.ts';
import type {
  ForeignObject,
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { RemoteFile } from './remote-file.ts';
import { removeLeftovers } from './remove-leftovers.ts';
import type { SftpConnection } from './sftp-connection.ts';
import { type PartialFileOptions, removeIfThere, SftpPartialFile } from './sftp-partial-file.ts';
import { SftpRandomAccess } from './sftp-random-access.ts';
import type { SftpSession } from './sftp-session.ts';
import { SftpWriter, syncFolder } from './sftp-writer.ts';

/** Options of {@link SftpStorage}. */
export interface SftpStorageOptions {
  readonly session: SftpSession;
  /** The folder, absolute or from the one where a log-in begins; it is made, with its parents, when something is written. */
  readonly rootPath: string;
  /** For people and without secrets: `sftp://user@host:port`. */
  readonly place: string;
  /** Mode of the files: 0600 unless set. A mode that is set holds whatever the umask of the server is. */
  readonly fileMode?: number | undefined;
  /** Mode of folders that are made: 0700 unless set. */
  readonly dirMode?: number | undefined;
  /** Owner and group of the files; those of the user unless set. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/**
 * Objects are files below a folder of an SFTP server. Names may have `/`. A name that would leave the folder, through `..` or a symbolic
 * link, throws `storage.unauthorized`. Symbolic links are not listed; one that stays in the folder can be opened.
 */
export class SftpStorage implements Storage {
  readonly properties: StorageProperties;
  readonly #options: SftpStorageOptions;
  readonly #session: SftpSession;
  readonly #root: string;
  /** Temporary files of ours that could not be removed when they should have been. */
  readonly #left = new Set<string>();

  constructor(options: SftpStorageOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#root = posix.normalize(options.rootPath);
    this.properties = { backend: 'sftp', place: this.#urlOf(this.#root), warnings: [], usesSpool: false };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    this.#checkName(name);
    assert(Number.isInteger(options.copies) && options.copies >= 1 && options.copies <= 8, 'copies are 1 to 8');
    throwIfAborted(options.signal);
    const { signal } = options;
    const path = posix.join(this.#root, name);
    const folder = await this.#session.run((connection) => this.#makeFolderOf(connection, path), { signal });
    const target = posix.join(folder, posix.basename(path));
    const stop = new AbortController();
    const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const { fileMode, uid, gid } = this.#options;
    const { file, stats } = await this.#createPartial({
      session: this.#session,
      path: posix.join(folder, partialPath(posix.basename(path))),
      mode: fileMode ?? 0o600,
      exactMode: fileMode !== undefined,
      owner: { uid, gid },
      signal: both,
    });
    const onLeft = (left: string) => this.#left.add(left);
    const writer = new SftpWriter({ name, target, file, session: this.#session, options, stop, onLeft });
    try {
      await this.#session.run((connection) => this.#clean(connection, folder, stats.mtime * 1000), { signal });
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return writer;
  }

  async open(name: string): Promise<RandomAccess> {
    const path = await this.#existing(name);
    let first: Stats | undefined;
    const file = new RemoteFile(this.#session, path, async (connection) => {
      const handle = await connection.open(path, 0x01);
      const stats = await connection.handleStats(handle, path);
      if (stats.isDirectory()) {
        await connection.close(handle, path);
        throw folderError(path);
      }
      if (first !== undefined && (first.size !== stats.size || first.mtime !== stats.mtime)) {
        const message = `${path}: it was replaced while the connection was lost`;
        const context = { path, replaced: true };
        // `storage.failed` is taken for damage of the archive.
        throw new HoldfastError('storage.unavailable', { message, hint: 'run it again', context });
      }
      first = stats;
      return handle;
    });
    await file.run(async () => undefined);
    assert(first !== undefined, 'it is open');
    return new SftpRandomAccess({ file, sizeBytes: first.size, place: path });
  }

  async stat(name: string): Promise<StoredObject> {
    const path = await this.#existing(name);
    const stats = await this.#session.run((connection) => connection.stats(path));
    if (stats.isDirectory()) throw folderError(path);
    return storedObject(name, stats);
  }

  async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    yield* this.#listFolder(this.#root, '', { prefix, onForeign });
  }

  async delete(name: string): Promise<void> {
    this.#checkName(name);
    const path = posix.join(this.#root, name);
    await this.#session.run(async (connection) => {
      try {
        const folder = await connection.realPath(posix.dirname(path));
        await this.#checkInside(connection, folder, path);
        const target = posix.join(folder, posix.basename(path));
        if ((await connection.linkStats(target)).isDirectory()) throw folderError(target);
        await connection.remove(target);
        await syncFolder(connection, folder);
      } catch (error) {
        if (!isNotFound(error) || error.context['status'] === undefined) throw error;
      }
    });
  }

  async removeEmptyFolders(name: string): Promise<void> {
    this.#checkName(name);
    const path = posix.join(this.#root, name);
    await this.#session.run((connection) => removeEmpty(connection, path));
  }

  url(name: string): string {
    return this.#urlOf(posix.join(this.#root, name));
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #urlOf(path: string): string {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    // Paths from the folder of the log-in are marked, as curl and others do.
    return `${this.#options.place}${path.startsWith('/') ? '' : '/~/'}${encoded === '.' ? '' : encoded}`;
  }

  #checkName(name: string): void {
    checkObjectName(name);
    if (name.split('/').some(isPartialName)) {
      const message = `the name ${JSON.stringify(name)} is kept for files that are being written`;
      throw new HoldfastError('storage.unauthorized', { message, hint: 'choose another name', context: { name } });
    }
  }

  /** Makes the folder of a path, and gives its own path without symbolic links. */
  async #makeFolderOf(connection: SftpConnection, path: string): Promise<string> {
    const root = this.#root;
    await this.#makeFolder(connection, root);
    // From the root down, so that none is made outside of it.
    let folder = root;
    for (const part of posix
      .relative(root, posix.dirname(path))
      .split('/')
      .filter((each) => each !== '')) {
      folder = posix.join(folder, part);
      await this.#makeFolder(connection, folder);
      await this.#checkInside(connection, await connection.realPath(folder), path);
    }
    const target = posix.join(folder, posix.basename(path));
    try {
      const stats = await connection.linkStats(target);
      if (stats.isDirectory()) throw folderError(target);
      if (!stats.isFile() && !stats.isSymbolicLink()) {
        const message = `${target}: it is a device, a pipe or a socket, and is not replaced by a file`;
        throw new HoldfastError('storage.conflict', { message, context: { path: target } });
      }
    } catch (error) {
      if (!isNotFound(error) || error.context['status'] === undefined) throw error;
    }
    return await connection.realPath(folder);
  }

  async #makeFolder(connection: SftpConnection, folder: string): Promise<void> {
    if (await isFolder(connection, folder)) return;
    if (posix.dirname(folder) !== folder) await this.#makeFolder(connection, posix.dirname(folder));
    const { dirMode } = this.#options;
    try {
      await connection.makeFolder(folder, dirMode ?? 0o700);
    } catch (error) {
      // Another run may have made it meanwhile.
      if (connection.lost !== undefined || !(await isFolder(connection, folder))) throw folderRefused(error, folder);
      return;
    }
    if (dirMode !== undefined) await connection.setFolderMode(folder, dirMode);
    await syncFolder(connection, posix.dirname(folder));
  }

  /** An interrupted run does not wait until the server has made the file: it may be there nevertheless. */
  async #createPartial(options: PartialFileOptions) {
    try {
      return await SftpPartialFile.create(options);
    } catch (error) {
      this.#left.add(options.path);
      throw error;
    }
  }

  /** Removes what dead runs left, and what this process could not remove before. */
  async #clean(connection: SftpConnection, folder: string, serverTimeMs: number): Promise<void> {
    for (const path of this.#left) {
      await removeIfThere(connection, path);
      this.#left.delete(path);
    }
    await removeLeftovers(connection, folder, serverTimeMs);
  }

  /** The path of an existing object, without symbolic links. */
  async #existing(name: string): Promise<string> {
    this.#checkName(name);
    const path = posix.join(this.#root, name);
    return await this.#session.run(async (connection) => {
      // Some servers give the path of what is not there: only this tells.
      await connection.linkStats(path);
      const real = await connection.realPath(path);
      await this.#checkInside(connection, real, path);
      return real;
    });
  }

  async #checkInside(connection: SftpConnection, real: string, path: string): Promise<void> {
    const way = posix.relative(await connection.realPath(this.#root), real);
    if (way !== '..' && !way.startsWith('../')) return;
    const message = `${path}: a symbolic link leads out of ${this.#root}`;
    throw new HoldfastError('storage.unauthorized', { message, context: { path } });
  }

  /** `base` is the folder's name with its `/`, or empty for the root. */
  async *#listFolder(folder: string, base: string, options: ListOptions): AsyncGenerator<StoredObject> {
    const { prefix, onForeign } = options;
    let entries: Awaited<ReturnType<SftpConnection['list']>>;
    try {
      entries = await this.#session.run((connection) => connection.list(folder));
    } catch (error) {
      // Not made yet, or gone since its name was read.
      if (isNotFound(error)) return;
      // Every ext4 disk has this folder at its top, for the super-user only.
      if (base === 'lost+found/' && error instanceof HoldfastError && error.code === 'storage.unauthorized') return;
      throw error;
    }
    for (const { name: entryName, stats } of entries) {
      const name = `${base}${entryName}`;
      if (stats.isDirectory()) {
        const inner = `${name}/`;
        const isWanted = inner.startsWith(prefix) || prefix.startsWith(inner);
        if (isWanted) yield* this.#listFolder(posix.join(folder, entryName), inner, options);
      } else if (stats.isFile() && name.startsWith(prefix) && !isPartialName(entryName)) {
        yield storedObject(name, stats);
      } else if (!stats.isFile() && name.startsWith(prefix)) {
        onForeign?.({ name, sizeBytes: 0, kind: 'other', reason: 'it is a link, or no file' });
      }
    }
  }
}

async function removeEmpty(connection: SftpConnection, folder: string): Promise<void> {
  try {
    for (const { name, stats } of await connection.list(folder)) {
      if (stats.isDirectory()) await removeEmpty(connection, posix.join(folder, name));
    }
    await connection.removeFolder(folder);
  } catch (error) {
    // It holds something, or was never made.
    if (!(error instanceof HoldfastError) || connection.lost !== undefined) throw error;
  }
}

interface ListOptions {
  readonly prefix: string;
  readonly onForeign: ((foreign: ForeignObject) => void) | undefined;
}

function storedObject(name: string, stats: Stats): StoredObject {
  return { name, sizeBytes: stats.size, modifiedMs: stats.mtime * 1000 };
}

function isNotFound(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.code === 'storage.not_found';
}

async function isFolder(connection: SftpConnection, path: string): Promise<boolean> {
  try {
    const stats = await connection.stats(path);
    if (stats.isDirectory()) return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
  const message = `${path}: it is a file, not a folder`;
  throw new HoldfastError('storage.not_found', { message, hint: 'name a folder', context: { path } });
}

function folderError(path: string): HoldfastError {
  const message = `${path}: it is a folder, not a file`;
  return new HoldfastError('storage.not_found', { message, hint: 'name a file in it', context: { path } });
}

function folderRefused(error: unknown, folder: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'storage.unauthorized') return error;
  const message = `${folder}: the folder is not there, and the server does not let this user make it`;
  const hint = 'make it on the server and give it to the user, or set `rootPath` to a folder that the user owns';
  return new HoldfastError('storage.unauthorized', { message, hint, context: error.context, cause: error });
}
