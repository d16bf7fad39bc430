import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { ArchiveIndex } from './archive-index.ts';
import type { IndexEntry } from './entry/entry.ts';
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

interface OpenSegment {
  readonly number: number;
  readonly lease: SegmentLease;
  readonly spans: HashSpan[];
}

/**
 * Hashes the bytes of entries, whose order is that of the archive, segment by segment: one message for all entries that lie in a segment, and
 * the next segment is read meanwhile.
 */
export class EntryChecker {
  readonly #index: ArchiveIndex;
  readonly #segments: SegmentReader;
  readonly #workers: WorkerPool;
  readonly #signal: AbortSignal | undefined;
  readonly #hashing: Promise<void>[] = [];
  /** Entries whose digest is on its way, by its number. */
  readonly #awaited = new Map<number, IndexEntry>();
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
    try {
      for (const entry of entries) await this.#add(entry, onBytes);
      await this.#flush();
      await Promise.all(this.#hashing);
      return this.#failures;
    } finally {
      this.#open?.lease.release();
      await Promise.allSettled(this.#hashing);
    }
  }

  async #add(entry: IndexEntry, onBytes: ((entry: IndexEntry, bytes: number) => void) | undefined): Promise<void> {
    const hash = this.#workers.newHash();
    let left = entry.sizeBytes;
    try {
      if (left === 0 && entry.sha256 !== emptySha256) throw differs(entry);
      this.#awaited.set(hash, entry);
      for (const { segment, offset, length } of this.#index.pieces(entry)) {
        throwIfAborted(this.#signal);
        const open = this.#open?.number === segment ? this.#open : await this.#next(segment);
        left -= length;
        open.spans.push({ entry: hash, offset, length, last: left === 0 });
        onBytes?.(entry, length);
      }
    } catch (error) {
      if (!(error instanceof HoldfastError) || !['archive.damaged', 'archive.corrupt'].includes(error.code))
        throw error;
      this.#failures.push({ entry, error });
      this.#awaited.delete(hash);
    }
    if (left === entry.sizeBytes) this.#awaited.delete(hash);
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
