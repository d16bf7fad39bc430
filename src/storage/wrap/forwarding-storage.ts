import type {
  ForeignObject,
  OpenedObject,
  RandomAccess,
  ReadBack,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';

/** A storage that hands every call to another one: what wrappers are made of. */
export class ForwardingStorage implements Storage {
  protected readonly inner: Storage;

  constructor(inner: Storage) {
    this.inner = inner;
  }

  get properties(): StorageProperties {
    return this.inner.properties;
  }

  writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    return this.inner.writer(name, options);
  }

  open(name: string): Promise<OpenedObject> {
    return this.inner.open(name);
  }

  stat(name: string): Promise<StoredObject> {
    return this.inner.stat(name);
  }

  list(prefix?: string, onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    return this.inner.list(prefix, onForeign);
  }

  delete(name: string): Promise<void> {
    return this.inner.delete(name);
  }

  url(name: string): string {
    return this.inner.url(name);
  }

  get signedUrl(): Storage['signedUrl'] {
    return this.inner.signedUrl?.bind(this.inner);
  }

  get removeEmptyFolders(): Storage['removeEmptyFolders'] {
    return this.inner.removeEmptyFolders?.bind(this.inner);
  }

  get spread(): Storage['spread'] {
    return this.inner.spread;
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** A writer that hands every call to another one. */
export class ForwardingWriter implements StorageWriter {
  protected readonly inner: StorageWriter;

  constructor(inner: StorageWriter) {
    this.inner = inner;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.inner.write(bytes);
  }

  get finishWriting(): StorageWriter['finishWriting'] {
    return this.inner.finishWriting?.bind(this.inner);
  }

  get readBack(): ReadBack | undefined {
    return this.inner.readBack;
  }

  get parts(): StorageWriter['parts'] {
    return this.inner.parts;
  }

  commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return this.inner.commit(check);
  }

  abort(): Promise<void> {
    return this.inner.abort();
  }
}

/** Random access whose reads go through `read`, which is given the plain one. */
export function forwardReads(
  inner: OpenedObject,
  read: (plain: () => Promise<number>, into: Uint8Array, offset: number) => Promise<number>,
): OpenedObject {
  return {
    sizeBytes: inner.sizeBytes,
    get isSequential() {
      return inner.isSequential;
    },
    ...(inner.details === undefined ? {} : { details: inner.details }),
    ...(inner.spread === undefined ? {} : { spread: inner.spread }),
    read: (offset, into) => read(() => inner.read(offset, into), into, offset),
    close: () => inner.close(),
  };
}

/** What is written, read back through `read`; undefined where the storage cannot. `isKept` and `writtenBytes` are those of the moment. */
export function forwardReadBack(
  inner: ReadBack | undefined,
  read: (plain: () => Promise<boolean>, into: Uint8Array) => Promise<boolean>,
): ReadBack | undefined {
  if (inner === undefined) return undefined;
  return {
    get writtenBytes() {
      return inner.writtenBytes;
    },
    get isKept() {
      return inner.isKept;
    },
    read: (copy, offset, into) => read(() => inner.read(copy, offset, into), into),
  };
}
