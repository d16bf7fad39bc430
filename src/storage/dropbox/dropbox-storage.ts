import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import { checkObjectName } from '../object-name.ts';
import { appendWriter } from '../remote/append-steps.ts';
import { ObjectKeys } from '../remote/object-key.ts';
import { rangedAccess } from '../remote/ranged-access.ts';
import type {
  ForeignObject,
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { openSpooledWriter, type SpooledWriterOptions } from '../wrap/spool.ts';
import { DropboxClient, type DropboxClientOptions, type DropboxFile, fileFrom } from './dropbox-client.ts';
import { DropboxWriter, removeFile } from './dropbox-writer.ts';

/** Options of {@link DropboxStorage}. */
export interface DropboxStorageOptions extends DropboxClientOptions {
  /** The folder. */
  readonly rootPath?: string | undefined;
  readonly spool?: SpooledWriterOptions['spool'];
  readonly random?: Random | undefined;
  /** Size of what is sent at once: 8 MiB unless set. */
  readonly chunkBytes?: number | undefined;
}

/** Dropbox takes neither a backslash nor control characters, and no blank at the end of a part; a dot there is a trouble of Windows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is meant
const keyRules = { forbidden: /[\\\x00-\x1f\x7f]|[ .](?=\/|$)/, limitBytes: 4096 };
const removeTries = 3;

/**
 * Objects are files below a folder of a Dropbox, written through upload sessions. A session can only be appended to, so that further
 * copies come from a spool on this disk. An object that is open stays readable when it is replaced: Dropbox keeps revisions for 30
 * days. Names that differ in upper and lower case alone are one name to Dropbox.
 */
export class DropboxStorage implements Storage {
  readonly properties: StorageProperties;
  readonly #client: DropboxClient;
  readonly #keys = new ObjectKeys(undefined, keyRules);
  readonly #options: DropboxStorageOptions;
  /** Empty, or begins with a slash. */
  readonly #root: string;

  constructor(options: DropboxStorageOptions) {
    this.#client = new DropboxClient(options);
    this.#options = options;
    const root = (options.rootPath ?? '').replaceAll(/^\/+|\/+$/g, '');
    this.#root = root === '' ? '' : `/${this.#keys.keyOf(root)}`;
    const warning = 'an access token ends after four hours: give `refreshToken` and `appKey`';
    this.properties = {
      backend: 'dropbox',
      place: `dropbox:${this.#root === '' ? '/' : this.#root}`,
      warnings: 'accessToken' in options.access ? [warning] : [],
      usesSpool: true,
      createOnlyBytes: Number.POSITIVE_INFINITY,
    };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const context = {
      ...{ name, path: this.#path(name), place: this.url(name), client: this.#client },
      createOnly: options.createOnly ?? false,
      openFile: (file: DropboxFile) => this.#reads(name, file),
      chunkBytes: this.#options.chunkBytes ?? 8 * 1024 * 1024,
    };
    const { spool, clock, random } = this.#options;
    const open = async () => appendWriter((signal) => new DropboxWriter(context, signal));
    const given = { ...(clock === undefined ? {} : { clock }), ...(random === undefined ? {} : { random }) };
    return await openSpooledWriter(open, { ...options, spool: { ...given, ...spool } });
  }

  async open(name: string): Promise<RandomAccess> {
    return this.#reads(name, await this.#find(name));
  }

  async stat(name: string): Promise<StoredObject> {
    const { sizeBytes, modifiedMs } = await this.#find(name);
    return { name, sizeBytes, modifiedMs };
  }

  async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    const folder = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')));
    if (!isFolderName(prefix, folder)) return;
    const path = folder === '' ? this.#root : this.#path(folder);
    for await (const file of this.#files(path)) {
      // By the number of parts: the spelling of the folder may be another than that in the settings.
      const depth = this.#root.split('/').length;
      const key = file.path.split('/').slice(depth).join('/');
      const name = this.#keys.nameOf(key);
      if (name === undefined) onForeign?.(this.#keys.foreign(key, file.sizeBytes));
      if (name === undefined || !name.startsWith(prefix)) continue;
      yield { name, sizeBytes: file.sizeBytes, modifiedMs: file.modifiedMs };
    }
  }

  async delete(name: string): Promise<void> {
    const path = this.#path(name);
    const place = this.url(name);
    for (let tryNumber = 1; ; tryNumber += 1) {
      const file = await this.#client.findFile(path, place);
      if (file === undefined) return;
      try {
        await removeFile(this.#client, { path, rev: file.rev, place });
        return;
      } catch (error) {
        const isChanged = error instanceof HoldfastError && error.code === 'storage.conflict';
        if (!isChanged || tryNumber >= removeTries) throw error;
      }
    }
  }

  url(name: string): string {
    return `dropbox:${this.#root}/${name}`;
  }

  async close(): Promise<void> {}

  #path(name: string): string {
    return `${this.#root}/${this.#keys.keyOf(name)}`;
  }

  async #find(name: string): Promise<DropboxFile> {
    const file = await this.#client.findFile(this.#path(name), this.url(name));
    if (file !== undefined) return file;
    throw new HoldfastError('storage.not_found', {
      message: `${this.url(name)}: it does not exist`,
      context: { name },
    });
  }

  #reads(name: string, file: DropboxFile): RandomAccess {
    const path = `rev:${file.rev}`;
    return rangedAccess(file.sizeBytes, (offset, into, closed) =>
      this.#client.download({ path, offset, into, place: this.url(name) }, closed),
    );
  }

  /** All files below a folder; none where the folder is not there. */
  async *#files(path: string): AsyncGenerator<DropboxFile> {
    const place = `dropbox:${path}`;
    let call: { name: string; argument: Record<string, unknown> } | undefined = {
      name: 'files/list_folder',
      argument: { path, recursive: true, limit: 1000 },
    };
    while (call !== undefined) {
      let answer: { entries?: readonly unknown[]; cursor?: unknown; has_more?: unknown };
      try {
        answer = (await this.#client.call({ ...call, place })) as typeof answer;
      } catch (error) {
        if (error instanceof HoldfastError && error.code === 'storage.not_found') return;
        throw error;
      }
      for (const entry of answer.entries ?? []) {
        const file = fileFrom(entry);
        if (file !== undefined) yield file;
      }
      const next = { name: 'files/list_folder/continue', argument: { cursor: answer.cursor } };
      call = answer.has_more === true ? next : undefined;
    }
  }
}

/** Whether objects can have names that begin so: none does with `/` or `../`. */
function isFolderName(prefix: string, folder: string): boolean {
  if (!prefix.includes('/')) return true;
  try {
    checkObjectName(folder);
    return true;
  } catch {
    return false;
  }
}
