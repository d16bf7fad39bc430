import { systemClock } from '../../clock.ts';
import { partialOwner } from '../../disk/partial-path.ts';
import { isRunning } from '../../disk/process-life.ts';
import { HoldfastError } from '../../errors.ts';
import { nameTaken } from '../name-taken.ts';
import type { DavResource } from './multi-status.ts';
import type { WebdavClient } from './webdav-client.ts';
import { statusError } from './webdav-errors.ts';

/** What another machine or container left is taken for dead after this long: a run that only reads back shows no sign of life. */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;

/** A name as it stands in a URL. */
export function encodeName(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

/** The last part of a resource's path; undefined where it cannot be decoded: no object has such a name. */
export function nameOf(resource: DavResource): string | undefined {
  const part = resource.href.replace(/\/$/, '').split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** What is done with files and folders of one server; paths are percent-encoded, those of folders end with `/`. */
export class WebdavFolder {
  readonly client: WebdavClient;
  /** Of the root's URL; it is there already. */
  readonly #urlPath: string;

  constructor(client: WebdavClient, urlPath: string) {
    this.client = client;
    this.#urlPath = urlPath;
  }

  /** What is at a path; undefined where nothing is. */
  async find(path: string): Promise<DavResource | undefined> {
    const found = await this.client.properties(path, 0);
    if (found === undefined) return undefined;
    let first: DavResource | undefined;
    for await (const resource of found) first ??= resource;
    return first;
  }

  /** What is in a folder; nothing where there is no such folder. */
  async *list(path: string): AsyncGenerator<DavResource> {
    const own = decodeOrKeep(path).replace(/\/$/, '');
    for await (const resource of (await this.client.properties(path, 1)) ?? []) {
      // The folder itself comes first, or anywhere.
      if (decodeOrKeep(resource.href).replace(/\/$/, '') !== own) yield resource;
    }
  }

  /** Makes a folder and its missing parents below the URL's own. */
  async make(path: string): Promise<void> {
    if ((await this.find(path)) !== undefined) return;
    let folder = this.#urlPath;
    for (const part of path.slice(folder.length).split('/')) {
      if (part === '') continue;
      folder += `${part}/`;
      const status = await this.client.status({ method: 'MKCOL', path: folder });
      // 405: it is there.
      if (status === 201 || status === 405) continue;
      // Apache answers 403 to the slower of two who make it at once.
      if ((await this.find(folder))?.isFolder) continue;
      if (status === 409 || status === 404) throw this.#missingRoot();
      throw statusError(status, this.client.place, `MKCOL ${folder}`);
    }
  }

  #missingRoot(): HoldfastError {
    const message = `${this.client.place}${this.#urlPath}: there is no such folder on the server`;
    const hint = 'make it, or check `url`; only the folders of `rootPath` are made';
    return new HoldfastError('storage.container_not_found', { message, hint });
  }

  /** Gives a file another name, in the place of another file where that is asked for. Throws `storage.conflict`. */
  async move(from: string, to: string, { replaces }: { readonly replaces: boolean }): Promise<void> {
    const place = `${this.client.place}${to}`;
    // A folder would go with all that is in it.
    if ((await this.find(to))?.isFolder) throw folderInTheWay(place);
    const headers = { destination: place, overwrite: replaces ? 'T' : 'F' };
    let isRepeated = false;
    const onRepeat = () => {
      isRepeated = true;
    };
    try {
      const status = await this.client.status({ method: 'MOVE', path: from, headers, onRepeat });
      if (status === 412 && !replaces) throw nameTaken(place);
      if (status < 200 || status > 299) throw statusError(status, this.client.place, `MOVE ${from}`);
    } catch (error) {
      // The answer may have been lost after it was done, and a repetition finds it so: nobody else takes the temporary file away.
      const mayBeDone = error instanceof HoldfastError && (error.retryable || isRepeated);
      if (!mayBeDone || (await this.find(from)) !== undefined || (await this.find(to)) === undefined) throw error;
    }
  }

  /** Removes a file; what is not there is no error, and a folder is left alone. */
  async remove(path: string): Promise<void> {
    const found = await this.find(path);
    if (found === undefined) return;
    if (found.isFolder) throw folderInTheWay(`${this.client.place}${path}`);
    const status = await this.client.status({ method: 'DELETE', path });
    if ((status >= 200 && status <= 299) || status === 404 || status === 410) return;
    throw statusError(status, this.client.place, `DELETE ${path}`);
  }

  /** Removes a folder and those in it, as far as they are empty. A server removes a folder with all that is in it, so it is looked first. */
  async removeEmpty(path: string): Promise<void> {
    let holdsMore = false;
    const inner: string[] = [];
    for await (const { isFolder, href } of this.list(path)) {
      if (isFolder) inner.push(href.replace(/\/*$/, '/'));
      else holdsMore = true;
    }
    for (const folder of inner) await this.removeEmpty(folder);
    for await (const _ of this.list(path)) holdsMore = true;
    if (holdsMore || (await this.find(path)) === undefined) return;
    const status = await this.client.status({ method: 'DELETE', path });
    if ((status >= 200 && status <= 299) || status === 404 || status === 410) return;
    throw statusError(status, this.client.place, `DELETE ${path}`);
  }

  /** Removes what dead runs left in a folder, as far as the server lets this user. */
  async removeStale(path: string): Promise<void> {
    for await (const resource of this.list(path)) {
      const owner = partialOwner(nameOf(resource) ?? '');
      if (owner === undefined || resource.isFolder) continue;
      const isDead = owner.isHere && !isRunning(owner.processId);
      if (!isDead && systemClock.nowMs() - resource.modifiedMs <= staleAfterMs) continue;
      try {
        await this.remove(resource.href);
      } catch (error) {
        // Another user's: it does not stop this run.
        if (!(error instanceof HoldfastError) || error.retryable) throw error;
      }
    }
  }
}

/** Servers write the same path with more or fewer characters encoded. */
function decodeOrKeep(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function folderInTheWay(place: string): HoldfastError {
  return new HoldfastError('storage.conflict', {
    message: `${place}: it is a folder, not a file`,
    hint: 'choose another name',
  });
}
