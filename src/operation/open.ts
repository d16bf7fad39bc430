import { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { HoldfastError } from '../errors.ts';
import { checkedArchiveId, withSources } from './location.ts';
import type { ArchiveEntry, ArchiveLocation, ArchiveSummary, OpenKeys, RunOptions } from './options.ts';
import { withWorkers } from './run.ts';
import { summarize, toArchiveEntry } from './summary.ts';

/** How {@link openArchive} opens an archive. */
export interface OpenOptions extends RunOptions {
  readonly archive: ArchiveLocation;
  readonly keys?: OpenKeys;
  /** Further replicas to heal from. */
  readonly from?: readonly ArchiveLocation[];
  /** Chooses one archive where a file (a disk image) holds several: hex. */
  readonly archiveId?: string;
}

/** An archive that is open for reading. Close it, or use `await using`. */
export interface OpenedArchive extends AsyncDisposable {
  readonly summary: ArchiveSummary;
  /** The entries, in the order in which they were written. */
  entries(): AsyncIterable<ArchiveEntry>;
  /** One entry. Throws `archive.entry_not_found`. */
  entry(path: string): Promise<ArchiveEntry>;
  /**
   * The bytes of an entry, healed and authenticated as they come, in chunks of 1 MiB at most; a chunk's memory is used again after
   * the next one was asked for. After the last one the SHA-256 is compared. Throws `archive.entry_not_found`, `archive.damaged`,
   * `archive.corrupt`, `operation.interrupted`.
   */
  read(entry: ArchiveEntry | string): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

class Opened implements OpenedArchive {
  readonly summary: ArchiveSummary;
  readonly #reader: ArchiveReader;
  readonly #close: () => Promise<void>;

  constructor(reader: ArchiveReader, close: () => Promise<void>) {
    this.summary = summarize(reader.header);
    this.#reader = reader;
    this.#close = close;
  }

  async *entries(): AsyncIterable<ArchiveEntry> {
    for await (const entry of this.#reader.entries()) yield toArchiveEntry(entry);
  }

  async entry(path: string): Promise<ArchiveEntry> {
    return toArchiveEntry(await this.#find(path));
  }

  async *read(entry: ArchiveEntry | string): AsyncIterable<Uint8Array> {
    yield* this.#reader.read(await this.#find(typeof entry === 'string' ? entry : entry.path));
  }

  async close(): Promise<void> {
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #find(path: string): Promise<IndexEntry> {
    for await (const entry of this.#reader.entries()) if (entry.path === path) return entry;
    throw new HoldfastError('archive.entry_not_found', { message: `no entry has the path ${path}`, context: { path } });
  }
}

/**
 * Opens an archive to list its entries and to read some of them; only the blocks that are needed are read.
 *
 * Throws `storage.not_found`, `archive.not_an_archive`, `archive.version_unsupported`, `archive.ambiguous`, `archive.damaged`, `archive.corrupt`,
 * `key.missing`, `key.wrong`.
 *
 * @example
 * await using archive = await openArchive({ archive: 'shop.holdfast', keys: { passphrases: [passphrase] } });
 * for await (const entry of archive.entries()) console.log(entry.path, entry.sizeBytes);
 */
export async function openArchive(options: OpenOptions): Promise<OpenedArchive> {
  const archiveId = checkedArchiveId(options.archiveId);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const { promise: opened, resolve, reject } = Promise.withResolvers<ArchiveReader>();
  // The scopes of workers and sources stay open until the archive is closed.
  const running = withSources([options.archive, ...(options.from ?? [])], (sources) =>
    withWorkers(options, async (workers) => {
      const { keys, signal } = options;
      resolve(await ArchiveReader.open({ sources, workers, keys, archiveId, signal }));
      await closed;
    }),
  );
  running.catch(reject);
  const reader = await opened;
  return new Opened(reader, async () => {
    close();
    await running;
  });
}
