import { realpathSync, type Stats } from 'node:fs';
import { lstat, opendir, readdir, realpath, rmdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { isPartialName } from '../../disk/partial-path.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { HoldfastError } from '../../errors.ts';
import { folderError, makeFolder, onPath, removeStalePartials, storageErrorFrom, syncFolder } from '../durable-file.ts';
import { checkObjectName } from '../object-name.ts';
import type {
  ForeignObject,
  OpenedObject,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { fileRandomAccess } from './file-random-access.ts';
import { openLocalWriter } from './local-writer.ts';

/** Options of {@link LocalStorage}. */
export interface LocalStorageOptions {
  /** The folder; it is made, with its parents, when something is written. */
  readonly root: string;
  /** Mode of the files: 0600 unless set. A mode that is set holds whatever the umask is. */
  readonly filePermissionsMode?: number;
  /** Mode of folders that are made: 0700 unless set. */
  readonly directoryPermissionsMode?: number;
}

/**
 * Objects are files below a folder. Names may have `/`. A name that would leave the folder, through `..` or a symbolic link, throws
 * `storage.unauthorized`. Symbolic links are not listed; one that stays in the folder can be opened.
 *
 * @example
 * const storage = new LocalStorage({ root: '/var/backups/shop' });
 */
export class LocalStorage implements Storage {
  readonly properties: StorageProperties;
  readonly #root: string;
  readonly #options: LocalStorageOptions;

  constructor(options: LocalStorageOptions) {
    this.#root = resolve(options.root);
    this.properties = {
      backend: 'local',
      place: this.#root,
      warnings: [],
      usesSpool: false,
      createOnlyBytes: Number.POSITIVE_INFINITY,
    };
    this.#options = options;
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    this.#checkName(name);
    const { filePermissionsMode, directoryPermissionsMode } = this.#options;
    const folderOptions = {
      mode: directoryPermissionsMode ?? 0o700,
      exactMode: directoryPermissionsMode !== undefined,
    };
    const path = join(this.#root, name);
    await makeFolder(this.#root, folderOptions);
    // Before folders are made, so that none is made outside.
    await this.#checkInside(await deepestExisting(dirname(path)), path);
    await makeFolder(dirname(path), folderOptions);
    const folder = await onPath(dirname(path), () => realpath(dirname(path)));
    await this.#checkInside(folder, path);
    const target = join(folder, basename(path));
    await checkReplaceable(target);
    await removeStalePartials(folder);
    const mode = filePermissionsMode ?? 0o600;
    return openLocalWriter({ name, target, mode, exactMode: filePermissionsMode !== undefined }, options);
  }

  async open(name: string): Promise<OpenedObject> {
    const path = await this.#existing(name);
    const { modifiedMs } = await this.stat(name);
    const file = await fileRandomAccess(path);
    return Object.assign(file, { details: { modifiedMs, headers: {} } });
  }

  async stat(name: string): Promise<StoredObject> {
    const path = await this.#existing(name);
    const stats = await onPath(path, () => stat(path));
    if (stats.isDirectory()) throw folderError(path);
    if (stats.isFile()) return storedObject(name, stats);
    const device = await fileRandomAccess(path);
    await device.close();
    return { ...storedObject(name, stats), sizeBytes: device.sizeBytes };
  }

  async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    yield* listFolder(this.#root, '', { prefix, onForeign });
  }

  async delete(name: string): Promise<void> {
    this.#checkName(name);
    const path = join(this.#root, name);
    try {
      const folder = await realpath(dirname(path));
      await this.#checkInside(folder, path);
      const target = join(folder, basename(path));
      if ((await lstat(target)).isDirectory()) throw folderError(target);
      await unlink(target);
      await syncFolder(folder);
    } catch (error) {
      if (isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return;
      throw storageErrorFrom(error, path);
    }
  }

  async removeEmptyFolders(name: string): Promise<void> {
    this.#checkName(name);
    const path = join(this.#root, name);
    try {
      await this.#checkInside(await realpath(path), path);
    } catch (error) {
      if (isSystemError(error) && error.code === 'ENOENT') return;
      throw storageErrorFrom(error, path);
    }
    await removeEmpty(path);
  }

  /** The object's absolute path. */
  url(name: string): string {
    return join(this.#root, name);
  }

  async close(): Promise<void> {}

  #checkName(name: string): void {
    checkObjectName(name);
    if (name.split('/').some(isPartialName)) {
      const message = `the name ${JSON.stringify(name)} is kept for files that are being written`;
      throw new HoldfastError('storage.unauthorized', { message, hint: 'choose another name', context: { name } });
    }
  }

  /** The path of an existing object, without symbolic links. */
  async #existing(name: string): Promise<string> {
    this.#checkName(name);
    const path = join(this.#root, name);
    const real = await onPath(path, () => realpath(path));
    await this.#checkInside(real, path);
    return real;
  }

  async #checkInside(real: string, path: string): Promise<void> {
    const root = await onPath(this.#root, () => realpath(this.#root));
    const way = relative(root, real);
    if (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)) return;
    const message = `${path}: a symbolic link leads out of ${this.#root}`;
    throw new HoldfastError('storage.unauthorized', { message, context: { path } });
  }
}

/**
 * Storage and name for a path, absolute or relative. A symbolic link is followed, so that what it points to is read, or replaced.
 */
export function localObject(path: string): { readonly storage: LocalStorage; readonly name: string } {
  let file = resolve(path);
  try {
    file = realpathSync(file);
  } catch (error) {
    // Not there yet, or out of reach: using it tells.
    if (!isSystemError(error)) throw error;
  }
  if (dirname(file) === file) throw folderError(file);
  return { storage: new LocalStorage({ root: dirname(file) }), name: basename(file) };
}

function storedObject(name: string, stats: Stats): StoredObject {
  return { name, sizeBytes: stats.size, modifiedMs: Math.floor(stats.mtimeMs) };
}

/** The real path of the nearest parent that exists, or the path itself. */
async function deepestExisting(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'ENOENT') throw storageErrorFrom(error, path);
    return deepestExisting(dirname(path));
  }
}

/** A rename would put a file in the place of `/dev/null` without a word. */
async function checkReplaceable(target: string): Promise<void> {
  let stats: Stats;
  try {
    stats = await lstat(target);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return;
    throw storageErrorFrom(error, target);
  }
  if (stats.isDirectory()) throw folderError(target);
  if (stats.isFile() || stats.isSymbolicLink()) return;
  const message = `${target}: it is a device, a pipe or a socket, and is not replaced by a file`;
  throw new HoldfastError('storage.conflict', { message, context: { path: target } });
}

interface ListOptions {
  readonly prefix: string;
  readonly onForeign: ((foreign: ForeignObject) => void) | undefined;
}

/** `base` is the folder's name with its `/`, or empty for the root. */
async function* listFolder(folder: string, base: string, options: ListOptions): AsyncGenerator<StoredObject> {
  const { prefix, onForeign } = options;
  try {
    for await (const entry of await opendir(folder)) {
      const name = `${base}${entry.name}`;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        const inner = `${name}/`;
        if (inner.startsWith(prefix) || prefix.startsWith(inner)) yield* listFolder(path, inner, options);
      } else if (entry.isFile() && name.startsWith(prefix) && !isPartialName(entry.name)) {
        const stats = await statIfThere(path);
        if (stats) yield storedObject(name, stats);
      } else if (!entry.isFile() && name.startsWith(prefix)) {
        onForeign?.({ name, sizeBytes: 0, kind: 'other', reason: 'it is a link, or no file' });
      }
    }
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    // Not made yet, or gone since its name was read.
    if (code === 'ENOENT') return;
    // Every ext4 disk has this folder at its top, for the super-user only.
    if (code === 'EACCES' && base === 'lost+found/') return;
    throw storageErrorFrom(error, folder);
  }
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await removeEmpty(join(folder, entry.name));
    }
    await rmdir(folder);
  } catch (error) {
    // It holds something, or is another user's.
    if (!isSystemError(error)) throw error;
  }
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw storageErrorFrom(error, path);
  }
}
