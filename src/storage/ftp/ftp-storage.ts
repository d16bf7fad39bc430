import { basename } from 'node:path/posix';
import type { FileInfo } from 'basic-ftp';
import { systemClock } from '../../clock.ts';
import { isPartialName, partialOwner, partialPath } from '../../disk/partial-path.ts';
import { isRunning } from '../../disk/process-life.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { isLoopbackHost } from '../network-error.ts';
import { checkObjectName } from '../object-name.ts';
import type {
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { withReadWindows } from '../wrap/read-windows.ts';
import { openSpooledWriter } from '../wrap/spool.ts';
import { type FtpConnection, type FtpServer, placeOf } from './ftp-connection.ts';
import { FtpConnections } from './ftp-connections.ts';
import { decodePart, encodePath, parentOf } from './ftp-path.ts';
import { FtpReader } from './ftp-reader.ts';
import { FtpWriter, removeIfThere } from './ftp-writer.ts';

/** What another machine or container left is taken for dead after this long: a run that only reads back shows no sign of life. */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;

/** Options of {@link FtpStorage}. */
export interface FtpStorageOptions {
  readonly server: FtpServer;
  /** The folder; relative to the one after login. It is made, with its parents, when something is written. */
  readonly rootPath: string;
  /** Begins what `url` gives, where the server's files are seen under another address. */
  readonly baseUrl?: string | undefined;
  /** Folder for the spool of further copies; the system's for temporary files unless set. */
  readonly spoolFolder?: string | undefined;
}

/**
 * Objects are files below a folder of an FTP server. One connection for each object that is written, up to three for each
 * that is read, and one for each other call. Further copies go through a spool on local disk. FTP has no way to ask for durability: what a server does after its
 * answer is its own affair.
 */
export class FtpStorage implements Storage {
  readonly properties: StorageProperties;
  readonly #options: FtpStorageOptions;
  readonly #connections: FtpConnections;

  constructor(options: FtpStorageOptions) {
    const { server, rootPath } = options;
    this.#options = options;
    this.#connections = new FtpConnections(server);
    const inClear =
      'user, password and all bytes pass in clear over the network: set `secure` to true where the server can do TLS';
    this.properties = {
      backend: 'ftp',
      place: `${placeOf(server)}/${rootPath.replace(/^\//, '')}`,
      warnings: server.secure || isLoopbackHost(server.host) ? [] : [inClear],
      usesSpool: true,
    };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    checkName(name);
    throwIfAborted(options.signal);
    const open = async () => {
      const path = await this.#connections.use(async (control) => {
        const target = this.#pathOf(control, name);
        await makeFolders(control, parentOf(target));
        await removeStale(control, parentOf(target));
        return target;
      });
      return await FtpWriter.open({
        name,
        path,
        temporaryPath: `${parentOf(path).replace(/\/$/, '')}/${partialPath(basename(path))}`,
        createOnly: options.createOnly ?? false,
        connections: this.#connections,
        stat: (connection) => statPath(connection, path, name),
      });
    };
    return await openSpooledWriter(open, { ...options, spool: spoolOf(this.#options.spoolFolder) });
  }

  async open(name: string): Promise<RandomAccess> {
    checkName(name);
    const { path, stored } = await this.#connections.use(async (control) => {
      const target = this.#pathOf(control, name);
      return { path: target, stored: await statPath(control, target, name) };
    });
    const check = async (connection: FtpConnection) => {
      const now = await statPath(connection, path, name);
      if (now.sizeBytes === stored.sizeBytes && now.modifiedMs === stored.modifiedMs) return;
      throw new HoldfastError('storage.conflict', {
        message: `${this.url(name)}: it was replaced while it was read`,
        hint: 'run it again',
      });
    };
    const reader = new FtpReader({ path, sizeBytes: stored.sizeBytes, connections: this.#connections, check });
    await reader.prefetch();
    return withReadWindows(reader);
  }

  async stat(name: string): Promise<StoredObject> {
    checkName(name);
    return await this.#connections.use((control) => statPath(control, this.#pathOf(control, name), name));
  }

  async *list(prefix = ''): AsyncIterable<StoredObject> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const parts = folder.split('/').slice(0, -1);
    if (parts.some((part) => part === '' || part === '.' || part === '..')) return;
    yield* this.#listFolder(folder, prefix);
  }

  async delete(name: string): Promise<void> {
    checkName(name);
    await this.#connections.use((control) => removeIfThere(control, this.#pathOf(control, name)));
  }

  async removeEmptyFolders(name: string): Promise<void> {
    checkName(name);
    await this.#connections.use((control) => removeEmpty(control, this.#pathOf(control, name)));
  }

  url(name: string): string {
    const { baseUrl, server, rootPath } = this.#options;
    const encode = (path: string) => path.split('/').map(encodeURIComponent).join('/');
    const base = baseUrl ?? `${placeOf(server)}/${encode(rootPath.replace(/^\//, ''))}`;
    return `${base.replace(/\/$/, '')}/${encode(name)}`;
  }

  async close(): Promise<void> {
    this.#connections.close();
  }

  /** `folder` is empty, or ends with `/`. Memory: one folder's names at each depth. */
  async *#listFolder(folder: string, prefix: string): AsyncGenerator<StoredObject> {
    const files = await this.#connections.use(async (control) => {
      const path = folder === '' ? this.#root(control) : this.#pathOf(control, folder.slice(0, -1));
      return await control.list(path);
    });
    for (const file of files ?? []) {
      const part = decodePart(file.name);
      if (part === undefined || part === '.' || part === '..') continue;
      const name = `${folder}${part}`;
      if (file.isDirectory) {
        const inner = `${name}/`;
        if (inner.startsWith(prefix) || prefix.startsWith(inner)) yield* this.#listFolder(inner, prefix);
      } else if (file.isFile && name.startsWith(prefix) && !isPartialName(file.name)) {
        const stored = await this.#listed(file, name);
        if (stored !== undefined) yield stored;
      }
    }
  }

  /** Listings without MLSD tell times to the minute, in a zone of the server's, if at all. */
  async #listed(file: FileInfo, name: string): Promise<StoredObject | undefined> {
    if (file.modifiedAt !== undefined) return { name, sizeBytes: file.size, modifiedMs: file.modifiedAt.getTime() };
    try {
      return await this.stat(name);
    } catch (error) {
      // Gone since its name was read.
      if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
      throw error;
    }
  }

  #root(control: FtpConnection): string {
    const { rootPath } = this.#options;
    const whole = rootPath.startsWith('/') ? rootPath : `${control.home}/${rootPath}`;
    return `/${whole
      .split('/')
      .filter((part) => part !== '')
      .join('/')}`;
  }

  #pathOf(control: FtpConnection, name: string): string {
    return encodePath(this.#root(control), name);
  }
}

