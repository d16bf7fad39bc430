import { asBuffer } from '../../bytes.ts';
import { systemWait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { blockKind, expectedFrame, isIntactDataBody, isSealedAs, sealBlock, shardBlockKind } from '../heal/block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, type Layout } from '../heal/geometry.ts';
import type { LocatedHeader } from '../heal/locate.ts';
import type { RandomAccess } from '../random-access.ts';
import { freeMemory } from '../worker/free-memory.ts';
import { type LocatedShards, locateShards } from './locate-shards.ts';
import { RowCode } from './row-code.ts';
import type { Pause, Shard, ShardSource } from './shard.ts';
import { type SpreadShape, shapeMark, shardCount, shardRows } from './shard-format.ts';

/** Bytes of the archive that are read from all shards at once. */
const windowBytes = 4 * 1024 * 1024;
const defaultSlowAfterMs = 15_000;

/** How a spread archive is opened. */
export interface SpreadOptions {
  readonly shards: readonly ShardSource[];
  /** What the names of the shards say. */
  readonly shape?: SpreadShape | undefined;
  /** A shard that takes longer for a read is passed over as long as the others are enough: 15,000 unless set. */
  readonly slowAfterMs?: number | undefined;
  readonly pause?: Pause | undefined;
  /** For people, where each shard belongs, by its index. */
  readonly places?: readonly string[] | undefined;
}

/** Blocks of one shard from a row on. */
interface Fetched {
  readonly firstRow: number;
  readonly count: number;
  readonly blocks: Buffer;
  /** 1 for each that is as it must be. */
  readonly intact: Uint8Array;
}

/**
 * An archive that is laid over shards, as the one file that it was. Each block is checked as it is read; of a row, any k good blocks give
 * the others, wherever they lie. What cannot be solved is given as it stands, for the archive's own parity to heal. Memory: 4 MiB for
 * each read under way, and (k + m) / k times that where a shard is missing.
 */
export class SpreadAccess implements RandomAccess {
  readonly shape: SpreadShape;
  readonly header: LocatedHeader;
  readonly layout: Layout;
  readonly sizeBytes: number;
  /** By index; undefined where a shard is missing. */
  readonly shards: readonly (Shard | undefined)[];
  readonly foreign: LocatedShards['foreign'];
  /** Where each shard belongs, by its index. */
  readonly places: readonly string[];
  /** Blocks that were asked for, and that the shards do not give. */
  unsolvedCount = 0;
  readonly #code: RowCode;
  readonly #mark: number;

  /**
   * Throws `archive.damaged` where fewer than k shards are there, naming those that are missing; what a storage throws, where that may
   * still have them.
   */
  static async open(options: SpreadOptions): Promise<SpreadAccess> {
    const { slowAfterMs = defaultSlowAfterMs, pause = systemWait, shape } = options;
    const located = await locateShards(options.shards, { slowAfterMs, pause, shape });
    const access = new SpreadAccess(located, options.places ?? []);
    const there = access.shards.filter((shard) => shard !== undefined);
    if (there.length < access.shape.data) throw tooFew(access);
    return access;
  }

  private constructor(located: LocatedShards, places: readonly string[]) {
    this.places = places;
    this.shape = located.shape;
    this.header = located.header;
    this.layout = located.layout;
    this.shards = located.shards;
    this.foreign = located.foreign;
    this.sizeBytes = located.layout.totalBlocks * blockSizeBytes;
    this.#code = new RowCode(located.shape);
    this.#mark = shapeMark(located.shape);
  }

  get isSequential(): boolean {
    return this.shards.some((shard) => shard?.access.isSequential === true);
  }

  get spread(): this {
    return this;
  }

  get archiveId(): Uint8Array {
    return this.header.header.archiveId;
  }

  /** Rows of the parity shards, and of the longest data shard. */
  get rowCount(): number {
    return Math.ceil(this.layout.totalBlocks / this.shape.data);
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const end = Math.min(offset + into.length, this.sizeBytes);
    const stepBlocks = Math.floor(windowBytes / blockSizeBytes / this.shape.data) * this.shape.data;
    for (let at = offset; at < end; ) {
      const first = Math.floor(at / blockSizeBytes);
      const last = Math.min(Math.ceil(end / blockSizeBytes), (Math.floor(first / stepBlocks) + 1) * stepBlocks);
      const blocks = await this.#blocks(first, last - first);
      const from = at - first * blockSizeBytes;
      const length = Math.min(end - at, blocks.length - from);
      blocks.copy(asBuffer(into), at - offset, from, from + length);
      freeMemory(blocks);
      at += length;
    }
    return Math.max(0, end - offset);
  }

  async close(): Promise<void> {
    // Those that belong to another archive are closed by whoever opened them.
    for (const shard of this.shards) await shard?.access.close();
  }

  /** Whether a block is the one that a shard has at a row. */
  isIntact(block: Buffer, index: number, row: number): boolean {
    if (index >= this.shape.data) {
      const ordinal = index - this.shape.data;
      const frame = { position: row, bandDataBlocks: this.#mark, kind: shardBlockKind.parity, ordinal };
      return isSealedAs(block, this.archiveId, frame);
    }
    const position = row * this.shape.data + index;
    const frame = expectedFrame(this.layout, position);
    // A header of another generation is whole, but it does not count any more.
    if (isHeaderKind(frame.kind)) return this.#headerBlock(position).equals(block);
    return isSealedAs(block, this.archiveId, frame);
  }

  /** Consecutive blocks of the archive. */
  async #blocks(first: number, count: number): Promise<Buffer> {
    const { data } = this.shape;
    const out = Buffer.alloc(count * blockSizeBytes);
    const indexes = Array.from({ length: Math.min(data, count) }, (_, step) => (first + step) % data);
    const fetched = new Map<number, Fetched>();
    await Promise.all(
      indexes.map(async (index) => {
        const firstRow = Math.ceil((first - index) / data);
        const rows = Math.floor((first + count - 1 - index) / data) - firstRow + 1;
        await this.#fetch(fetched, index, { firstRow, rows, isPatient: false });
      }),
    );
    const bad: number[] = [];
    for (let step = 0; step < count; step += 1) {
      const position = first + step;
      const target = out.subarray(step * blockSizeBytes, (step + 1) * blockSizeBytes);
      const found = this.#blockOf(fetched, position % data, Math.floor(position / data));
      found?.block.copy(target);
      if (found?.isIntact === true) continue;
      if (isHeaderKind(expectedFrame(this.layout, position).kind)) this.#headerBlock(position).copy(target);
      else bad.push(position);
    }
    if (bad.length > 0) await this.#heal(bad, fetched, { out, first });
    for (const { blocks } of fetched.values()) freeMemory(blocks);
    return out;
  }

  async #fetch(
    fetched: Map<number, Fetched>,
    index: number,
    range: { readonly firstRow: number; readonly rows: number; readonly isPatient: boolean },
  ): Promise<void> {
    const { firstRow, isPatient } = range;
    const shard = this.shards[index];
    const count = Math.min(range.rows, shardRows(this.shape, index, this.layout.totalBlocks) - firstRow);
    if (shard === undefined) return;
    const blocks = await shard.rows(firstRow, count, isPatient);
    if (blocks === undefined) return;
    const intact = new Uint8Array(count);
    for (let step = 0; step < count; step += 1) {
      const block = blocks.subarray(step * blockSizeBytes, (step + 1) * blockSizeBytes);
      intact[step] = this.isIntact(block, index, firstRow + step) ? 1 : 0;
    }
    shard.note(firstRow, intact);
    fetched.set(index, { firstRow, count, blocks, intact });
  }

  #blockOf(fetched: ReadonlyMap<number, Fetched>, index: number, row: number) {
    const found = fetched.get(index);
    if (found === undefined) return undefined;
    const step = row - found.firstRow;
    const block = found.blocks.subarray(step * blockSizeBytes, (step + 1) * blockSizeBytes);
    return { block, isIntact: found.intact[step] === 1 };
  }

  /** Solves blocks, ascending, from the other blocks of their rows. */
  async #heal(
    bad: readonly number[],
    given: ReadonlyMap<number, Fetched>,
    window: { readonly out: Buffer; readonly first: number },
  ): Promise<void> {
    const { data } = this.shape;
    const badRows = new Map<number, number[]>();
    for (const position of bad) {
      const row = Math.floor(position / data);
      badRows.set(row, [...(badRows.get(row) ?? []), position % data]);
    }
    const rows = [...badRows.keys()];
    const firstRow = rows[0] ?? 0;
    const range = { firstRow, rows: (rows.at(-1) ?? firstRow) - firstRow + 1 };
    const fetched = new Map(
      [...given].filter(([, { firstRow: from, count }]) => from <= firstRow && from + count >= firstRow + range.rows),
    );
    await this.#fetchUntilEnough(fetched, rows, range);
    let unsolvedCount = 0;
    for (const [row, wanted] of badRows) {
      const intact = this.#intactIn(fetched, row).slice(0, data);
      if (intact.length < data) {
        unsolvedCount += wanted.length;
        continue;
      }
      const known = intact.map(({ index }) => index);
      // What was waited for may have come after all.
      const late = wanted.filter((index) => this.#blockOf(fetched, index, row)?.isIntact === true);
      for (const index of late) {
        const start = (row * data + index - window.first) * blockSizeBytes;
        this.#blockOf(fetched, index, row)?.block.copy(window.out, start);
      }
      const lost = wanted.filter((index) => !late.includes(index));
      if (lost.length === 0) continue;
      const bodies = intact.map(({ body }) => body);
      for (const [place, body] of this.#code.solve(known, bodies, lost).entries()) {
        this.#put(row * data + (lost[place] ?? 0), body, window);
      }
    }
    for (const [index, { blocks }] of fetched) if (given.get(index)?.blocks !== blocks) freeMemory(blocks);
    if (unsolvedCount > 0) this.#throwIfOneMayAnswer();
    this.unsolvedCount += unsolvedCount;
  }

  /** Reads the rows of as many other shards as are wanted, those of data first, and those that are slow last. */
  async #fetchUntilEnough(
    fetched: Map<number, Fetched>,
    rows: readonly number[],
    range: { readonly firstRow: number; readonly rows: number },
  ): Promise<void> {
    const { data } = this.shape;
    const lacking = () => Math.max(...rows.map((row) => data - this.#intactIn(fetched, row).length));
    const indexes = Array.from({ length: shardCount(this.shape) }, (_, index) => index);
    const left = (isPatient: boolean) =>
      indexes.filter((index) => {
        const shard = this.shards[index];
        return (
          !fetched.has(index) && shard !== undefined && shard.failure === undefined && (isPatient || !shard.isSlow)
        );
      });
    for (const isPatient of [false, true]) {
      for (let need = lacking(); need > 0; need = lacking()) {
        const next = left(isPatient).slice(0, need);
        if (next.length === 0) break;
        await Promise.all(next.map((index) => this.#fetch(fetched, index, { ...range, isPatient })));
      }
    }
  }

  /** The shards whose block at a row is known, by index; without a body where it is zeros. */
  #intactIn(fetched: ReadonlyMap<number, Fetched>, row: number): { index: number; body: Buffer | undefined }[] {
    const found: { index: number; body: Buffer | undefined }[] = [];
    for (let index = 0; index < shardCount(this.shape); index += 1) {
      const position = row * this.shape.data + index;
      const isZero =
        index < this.shape.data &&
        (position >= this.layout.totalBlocks || isHeaderKind(expectedFrame(this.layout, position).kind));
      if (isZero) {
        found.push({ index, body: undefined });
        continue;
      }
      const one = this.#blockOf(fetched, index, row);
      if (one?.isIntact !== true) continue;
      found.push({ index, body: one.block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes) });
    }
    return found;
  }

  /** Takes a solved body; a data block that is not what its own hash says is left as it was. */
  #put(position: number, body: Buffer, { out, first }: { readonly out: Buffer; readonly first: number }): void {
    const frame = expectedFrame(this.layout, position);
    if (frame.kind === blockKind.data && !isIntactDataBody(body, this.archiveId, position)) {
      this.unsolvedCount += 1;
      return;
    }
    const start = (position - first) * blockSizeBytes;
    const block = out.subarray(start, start + blockSizeBytes);
    body.copy(block, frameSizeBytes);
    sealBlock(block, this.archiveId, frame);
  }

  #headerBlock(position: number): Buffer {
    const block = Buffer.alloc(blockSizeBytes);
    block.set(this.header.body, frameSizeBytes);
    sealBlock(block, this.archiveId, expectedFrame(this.layout, position));
    return block;
  }

  /** What a storage that failed may still have is not lost. */
  #throwIfOneMayAnswer(): void {
    for (const shard of this.shards) if (shard?.failure !== undefined) throw shard.failure.error;
  }
}

