import type { BlockStore, SegmentPlace } from './heal/block-store.ts';
import { BufferPool } from './worker/buffer-pool.ts';

/** Plain bytes of a segment, lent until `release`. */
export interface SegmentLease {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

interface CachedSegment {
  readonly loading: Promise<Uint8Array>;
  leases: number;
  lastUse: number;
}

/** Segments kept beyond those that are read ahead, for entries that share or interleave them. */
const keptSegments = 3;

/**
 * Gives data segments by number, reading ahead along a plan. Memory: `ahead + keptSegments` buffers of the segment size.
 */
export class SegmentReader {
  readonly #store: BlockStore;
  readonly #place: (number: number) => SegmentPlace;
  readonly #plan: readonly number[];
  readonly #ahead: number;
  readonly #buffers: BufferPool;
  readonly #cache = new Map<number, CachedSegment>();
  #clock = 0;

  /** `plan` are the numbers that will be asked for, ascending; asking for others, or going back, is slower but right. */
  constructor(options: {
    readonly store: BlockStore;
    readonly place: (number: number) => SegmentPlace;
    readonly plan: readonly number[];
    readonly ahead: number;
  }) {
    this.#store = options.store;
    this.#place = options.place;
    this.#plan = options.plan;
    this.#ahead = options.ahead;
    const count = options.ahead + keptSegments;
    this.#buffers = new BufferPool({ count, sizeBytes: options.store.header.segmentSizeBytes });
  }

  /** Throws as `BlockStore.load`. At most two leases may be held at once. */
  async get(number: number): Promise<SegmentLease> {
    const segment = this.#cached(number);
    segment.leases++;
    this.#readAhead(number);
    try {
      const bytes = await segment.loading;
      return { bytes, release: () => this.#release(segment) };
    } catch (error) {
      this.#release(segment);
      if (this.#cache.get(number) === segment) this.#cache.delete(number);
      throw error;
    }
  }

  #release(segment: CachedSegment): void {
    segment.leases--;
    this.#evict();
  }

  #cached(number: number): CachedSegment {
    let segment = this.#cache.get(number);
    if (segment === undefined) {
      segment = { loading: this.#load(number), leases: 0, lastUse: 0 };
      // A failure is thrown to whoever asks for the segment; nobody may.
      segment.loading.catch(() => undefined);
      this.#cache.set(number, segment);
    }
    segment.lastUse = this.#clock++;
    this.#evict();
    return segment;
  }

  #readAhead(number: number): void {
    let index = firstAbove(this.#plan, number);
    for (let count = 0; count < this.#ahead && index < this.#plan.length; count++, index++) {
      const next = this.#plan[index] as number;
      if (!this.#cache.has(next)) this.#cached(next);
    }
  }

  async #load(number: number): Promise<Uint8Array> {
    const buffer = await this.#buffers.acquire();
    try {
      const length = await this.#store.load(this.#place(number), buffer);
      return buffer.subarray(0, length);
    } catch (error) {
      this.#buffers.release(buffer);
      throw error;
    }
  }

  /** Lets go of what was used longest ago, so that those that wait for a buffer get one. */
  #evict(): void {
    const limit = this.#ahead + keptSegments - 1;
    while (this.#cache.size > limit) {
      let oldest: number | undefined;
      let oldestUse = Number.POSITIVE_INFINITY;
      for (const [number, segment] of this.#cache) {
        if (segment.leases > 0 || segment.lastUse >= oldestUse) continue;
        oldest = number;
        oldestUse = segment.lastUse;
      }
      if (oldest === undefined) return;
      const segment = this.#cache.get(oldest);
      this.#cache.delete(oldest);
      segment?.loading.then(
        (bytes) => this.#buffers.release(new Uint8Array(bytes.buffer)),
        () => undefined,
      );
    }
  }
}

function firstAbove(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