function spoolOf(folder: string | undefined): { folder: string } | undefined {
  return folder === undefined ? undefined : { folder };
}

function checkName(name: string): void {
  checkObjectName(name);
  if (!name.split('/').some(isPartialName)) return;
  const message = `the name ${JSON.stringify(name)} is kept for files that are being written`;
  throw new HoldfastError('storage.unauthorized', { message, hint: 'choose another name', context: { name } });
}

async function statPath(connection: FtpConnection, path: string, name: string): Promise<StoredObject> {
  const sizeBytes = await connection.sizeBytes(path);
  return { name, sizeBytes, modifiedMs: await connection.modifiedMs(path) };
}

async function makeFolders(connection: FtpConnection, folder: string): Promise<void> {
  if (await connection.changeFolder(folder)) return;
  let path = '';
  let refusal: unknown;
  for (const part of folder.slice(1).split('/')) {
    path += `/${part}`;
    if (await connection.changeFolder(path)) continue;
    // Another run may make it at the same time: what counts is that it is there.
    await connection.makeFolder(path).catch((error: unknown) => {
      if (connection.isClosed) throw error;
      refusal = error;
    });
  }
  if (!(await connection.changeFolder(folder))) throw refusal;
}

async function removeEmpty(connection: FtpConnection, folder: string): Promise<void> {
  try {
    for (const { name, isDirectory } of (await connection.list(folder)) ?? []) {
      if (isDirectory && name !== '.' && name !== '..') await removeEmpty(connection, `${folder}/${name}`);
    }
    // Where this connection stands in it, some servers do not let it go.
    await connection.changeFolder('/');
    await connection.removeFolder(folder);
  } catch (error) {
    // It holds something, or was never made.
    if (!(error instanceof HoldfastError) || connection.isClosed) throw error;
  }
}

/** Removes what dead runs left in a folder, as far as the server lets this user. */
async function removeStale(connection: FtpConnection, folder: string): Promise<void> {
  for (const { name, isFile } of (await connection.list(folder)) ?? []) {
    const owner = partialOwner(name);
    if (owner === undefined || !isFile) continue;
    const path = `${folder.replace(/\/$/, '')}/${name}`;
    try {
      const isDead = owner.isHere && !isRunning(owner.processId);
      const isOld = systemClock.nowMs() - (await connection.modifiedMs(path)) > staleAfterMs;
      if (isDead || isOld) await removeIfThere(connection, path);
    } catch (error) {
      // Removed by another run since, or another user's: it does not stop this one.
      if (connection.isClosed) throw error;
    }
  }
}