function isHeaderKind(kind: number): boolean {
  return kind === blockKind.header || kind === blockKind.final;
}

function tooFew({ shards, shape, foreign, places }: SpreadAccess): HoldfastError {
  const missing = shards.flatMap((shard, index) => (shard === undefined ? [index] : []));
  const others = foreign.map(({ label, reason }) => `${label}: ${reason}`);
  return tooFewShards({ shape, missing, places, others });
}

/** The error of an archive of which fewer than k shards are there. `missing` are indexes. */
export function tooFewShards(lack: {
  readonly shape: SpreadShape;
  readonly missing: readonly number[];
  readonly places: readonly string[];
  readonly others?: readonly string[];
}): HoldfastError {
  const { shape, missing, places, others = [] } = lack;
  const there = shardCount(shape) - missing.length;
  const named = missing.map((index) => `${index + 1}${places[index] === undefined ? '' : ` (${places[index]})`}`);
  const more = others.length > 0 ? `; ${others.join('; ')}` : '';
  const verb = named.length === 1 ? 'is' : 'are';
  return new HoldfastError('archive.damaged', {
    message: `${there} of the ${shape.data} shards that are needed are there: missing ${verb} ${named.join(', ')} of ${shardCount(shape)}${more}`,
    hint: `bring back ${shape.data - there} more of them: any ${shape.data} restore the archive`,
    context: { missingShards: missing.map((index) => index + 1), neededShards: shape.data },
  });
}
