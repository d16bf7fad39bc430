import { memoryRandomAccess } from '../storage/memory/memory-storage.ts';
import type { RandomAccess, Storage, StorageWriter, StoredObject, WriterOptions } from '../storage/storage.ts';
import { ForwardingStorage, ForwardingWriter } from '../storage/wrap/forwarding-storage.ts';
import type { RecordedObject } from './catalogue-record.ts';
import type { CataloguedPlace, CatalogueWriter } from './catalogue-writer.ts';
import { beginningSizeBytes, factsOf, isRecordedName } from './object-facts.ts';

/** What a storage with a catalogue takes. */
export interface CataloguedStorageOptions {
  /** What the storage is called. */
  readonly name: string;
  /** The writer, opened when something is written first; undefined where there is none. */
  readonly open: () => Promise<CatalogueWriter | undefined>;
  /** Told what could not be recorded: no backup fails for it. */
  readonly onProblem: (error: unknown) => void;
  /** Called when the storage is closed. */
  readonly onClose?: () => Promise<void>;
}

/**
 * A storage whose archives and plain dumps are recorded in its catalogue as they are written and removed. A crash between the two is made good
 * by the next process that writes.
 */
export function cataloguedStorage(inner: Storage, options: CataloguedStorageOptions): Storage {
  return new CataloguedStorage(inner, options);
}

class CataloguedStorage extends ForwardingStorage {
  readonly #options: CataloguedStorageOptions;
  readonly #place: CataloguedPlace;
  #isClosed = false;

  constructor(inner: Storage, options: CataloguedStorageOptions) {
    super(inner);
    this.#options = options;
    this.#place = { name: options.name, storage: inner };
  }

  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const writer = await this.inner.writer(name, options);
    if (!isRecordedName(name)) return writer;
    return new CataloguedWriter(writer, name, (object) => this.#intend('written', object));
  }

  override async delete(name: string): Promise<void> {
    const record = isRecordedName(name) ? await this.#intend('removed', { name }) : undefined;
    await this.inner.delete(name);
    await record?.();
  }

  override async close(): Promise<void> {
    if (!this.#isClosed) await this.#options.onClose?.();
    this.#isClosed = true;
    await this.inner.close();
  }

  /** Never throws. */
  async #intend(
    event: 'written' | 'removed',
    object: AboutToBe | { readonly name: string },
  ): Promise<Recording | undefined> {
    const { open, onProblem } = this.#options;
    try {
      const record = await (await open())?.intend(this.#place, event, object);
      return (
        record &&
        (async (stored) => {
          try {
            await record(stored);
          } catch (error) {
            onProblem(error);
          }
        })
      );
    } catch (error) {
      onProblem(error);
      return undefined;
    }
  }
}

type AboutToBe = Omit<RecordedObject, 'sizeBytes'>;
type Recording = (stored?: Pick<RecordedObject, 'sizeBytes' | 'shards'>) => Promise<void>;

class CataloguedWriter extends ForwardingWriter {
  readonly #name: string;
  readonly #intend: (object: AboutToBe) => Promise<Recording | undefined>;
  readonly #beginning: Uint8Array[] = [];
  #keptBytes = 0;

  constructor(inner: StorageWriter, name: string, intend: (object: AboutToBe) => Promise<Recording | undefined>) {
    super(inner);
    this.#name = name;
    this.#intend = intend;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    const kept = bytes.subarray(0, beginningSizeBytes - this.#keptBytes);
    if (kept.length > 0) this.#beginning.push(new Uint8Array(kept));
    this.#keptBytes += kept.length;
    await this.inner.write(bytes);
  }

  override async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    const facts = await factsOf(this.#name, memoryRandomAccess(Buffer.concat(this.#beginning)));
    // What is no archive, though it is named like one, is not for the catalogue.
    if (facts === undefined) return await this.inner.commit(check);
    const record = await this.#intend({ name: this.#name, ...facts });
    const stored = await this.inner.commit(check);
    const shards = (this.inner.parts ?? []).flatMap(({ label, stored: shard }) =>
      shard === undefined ? [] : [{ name: shard.name, place: label, sizeBytes: shard.sizeBytes }],
    );
    await record?.({ sizeBytes: stored.sizeBytes, ...(shards.length > 0 ? { shards } : {}) });
    return stored;
  }
}
