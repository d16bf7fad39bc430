import { asBuffer } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import { blockSizeBytes } from '../heal/geometry.ts';
import { readTolerant } from '../heal/read-tolerant.ts';
import type { RandomAccess } from '../random-access.ts';
import { RangeSet } from '../range-set.ts';
import { rowOffset, rowsPerGroup } from './shard-format.ts';

/** Lets time pass; throws when the signal is aborted. */
export type Pause = (durationMs: number, signal?: AbortSignal) => Promise<void>;

/** A shard that is read. */
export interface ShardSource {
  readonly access: RandomAccess;
  /** For people: the storage, the file. */
  readonly label: string;
  /** What its name says, for one whose heads are all lost. */
  readonly index?: number | undefined;
}

/** How long a shard may keep others waiting. */
export interface ShardPatience {
  readonly slowAfterMs: number;
  readonly pause: Pause;
}

/** One shard of an archive, read by rows. */
export class Shard {
  readonly label: string;
  readonly index: number;
  readonly access: RandomAccess;
  readonly #patience: ShardPatience;
  /** Rows that were read, and those of them that are damaged. */
  readonly seen = new RangeSet();
  readonly damaged = new RangeSet();
  damagedCount = 0;
  /** Why it is read no more: its storage failed. */
  failure: { readonly error: unknown } | undefined;
  /** It kept others waiting: it is read only where it must be. */
  isSlow = false;

  constructor(source: ShardSource & { readonly index: number }, patience: ShardPatience) {
    this.label = source.label;
    this.index = source.index;
    this.access = source.access;
    this.#patience = patience;
  }

  /**
   * The blocks of rows, zeros where they cannot be read; undefined where the storage does not answer. Unless `isPatient`, one that takes
   * long is passed over.
   */
  async rows(firstRow: number, count: number, isPatient: boolean): Promise<Buffer | undefined> {
    if (this.failure !== undefined || (this.isSlow && !isPatient)) return undefined;
    return await this.#unlessSlow(this.#read(firstRow, count), isPatient);
  }

  /** Bytes at any place, in the same way. */
  async bytes(offset: number, length: number, isPatient: boolean): Promise<Buffer | undefined> {
    if (this.failure !== undefined || (this.isSlow && !isPatient)) return undefined;
    const read = async () => {
      const into = Buffer.alloc(length);
      await readTolerant(this.access, offset, into);
      return into;
    };
    return await this.#unlessSlow(this.#guarded(read), isPatient);
  }

  /** Writes down how rows were found. */
  note(firstRow: number, intact: Uint8Array): void {
    this.seen.add(firstRow, firstRow + intact.length);
    for (const [step, isIntact] of intact.entries()) {
      const row = firstRow + step;
      if (isIntact === 1 || this.damaged.gaps(row, row + 1).next().done === true) continue;
      this.damaged.add(row, row + 1);
      this.damagedCount += 1;
    }
  }

  async #read(firstRow: number, count: number): Promise<Buffer | undefined> {
    const blocks = asBuffer(new Uint8Array(count * blockSizeBytes));
    return await this.#guarded(async () => {
      for (let done = 0; done < count; ) {
        const row = firstRow + done;
        const run = Math.min(count - done, rowsPerGroup - (row % rowsPerGroup));
        const piece = blocks.subarray(done * blockSizeBytes, (done + run) * blockSizeBytes);
        await readTolerant(this.access, rowOffset(row), piece);
        done += run;
      }
      return blocks;
    });
  }

  async #guarded(read: () => Promise<Buffer>): Promise<Buffer | undefined> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'operation.interrupted') throw error;
      this.failure ??= { error };
      return undefined;
    }
  }

  async #unlessSlow(reading: Promise<Buffer | undefined>, isPatient: boolean): Promise<Buffer | undefined> {
    if (isPatient) return await reading;
    const ended = new AbortController();
    const { slowAfterMs, pause } = this.#patience;
    const late = pause(slowAfterMs, ended.signal).then(
      () => 'late' as const,
      () => undefined,
    );
    try {
      const first = await Promise.race([reading, late]);
      if (first !== 'late') return first;
      this.isSlow = true;
      return undefined;
    } finally {
      ended.abort();
    }
  }
}
