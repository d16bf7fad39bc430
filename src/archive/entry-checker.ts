import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { ArchiveIndex } from './archive-index.ts';
import type { IndexEntry, Run } from './entry/entry.ts';
import type { SegmentLease, SegmentReader } from './segment-reader.ts';
import type { HashSpan } from './worker/protocol.ts';
import type { WorkerPool } from './worker/worker-pool.ts';

/** An entry's bytes could not be had, or are not what the index says. */
export interface EntryFailure {
  readonly entry: IndexEntry;
  readonly error: HoldfastError;
}

/** Pieces of segments that are being hashed while the next is read; each holds a lease. */
export const hashedAtOnce = 3;
export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The error of an entry whose bytes have another SHA-256 than the index. */
export function differs(entry: IndexEntry): HoldfastError {
  return new HoldfastError('archive.corrupt', {
    message: `${entry.path} is not what was backed up: its SHA-256 differs`,
    context: { path: entry.path },
  });
}

/** An entry of which there is more to hash. */
interface BegunEntry {
  readonly entry: IndexEntry;
  readonly hash: number;
  readonly pieces: Iterator<Run, void>;
  /** The next of them. */
  readonly piece: Run;
  /** Bytes from that piece on. */
  readonly left: number;
}

/** Below all segments where the entry has no bytes. */
function firstSegment({ runs }: IndexEntry): number {
  return runs[0]?.segment ?? -1;
}

interface OpenSegment {
  readonly number: number;
  readonly lease: SegmentLease;
  readonly spans: HashSpan[];
}

/**
 * Hashes the bytes of entries segment by segment, in the order of the archive: of those that lie in it run by run, between one another, each segment is
 * read once. One message goes out for all entries that lie in a segment, and the next segment is read meanwhile.
 */
export class EntryChecker {
  readonly #index: ArchiveIndex;
  readonly #segments: SegmentReader;
  readonly #workers: WorkerPool;
  readonly #signal: AbortSignal | undefined;
  readonly #hashing: Promise<void>[] = [];
  /** Entries whose digest is on its way, by its number. */
  readonly #awaited = new Map<number, IndexEntry>();
  readonly #begun: BegunEntry[] = [];
  #open: OpenSegment | undefined;
  readonly #failures: EntryFailure[] = [];

  constructor(options: {
    readonly index: ArchiveIndex;
    readonly segments: SegmentReader;
    readonly workers: WorkerPool;
    readonly signal: AbortSignal | undefined;
  }) {
    this.#index = options.index;
    this.#segments = options.segments;
    this.#workers = options.workers;
    this.#signal = options.signal;
  }

  /** Gives the entries that fail. Errors that say nothing of the archive are thrown. */
  async check(
    entries: readonly IndexEntry[],
    onBytes?: (entry: IndexEntry, bytes: number) => void,
  ): Promise<EntryFailure[]> {
    const waiting = entries.toSorted((one, other) => firstSegment(one) - firstSegment(other)).values();
    try {
      for (let next = waiting.next(); ; ) {
        const nearest = this.#begun.at(-1);
        // What begins in the same segment is begun once that one is past it: few are open at once.
        if (!next.done && (nearest === undefined || firstSegment(next.value) < nearest.piece.segment)) {
          this.#begin(next.value);
          next = waiting.next();
          continue;
        }
        this.#begun.pop();
        if (nearest === undefined) break;
        await this.#take(nearest, onBytes);
      }
      await this.#flush();
      await Promise.all(this.#hashing);
      return this.#failures;
    } finally {
      this.#open?.lease.release();
      await Promise.allSettled(this.#hashing);
    }
  }

  #begin(entry: IndexEntry): void {
    try {
      if (entry.sizeBytes === 0 && entry.sha256 !== emptySha256) throw differs(entry);
      const pieces = this.#index.pieces(entry);
      const first = pieces.next();
      if (first.done) return;
      this.#insert({ entry, hash: this.#workers.newHash(), pieces, piece: first.value, left: entry.sizeBytes });
    } catch (error) {
      this.#fail(entry, error);
    }
  }

  /** Among those that are open: the one whose piece comes next is the last of them. */
  #insert(one: BegunEntry): void {
    let low = 0;
    for (let high = this.#begun.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (one.piece.segment < (this.#begun[middle] as BegunEntry).piece.segment) low = middle + 1;
      else high = middle;
    }
    this.#begun.splice(low, 0, one);
  }

  /** Has the next piece of an entry hashed. */
  async #take(one: BegunEntry, onBytes: ((entry: IndexEntry, bytes: number) => void) | undefined): Promise<void> {
    const { entry, hash, pieces } = one;
    try {
      throwIfAborted(this.#signal);
      const { segment, offset, length } = one.piece;
      const next = pieces.next();
      const open = this.#open?.number === segment ? this.#open : await this.#next(segment);
      const left = one.left - length;
      if (left === 0) this.#awaited.set(hash, entry);
      open.spans.push({ entry: hash, offset, length, last: left === 0 });
      onBytes?.(entry, length);
      if (!next.done) this.#insert({ ...one, piece: next.value, left });
    } catch (error) {
      this.#fail(entry, error);
    }
  }

  /** Throws what says nothing of the archive. */
  #fail(entry: IndexEntry, error: unknown): void {
    if (!(error instanceof HoldfastError) || !['archive.damaged', 'archive.corrupt'].includes(error.code)) throw error;
    this.#failures.push({ entry, error });
  }

  async #next(number: number): Promise<OpenSegment> {
    await this.#flush();
    this.#open = { number, lease: await this.#segments.get(number), spans: [] };
    return this.#open;
  }

  /** Sends the open segment to be hashed. */
  async #flush(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const { lease, spans } = open;
    const hashing = this.#workers
      .hash({ bytes: lease.bytes, spans })
      .then((digests) => {
        for (const { entry: hash, sha256 } of digests) {
          const entry = this.#awaited.get(hash);
          this.#awaited.delete(hash);
          if (entry !== undefined && entry.sha256 !== sha256) this.#failures.push({ entry, error: differs(entry) });
        }
      })
      .finally(lease.release);
    hashing.catch(() => undefined);
    this.#hashing.push(hashing);
    if (this.#hashing.length >= hashedAtOnce) await this.#hashing.shift();
  }
}
