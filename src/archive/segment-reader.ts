import { type BlockStore, type SegmentPlace, segmentsTogether } from './heal/block-store.ts';
import { BufferPool } from './worker/buffer-pool.ts';
import type { BulkMemory } from './worker/bulk-memory.ts';

/** Plain bytes of a segment, lent until `release`. */
export interface SegmentLease {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

interface LoadedGroup {
  readonly buffer: Uint8Array;
  /** The plain bytes of each segment, or why it cannot be had. */
  readonly segments: ReadonlyMap<number, Uint8Array | { readonly error: unknown }>;
}

/** Consecutive segments that are loaded together. */
interface Group {
  readonly loading: Promise<LoadedGroup>;
  leases: number;
  lastUse: number;
}

/** Groups kept beyond those that are read ahead, for entries that share or interleave segments. */
const keptGroups = 3;

/** Gives data segments by number, reading ahead along a plan. Memory: `ahead + keptGroups` buffers of some MiB. */
export class SegmentReader {
  readonly #store: BlockStore;
  readonly #place: (number: number) => SegmentPlace;
  readonly #plan: readonly number[];
  readonly #ahead: number;
  readonly #together: number;
  readonly #checkBlocks: boolean;
  readonly #buffers: BufferPool;
  /** Groups by the number of their first segment. */
  readonly #groups = new Map<number, Group>();
  #clock = 0;

  /** `plan` are the numbers that will be asked for, ascending; going back is slower but right. */
  constructor(options: {
    readonly store: BlockStore;
    readonly place: (number: number) => SegmentPlace;
    readonly plan: readonly number[];
    readonly ahead: number;
    readonly memory: BulkMemory;
    /** See `BlockStore.loadTogether`. */
    readonly checkBlocks: boolean;
  }) {
    this.#store = options.store;
    this.#place = options.place;
    this.#plan = options.plan;
    this.#ahead = options.ahead;
    this.#checkBlocks = options.checkBlocks;
    this.#together = segmentsTogether(options.store.header);
    const count = options.ahead + keptGroups;
    const sizeBytes = this.#together * options.store.header.segmentSizeBytes;
    this.#buffers = new BufferPool({ count, memory: options.memory, sizeBytes });
  }

  /** Throws as `BlockStore.load`. At most four leases, of neighbours, may be held while another is asked for. */
  async get(number: number): Promise<SegmentLease> {
    const index = lastNotAbove(this.#plan, number);
    const start = this.#plan[index] === number ? this.#groupStart(index) : undefined;
    const group = start === undefined ? this.#group([number]) : this.#group(this.#groupNumbers(start));
    group.leases++;
    if (start !== undefined) this.#readAhead(start);
    try {
      const bytes = (await group.loading).segments.get(number);
      if (bytes instanceof Uint8Array) return { bytes, release: () => this.#release(group) };
      throw bytes?.error;
    } catch (error) {
      this.#release(group);
      throw error;
    }
  }

  /** Gives the memory of the run back, when all leases are released. Nothing may be asked for afterwards. */
  close(): void {
    for (const [first, group] of this.#groups) this.#drop(first, group);
  }

  /**
   * Where in the plan the group of an item begins. Groups begin at multiples of their size, so that every item knows its own; a gap in
   * the numbers begins another.
   */
  #groupStart(index: number): number {
    let start = index;
    while (start % this.#together !== 0 && this.#plan[start - 1] === (this.#plan[start] as number) - 1) start--;
    return start;
  }

  #groupNumbers(start: number): number[] {
    const first = this.#plan[start] as number;
    const numbers = [first];
    for (let index = start + 1; index % this.#together !== 0 && this.#plan[index] === first + numbers.length; index++) {
      numbers.push(first + numbers.length);
    }
    return numbers;
  }

  #group(numbers: readonly number[]): Group {
    const first = numbers[0] as number;
    let group = this.#groups.get(first);
    if (group === undefined) {
      const places = numbers.map((number) => this.#place(number));
      group = { loading: this.#load(places), leases: 0, lastUse: 0 };
      // A failure is thrown to whoever asks for a segment; nobody may.
      group.loading.catch(() => undefined);
      this.#groups.set(first, group);
    }
    group.lastUse = this.#clock++;
    this.#evict();
    return group;
  }

  #readAhead(start: number): void {
    let index = start;
    for (let count = 0; count < this.#ahead; count++) {
      index += this.#groupNumbers(index).length;
      if (index >= this.#plan.length) return;
      const known = this.#groups.get(this.#plan[index] as number);
      // What is asked for next must not look older than what was asked for before.
      if (known === undefined) this.#group(this.#groupNumbers(index));
      else known.lastUse = this.#clock++;
    }
  }

  async #load(places: readonly SegmentPlace[]): Promise<LoadedGroup> {
    const buffer = await this.#buffers.acquire();
    try {
      const segments = new Map<number, Uint8Array | { readonly error: unknown }>();
      const together = await this.#store.loadTogether(places, buffer, this.#checkBlocks);
      let end = 0;
      for (const place of places) {
        const bytes = buffer.subarray(end, end + place.maximumPlainBytes);
        end += place.maximumPlainBytes;
        segments.set(place.number, together ? bytes : await this.#loadAlone(place, bytes));
      }
      return { buffer, segments };
    } catch (error) {
      this.#buffers.release(buffer);
      throw error;
    }
  }

  async #loadAlone(place: SegmentPlace, into: Uint8Array): Promise<Uint8Array | { readonly error: unknown }> {
    try {
      return into.subarray(0, await this.#store.load(place, into));
    } catch (error) {
      return { error };
    }
  }

  #release(group: Group): void {
    group.leases--;
    this.#evict();
  }

  /** Lets go of what was used longest ago, so that those that wait for a buffer get one. */
  #evict(): void {
    while (this.#groups.size >= this.#ahead + keptGroups) {
      let oldest: [number, Group] | undefined;
      for (const item of this.#groups) {
        if (item[1].leases === 0 && item[1].lastUse < (oldest?.[1].lastUse ?? Number.POSITIVE_INFINITY)) oldest = item;
      }
      if (oldest === undefined) return;
      this.#drop(...oldest);
    }
  }

  #drop(first: number, group: Group): void {
    this.#groups.delete(first);
    group.loading.then(
      ({ buffer }) => this.#buffers.release(buffer),
      () => undefined,
    );
  }
}

/** Index of the last item that is not above `value`; -1 where there is none. */
function lastNotAbove(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
