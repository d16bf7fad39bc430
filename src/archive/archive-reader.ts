import { copyBytes } from '../bytes.ts';
import { throwIfAborted } from '../errors.ts';
import { ArchiveIndex } from './archive-index.ts';
import type { IndexEntry } from './entry/entry.ts';
import { differs, EntryChecker, type EntryFailure, emptySha256, hashedAtOnce } from './entry-checker.ts';
import { fixedPartDigest, type Header } from './header.ts';
import { BlockStore, loadedAtOnce } from './heal/block-store.ts';
import type { LocateOptions } from './heal/locate.ts';
import { readGroups } from './read-groups.ts';
import { SegmentReader } from './segment-reader.ts';
import { eachSideBySide, fromBothEnds } from './side-by-side.ts';
import { type UnlockKeys, unlock } from './unlock.ts';
import type { HashSpan } from './worker/protocol.ts';
import type { WorkerPool } from './worker/worker-pool.ts';

/** What is read together has so many bytes at most. */
export const readTogetherBytes = 1024 * 1024;
/** Groups of entries that are checked side by side. */
const checkedAtOnce = 2;

export interface ReaderOptions extends LocateOptions {
  readonly keys?: UnlockKeys | undefined;
}

/** Reads the entries of one archive, healed and authenticated. Memory: read-ahead of a few segments. */
export class ArchiveReader {
  readonly store: BlockStore;
  readonly index: ArchiveIndex;
  /** For keys that are derived from it; undefined where the archive is not encrypted. */
  readonly dataKey: Uint8Array | undefined;
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
    return new ArchiveReader(store, await ArchiveIndex.read(store), options, unlocked?.dataKey);
  }

  private constructor(store: BlockStore, index: ArchiveIndex, options: ReaderOptions, dataKey: Uint8Array | undefined) {
    this.dataKey = dataKey;
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

  /** A reader of segments for entries that will be read in this order, one of `sideBySide` that are used at once. */
  segmentsFor(
    entries: readonly IndexEntry[],
    options: { readonly sideBySide?: number; readonly checkBlocks?: boolean } = {},
  ): SegmentReader {
    const { sideBySide = 1, checkBlocks = false } = options;
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
    });
  }

  /**
   * The bytes of an entry; each chunk is valid until the next is asked for. After the last one the SHA-256 is compared:
   * `archive.corrupt`. Throws `archive.damaged`.
   */
  async *read(entry: IndexEntry, given?: SegmentReader): AsyncGenerator<Uint8Array> {
    const segments = given ?? this.segmentsFor([entry]);
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
      if (given === undefined) segments.close();
    }
    // An abort during the last piece, which may be the only one, ends the read like any other.
    throwIfAborted(this.#signal);
    if (sha256 !== entry.sha256) throw differs(entry);
  }

  /**
   * The bytes of some small entries, one behind the other, for as long as `use` runs; their SHA-256 were compared before. Together they have
   * {@link readTogetherBytes} at most. Throws as `read`.
   */
  async readTogether(
    entries: readonly IndexEntry[],
    segments: SegmentReader,
    use: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const memory = this.#workers.memory.take(readTogetherBytes);
    try {
      let end = 0;
      for (const entry of entries) {
        for (const { segment, offset, length } of this.index.pieces(entry)) {
          throwIfAborted(this.#signal);
          const lease = await segments.get(segment);
          copyBytes(lease.bytes.subarray(offset, offset + length), memory, end);
          lease.release();
          end += length;
        }
      }
      await this.#compare(entries, memory.subarray(0, end));
      await use(memory.subarray(0, end));
    } finally {
      this.#workers.memory.giveBack(memory.buffer);
    }
  }

  /** Compares the SHA-256 of entries that stand one behind the other. */
  async #compare(entries: readonly IndexEntry[], bytes: Uint8Array): Promise<void> {
    let offset = 0;
    const spans: HashSpan[] = [];
    const expected: IndexEntry[] = [];
    for (const entry of entries) {
      const length = entry.sizeBytes;
      if (length === 0 && entry.sha256 !== emptySha256) throw differs(entry);
      if (length === 0) continue;
      spans.push({ entry: this.#workers.newHash(), offset, length, last: true });
      expected.push(entry);
      offset += length;
    }
    const digests = await this.#workers.hash({ bytes, spans });
    for (const [index, entry] of expected.entries()) if (digests[index]?.sha256 !== entry.sha256) throw differs(entry);
  }

  /**
   * Reads every entry and compares its SHA-256; gives those that fail. Other errors are thrown. The blocks are checked on the way, in every
   * copy: what is whole need not be read again. Two parts are read side by side: what waits for the disk in one and what waits
   * for a processor in the other seldom lie at the same place. What is better read in order is read so, from its start to its end.
   */
  async check(
    entries: readonly IndexEntry[],
    onBytes?: (entry: IndexEntry, bytes: number) => void,
  ): Promise<EntryFailure[]> {
    const failures: EntryFailure[] = [];
    const atOnce = this.store.isSequential ? 1 : checkedAtOnce;
    await eachSideBySide(atOnce === 1 ? [entries] : fromBothEnds(readGroups(entries, atOnce)), {
      atOnce,
      signal: this.#signal,
      work: async (group, signal) => {
        const segments = this.segmentsFor(group, { sideBySide: atOnce, checkBlocks: true });
        const checker = new EntryChecker({ index: this.index, segments, workers: this.#workers, signal });
        try {
          failures.push(...(await checker.check(group, onBytes)));
        } finally {
          segments.close();
        }
      },
    });
    return failures;
  }
}
