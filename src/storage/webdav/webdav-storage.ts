import { isPartialName, partialPath } from '../../disk/partial-path.ts';
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
import { openSpooledWriter } from '../wrap/spool.ts';
import type { DavResource } from './multi-status.ts';
import { WebdavClient, type WebdavServer } from './webdav-client.ts';
import { encodeName, nameOf, WebdavFolder } from './webdav-folder.ts';
import { WebdavReader } from './webdav-reader.ts';
import { WebdavWriter } from './webdav-writer.ts';

/** Options of {@link WebdavStorage}. */
export interface WebdavStorageOptions {
  readonly server: WebdavServer;
  /** The folder below the URL; it is made, with its parents, when something is written. Empty for the URL's own. */
  readonly rootPath: string;
  /** Folder for the spool of further copies; the system's for temporary files unless set. */
  readonly spoolFolder?: string | undefined;
}

/**
 * Objects are files below a folder of a WebDAV server. Up to 8 connections, and one for each object that is written. Further copies go
 * through a spool on local disk.
 */
export class WebdavStorage implements Storage {
  readonly properties: StorageProperties;
  readonly #spoolFolder: string | undefined;
  readonly #client: WebdavClient;
  readonly #folder: WebdavFolder;
  /** Percent-encoded, with `/` at its end. */
  readonly #root: string;

  constructor(options: WebdavStorageOptions) {
    const { server, rootPath, spoolFolder } = options;
    const urlPath = server.url.pathname.replace(/\/*$/, '/');
    const parts = rootPath.split('/').filter((part) => part !== '');
    this.#root = `${urlPath}${parts.map((part) => `${encodeURIComponent(part)}/`).join('')}`;
    this.#client = new WebdavClient(server);
    this.#folder = new WebdavFolder(this.#client, urlPath);
    this.#spoolFolder = spoolFolder;
    const isInClear = server.url.protocol === 'http:' && !isLoopbackHost(server.url.hostname);
    this.properties = {
      backend: 'webdav',
      place: `${this.#client.place}${this.#root}`,
      warnings: isInClear
        ? ['all bytes, and the password where the server asks for Basic, pass in clear over the network: use https']
        : [],
      usesSpool: true,
    };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    checkName(name);
    throwIfAborted(options.signal);
    const replaces = options.createOnly !== true;
    const open = async () => {
      const slash = name.lastIndexOf('/') + 1;
      const folderPath = `${this.#root}${encodeName(name.slice(0, slash))}`;
      await this.#folder.make(folderPath);
      await this.#folder.removeStale(folderPath);
      const temporaryPath = `${folderPath}${encodeName(partialPath(name.slice(slash)))}`;
      return await WebdavWriter.open({ folder: this.#folder, name, path: this.#pathOf(name), temporaryPath, replaces });
    };
    const spool = this.#spoolFolder === undefined ? undefined : { folder: this.#spoolFolder };
    return await openSpooledWriter(open, { ...options, spool });
  }

  async open(name: string): Promise<RandomAccess> {
    const reader = new WebdavReader(this.#client, this.#pathOf(name), await this.#existing(name));
    await reader.prefetch();
    return reader;
  }

  async stat(name: string): Promise<StoredObject> {
    return storedObject(name, await this.#existing(name));
  }

  async *list(prefix = ''): AsyncIterable<StoredObject> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const parts = folder.split('/').slice(0, -1);
    if (parts.some((part) => part === '' || part === '.' || part === '..')) return;
    yield* this.#listFolder(folder, prefix);
  }

  async delete(name: string): Promise<void> {
    await this.#folder.remove(this.#pathOf(name));
  }

  async removeEmptyFolders(name: string): Promise<void> {
    await this.#folder.removeEmpty(`${this.#pathOf(name)}/`);
  }

  /** The URL of the object on the server, without user and password. */
  url(name: string): string {
    return `${this.properties.place}${encodeName(name)}`;
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** `folder` is empty, or ends with `/`. */
  async *#listFolder(folder: string, prefix: string): AsyncGenerator<StoredObject> {
    const inner: string[] = [];
    for await (const resource of this.#folder.list(`${this.#root}${encodeName(folder)}`)) {
      const part = nameOf(resource);
      if (part === undefined || part === '') continue;
      const name = `${folder}${part}`;
      if (resource.isFolder) inner.push(`${name}/`);
      else if (name.startsWith(prefix) && !isPartialName(part)) yield storedObject(name, resource);
    }
    for (const each of inner)
      if (each.startsWith(prefix) || prefix.startsWith(each)) yield* this.#listFolder(each, prefix);
  }

  async #existing(name: string): Promise<DavResource> {
    const found = await this.#folder.find(this.#pathOf(name));
    if (found !== undefined && !found.isFolder) return found;
    const reason = found === undefined ? 'it does not exist' : 'it is a folder, not a file';
    throw new HoldfastError('storage.not_found', { message: `${this.url(name)}: ${reason}`, context: { name } });
  }

  #pathOf(name: string): string {
    checkName(name);
    return `${this.#root}${encodeName(name)}`;
  }
}

function checkName(name: string): void {
  checkObjectName(name);
  if (!name.split('/').some(isPartialName)) return;
  const message = `the name ${JSON.stringify(name)} is kept for files that are being written`;
  throw new HoldfastError('storage.unauthorized', { message, hint: 'choose another name', context: { name } });
}

function storedObject(name: string, { sizeBytes, modifiedMs }: DavResource): StoredObject {
  return { name, sizeBytes, modifiedMs };
}
