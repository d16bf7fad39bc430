import assert from 'node:assert/strict';
import { ArchiveReader } from '../../src/archive/archive-reader.ts';
import { ArchiveWriter } from '../../src/archive/archive-writer.ts';
import type { IndexEntry } from '../../src/archive/entry/entry.ts';
import type { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { HoldfastError, throwIfAborted } from '../../src/errors.ts';
import { systemRandom } from '../../src/random.ts';
import { memoryRandomAccess } from '../../src/storage/memory/memory-storage.ts';
import type {
  OpenedObject,
  RandomAccess,
  Storage,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../../src/storage/storage.ts';
import { ForwardingStorage, ForwardingWriter } from '../../src/storage/wrap/forwarding-storage.ts';
import { plainHeader } from '../end-to-end/write-archive.ts';

const path = 'files/given/bytes';

/**
 * Keeps any bytes in a storage that takes archives only: each object is one entry of an archive. The further copies stand in the entry, since such a
 * storage holds an archive once.
 */
export class ArchivedStorage extends ForwardingStorage {
  readonly #workers: WorkerPool;

  constructor(inner: Storage, workers: WorkerPool) {
    super(inner);
    this.#workers = workers;
  }

  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const writer = await this.inner.writer(name, { ...options, copies: 1 });
    return new ArchivedWriter(writer, options, this.#workers);
  }

  override async open(name: string): Promise<OpenedObject> {
    return await contentsOf(await this.inner.open(name), this.#workers);
  }

  override async stat(name: string): Promise<StoredObject> {
    return await this.#withSize(await this.inner.stat(name));
  }

  override async *list(prefix?: string): AsyncIterable<StoredObject> {
    for await (const object of this.inner.list(prefix)) yield await this.#withSize(object);
  }

  async #withSize(object: StoredObject): Promise<StoredObject> {
    const { sizeBytes, close } = await this.open(object.name);
    await close();
    return { ...object, sizeBytes };
  }
}

class ArchivedWriter extends ForwardingWriter {
  readonly #options: WriterOptions;
  readonly #workers: WorkerPool;
  readonly #chunks: Uint8Array[] = [];
  #isOver = false;

  constructor(inner: StorageWriter, options: WriterOptions, workers: WorkerPool) {
    super(inner);
    this.#options = options;
    this.#workers = workers;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    throwIfAborted(this.#options.signal);
    if (this.#isOver) throw new HoldfastError('operation.failed', { message: 'the writer is at its end' });
    this.#chunks.push(bytes.slice());
  }

  override async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    if (this.#isOver) throw new HoldfastError('operation.failed', { message: 'the writer is at its end' });
    this.#isOver = true;
    const { copies, onReplicate } = this.#options;
    const bytes = Buffer.concat(Array.from({ length: copies }, () => this.#chunks).flat());
    const total = bytes.length - bytes.length / copies;
    await writeArchive(bytes, this.inner, this.#workers);
    const checking = check && (async (stored: RandomAccess) => check(await contentsOf(stored, this.#workers)));
    const object = await this.inner.commit(checking);
    if (copies > 1) onReplicate?.(total, total);
    return { ...object, sizeBytes: bytes.length };
  }

  override async abort(): Promise<void> {
    this.#isOver = true;
    await this.inner.abort();
  }
}

async function writeArchive(bytes: Uint8Array, into: StorageWriter, workers: WorkerPool): Promise<void> {
  const header = plainHeader(systemRandom.bytes(16));
  const writer = await ArchiveWriter.create({
    header,
    dataKey: undefined,
    workers,
    sink: (piece) => into.write(piece),
  });
  const stream = async function* () {
    yield bytes;
  };
  await writer.add({ path, kind: 'file', metadata: {} }, stream());
  await writer.finish();
}

/** What an archive holds; read when it is asked for. */
async function contentsOf(archive: RandomAccess, workers: WorkerPool): Promise<RandomAccess> {
  const reader = await ArchiveReader.open({ sources: [archive], workers });
  const entries: IndexEntry[] = [];
  for await (const found of reader.entries()) entries.push(found);
  const [entry] = entries;
  assert.ok(entry?.path === path && entries.length === 1);
  const load = async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.read(entry)) chunks.push(chunk.slice());
    return memoryRandomAccess(Buffer.concat(chunks));
  };
  let loading: Promise<RandomAccess> | undefined;
  let isOpen = true;
  return {
    sizeBytes: entry.sizeBytes,
    read: async (offset, into) => {
      if (!isOpen) throw new HoldfastError('storage.failed', { message: 'it was closed' });
      loading ??= load();
      return await (await loading).read(offset, into);
    },
    close: async () => {
      isOpen = false;
      await archive.close();
    },
  };
}
