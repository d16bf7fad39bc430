import { checkObjectName } from '../object-name.ts';
import type {
  ForeignObject,
  OpenedObject,
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { ForwardingStorage, ForwardingWriter } from './forwarding-storage.ts';

/**
 * A part of a storage as a storage of its own: the objects below `prefix`, a name to which `/` is added. Closing it closes the whole one.
 *
 * @example
 * const storage = prefixStorage(inner, 'shop/production');
 */
export function prefixStorage(inner: Storage, prefix: string): Storage {
  checkObjectName(prefix);
  return new PrefixStorage(inner, `${prefix}/`);
}

class PrefixStorage extends ForwardingStorage {
  readonly #prefix: string;

  constructor(inner: Storage, prefix: string) {
    super(inner);
    this.#prefix = prefix;
  }

  override get properties(): StorageProperties {
    const { place, ...others } = this.inner.properties;
    return { ...others, place: `${place} (${this.#prefix})` };
  }

  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const writer = await this.inner.writer(this.#full(name), options);
    return new PrefixWriter(writer, name);
  }

  override async open(name: string): Promise<OpenedObject> {
    return this.inner.open(this.#full(name));
  }

  override async stat(name: string): Promise<StoredObject> {
    return { ...(await this.inner.stat(this.#full(name))), name };
  }

  override async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    const told =
      onForeign &&
      ((foreign: ForeignObject) => onForeign({ ...foreign, name: foreign.name.slice(this.#prefix.length) }));
    for await (const object of this.inner.list(this.#prefix + prefix, told)) {
      yield { ...object, name: object.name.slice(this.#prefix.length) };
    }
  }

  override async delete(name: string): Promise<void> {
    return this.inner.delete(this.#full(name));
  }

  override url(name: string): string {
    return this.inner.url(this.#prefix + name);
  }

  override get signedUrl(): Storage['signedUrl'] {
    const sign = this.inner.signedUrl?.bind(this.inner);
    return sign && (async (name, expiresSeconds) => await sign(this.#full(name), expiresSeconds));
  }

  override get removeEmptyFolders(): Storage['removeEmptyFolders'] {
    const remove = this.inner.removeEmptyFolders?.bind(this.inner);
    return remove && (async (name) => await remove(this.#full(name)));
  }

  /** Checked before the prefix hides what is wrong with it. */
  #full(name: string): string {
    checkObjectName(name);
    return this.#prefix + name;
  }
}

class PrefixWriter extends ForwardingWriter {
  readonly #name: string;

  constructor(inner: StorageWriter, name: string) {
    super(inner);
    this.#name = name;
  }

  override async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return { ...(await this.inner.commit(check)), name: this.#name };
  }
}
