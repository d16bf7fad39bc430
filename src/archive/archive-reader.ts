import { throwIfAborted } from '../errors.ts';
import { ArchiveIndex } from './archive-index.ts';
import type { IndexEntry } from './entry/entry.ts';
import { differs, EntryChecker, type EntryFailure, emptySha256, hashedAtOnce } from './entry-checker.ts';
import { fixedPartDigest, type Header } from './header.ts';
import { BlockStore, loadedAtOnce } from './heal/block-store.ts';
import type { LocateOptions } from './heal/locate.ts';
import { SegmentReader } from './segment-reader.ts';
import { type UnlockKeys, unlock } from './unlock.ts';
import type { WorkerPool } from './worker/worker-pool.ts';

export interface ReaderOptions extends LocateOptions {
  readonly keys?: UnlockKeys | undefined;
}

/** What lies in several runs has others between, which are not read for it: it is read with a reader of segments of its own. */
export function isInOneRun({ runs }: IndexEntry): boolean {
  return runs.length < 2;
}

/** Entries as they are read with one reader of segments. */
function readTogether(entries: readonly IndexEntry[]): IndexEntry[][] {
  const alone = entries.filter((entry) => !isInOneRun(entry)).map((entry) => [entry]);
  return [entries.filter(isInOneRun), ...alone];
}

/** Reads the entries of one archive, healed and authenticated. Memory: read-ahead of a few segments. */
export class ArchiveReader {
  readonly store: BlockStore;
  readonly index: ArchiveIndex;
  readonly #workers: WorkerPool;
  readonly #signal: AbortSignal | undefined;

  /** Throws what `locate`, `unlock` and `ArchiveIndex.read` throw. A wrong key is found before anything but the header was read. */
  static async open(options: ReaderOptions): Promise<ArchiveReader> {
    const store = await BlockStore.open(options);
    return await ArchiveReader.from(store, options);
  }

  /** The same on blocks that are open already. */
  static async from(store: BlockStore, options: ReaderOptions): Promise<ArchiveReader> {
    const unlocked = await unlock(store.header, store.headerBody, options.keys);
    store.configure({ key: unlocked?.keys.segment, fixedDigest: fixedPartDigest(store.header) });
    return new ArchiveReader(store, await ArchiveIndex.read(store), options);
  }

  private constructor(store: BlockStore, index: ArchiveIndex, options: ReaderOptions) {
    this.store = store;
    this.index = index;
    this.#workers = options.workers;
    this.#signal = options.signal;
  }

  get header(): Header {
    return this.store.header;
  }

  entries(): AsyncGenerator<IndexEntry> {
    return this.index.entries();
  }

  /**
   * A reader of segments for entries that will be read in this order, `readers` of them at once; `sideBySide` tells how many such readers of
   * segments there are. With `checkBlocks` it is one of two.
   */
  segmentsFor(
    entries: readonly IndexEntry[],
    options: { readonly checkBlocks?: boolean; readonly readers?: number; readonly sideBySide?: number } = {},
  ): SegmentReader {
    const { checkBlocks = false, readers = 1, sideBySide = checkBlocks ? 2 : 1 } = options;
    const numbers = new Set<number>();
    for (const entry of entries) for (const { segment } of this.index.pieces(entry)) numbers.add(segment);
    const plan = Uint32Array.from(numbers).sort();
    return new SegmentReader({
      store: this.store,
      place: (number) => this.index.place(number),
      plan: Array.from(plan),
      ahead: Math.ceil(loadedAtOnce(this.#workers.threadCount) / sideBySide),
      memory: this.#workers.memory,
      checkBlocks,
      readers,
    });
  }

  /**
   * The bytes of an entry; each chunk is valid until the next is asked for. After the last one the SHA-256 is compared:
   * `archive.corrupt`. Throws `archive.damaged`.
   */
  async *read(entry: IndexEntry, segments: SegmentReader = this.segmentsFor([entry])): AsyncGenerator<Uint8Array> {
    const hash = this.#workers.newHash();
    // Pieces are hashed while the next ones are read; each holds its lease until then.
    const hashing: Promise<void>[] = [];
    let sha256 = emptySha256;
    let left = entry.sizeBytes;
    try {
      for (const piece of this.index.pieces(entry)) {
        throwIfAborted(this.#signal);
        const lease = await segments.get(piece.segment);
        const bytes = lease.bytes.subarray(piece.offset, piece.offset + piece.length);
        left -= bytes.length;
        const { promise: released, resolve: release } = Promise.withResolvers<void>();
        const span = { entry: hash, offset: 0, length: bytes.length, last: left === 0 };
        const hashed = this.#workers
          .hash({ bytes, spans: [span] })
          .then(([digest]) => {
            sha256 = digest?.sha256 ?? sha256;
          })
          .finally(() => released.then(lease.release));
        hashed.catch(() => undefined);
        hashing.push(hashed);
        try {
          yield bytes;
        } finally {
          release();
        }
        if (hashing.length >= hashedAtOnce) await hashing.shift();
      }
      await Promise.all(hashing);
    } finally {
      await Promise.allSettled(hashing);
    }
    if (sha256 !== entry.sha256) throw differs(entry);
  }

  /**
   * Reads every entry and compares its SHA-256; gives those that fail. Other errors are thrown. The blocks are checked on the way, in every
   * copy: what is whole need not be read again. Two parts are read side by side: what waits for the disk in one and what waits
   * for a processor in the other seldom lie at the same place.
   */
  async check(
    entries: readonly IndexEntry[],
    onBytes?: (entry: IndexEntry, bytes: number) => void,
  ): Promise<EntryFailure[]> {
    const stop = new AbortController();
    const signal = this.#signal === undefined ? stop.signal : AbortSignal.any([this.#signal, stop.signal]);
    let thrown: { readonly error: unknown } | undefined;
    const checkGroup = async (group: readonly IndexEntry[]) => {
      const segments = this.segmentsFor(group, { checkBlocks: true });
      const checker = new EntryChecker({ index: this.index, segments, workers: this.#workers, signal });
      try {
        return await checker.check(group, onBytes);
      } catch (error) {
        thrown ??= { error };
        stop.abort(error);
        return [];
      } finally {
        segments.close();
      }
    };
    const checks = halves(entries).map(async (part) => {
      const found: EntryFailure[] = [];
      for (const group of readTogether(part)) found.push(...(await checkGroup(group)));
      return found;
    });
    const failures = (await Promise.all(checks)).flat();
    if (thrown !== undefined) throw thrown.error;
    return failures;
  }
}

/** Entries in their order, as two parts of about the same size in bytes. */
function halves(entries: readonly IndexEntry[]): (readonly IndexEntry[])[] {
  const totalBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let bytes = 0;
  let count = 0;
  for (; count < entries.length && bytes < totalBytes / 2; count++) bytes += entries[count]?.sizeBytes ?? 0;
  return [entries.slice(0, count), entries.slice(count)];
}
