import { HoldfastError } from '../../errors.ts';
import type { RandomAccess, StoredObject } from '../storage.ts';
import type { AppendWriter } from '../wrap/spool.ts';
import type { DavResource } from './multi-status.ts';
import type { WebdavFolder } from './webdav-folder.ts';
import { WebdavReader } from './webdav-reader.ts';
import { WebdavUpload } from './webdav-upload.ts';

/** What a {@link WebdavWriter} writes; paths are percent-encoded. */
export interface WebdavWriterOptions {
  readonly folder: WebdavFolder;
  readonly name: string;
  readonly path: string;
  readonly temporaryPath: string;
  /** Whether it takes the place of what stands under the name. */
  readonly replaces: boolean;
}

/**
 * Uploads under a temporary name by one PUT, and moves at commit. There is no way to go on after a cut that servers agree on: some put
 * a partial PUT (`Content-Range`) in the place of the whole file. So a cut ends the run, and nothing is visible.
 */
export class WebdavWriter implements AppendWriter {
  readonly #options: WebdavWriterOptions;
  readonly #upload: WebdavUpload;
  readonly #stop = new AbortController();
  #appendedBytes = 0;
  #running: Promise<unknown> = Promise.resolve();
  #isPublishing = false;
  #isPublished = false;

  private constructor(options: WebdavWriterOptions, upload: WebdavUpload) {
    this.#options = options;
    this.#upload = upload;
  }

  static async open(options: WebdavWriterOptions): Promise<WebdavWriter> {
    const { folder, temporaryPath } = options;
    return new WebdavWriter(options, await WebdavUpload.open(folder.client, temporaryPath));
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#run(async () => {
      await this.#upload.push(bytes);
      this.#appendedBytes += bytes.length;
    });
  }

  finish(): Promise<void> {
    return this.#run(() => this.#upload.finish());
  }

  commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return this.#run(async () => {
      const stored = await this.#stored();
      await this.#check(stored, check);
      if (this.#stop.signal.aborted) throw new HoldfastError('operation.interrupted');
      this.#isPublishing = true;
      return await this.#publish();
    });
  }

  async abort(): Promise<void> {
    this.#stop.abort();
    if (!this.#isPublishing) this.#upload.close();
    await Promise.allSettled([this.#running]);
    if (this.#isPublished) return;
    const { folder, temporaryPath } = this.#options;
    await folder.remove(temporaryPath);
  }

  #run<Result>(step: () => Promise<Result>): Promise<Result> {
    const running = step();
    this.#running = running;
    return running;
  }

  /** What the server has, which has to be all that was sent. */
  async #stored(): Promise<DavResource> {
    const { folder, temporaryPath } = this.#options;
    const stored = await folder.find(temporaryPath);
    if (stored?.sizeBytes === this.#appendedBytes) return stored;
    const found = stored === undefined ? 'nothing' : `${stored.sizeBytes} bytes`;
    const message = `${folder.client.place}${temporaryPath}: the server has ${found} of ${this.#appendedBytes} bytes`;
    throw new HoldfastError('storage.failed', { message, hint: 'a proxy before the server may not pass on streams' });
  }

  async #check(stored: DavResource, check: ((stored: RandomAccess) => Promise<void>) | undefined): Promise<void> {
    if (check === undefined) return;
    const { folder, temporaryPath } = this.#options;
    const reader = new WebdavReader(folder.client, temporaryPath, stored, this.#stop.signal);
    try {
      await check(reader);
    } finally {
      await reader.close();
    }
  }

  async #publish(): Promise<StoredObject> {
    const { folder, name, path, temporaryPath, replaces } = this.#options;
    await folder.move(temporaryPath, path, { replaces });
    this.#isPublished = true;
    const stored = await folder.find(path);
    if (stored === undefined || stored.sizeBytes !== this.#appendedBytes) {
      const message = `${folder.client.place}${path}: it was moved there, and is not there any more`;
      throw new HoldfastError('storage.failed', { message, hint: 'look for another program that writes there' });
    }
    return { name, sizeBytes: stored.sizeBytes, modifiedMs: stored.modifiedMs };
  }
}
