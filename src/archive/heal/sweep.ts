import assert from 'node:assert/strict';
import type { Range } from '../range-set.ts';
import { BufferPool } from '../worker/buffer-pool.ts';
import { mapOrdered } from '../worker/ordered.ts';
import { BlockCells, cellStates } from './block-cells.ts';
import type { BlockStore } from './block-store.ts';
import { blockSizeBytes, headerReplicas, type Layout, payloadSizeBytes } from './geometry.ts';

const windowBlocks = 512;
const windowBytes = windowBlocks * blockSizeBytes;

/** Consecutive positions of one kind. */
interface SweepRange {
  readonly firstPosition: number;
  readonly count: number;
  /** Number of the first data block, where the range is data. */
  readonly firstData: number | undefined;
}

/** State of the blocks over all copies. */
export interface BlockTally {
  readonly perCopy: number;
  readonly copies: number;
  readonly intact: number;
  readonly damaged: number;
  /** Data positions that no copy had and parity gave back. */
  readonly solved: number;
  /** Data positions that nothing gave back. */
  readonly lost: number;
}

/** Payloads of consecutive data blocks; `lost` are indexes within it. Its memory is used again after the next is asked for. */
export interface SweptWindow {
  readonly firstData: number;
  readonly count: number;
  readonly payloads: Uint8Array;
  readonly lost: readonly number[];
}

export interface SweepResult {
  readonly tally: BlockTally;
  /** Lost data blocks as inclusive ranges of positions; only the first 1,000. */
  readonly lostRanges: readonly (readonly [number, number])[];
  /** One character for each cell of each copy, 256 at most: `=` whole, `+` damaged, `#` holds what is lost. */
  readonly map: readonly string[];
}

/** Cells of a copy in {@link SweepResult.map}. */
const resultCells = 256;

/** Of some data blocks, by number, those that are to be read. */
type Unproven = (firstData: number, count: number) => Iterable<Range>;

const readAll: Unproven = (firstData, count) => [{ start: firstData, end: firstData + count }];

/** The data blocks in between. */
function* proven(layout: Layout, unproven: Unproven): Generator<Range> {
  let start = 0;
  for (const gap of unproven(0, layout.totalDataBlocks)) {
    if (gap.start > start) yield { start, end: gap.start };
    start = gap.end;
  }
  if (start < layout.totalDataBlocks) yield { start, end: layout.totalDataBlocks };
}

/** Draws what a reading of the contents has proven so far. */
export function drawProven(store: BlockStore, cells: BlockCells): void {
  const { layout } = store;
  for (const { start, end } of proven(layout, (first, count) => store.unproven(first, count))) {
    drawWholeData(cells, layout, start, end - start);
  }
}

function* ranges(layout: Layout, unproven: Unproven): Generator<SweepRange> {
  for (let band = 0; band < layout.bands; band++) {
    const start = layout.bandPosition(band);
    yield { firstPosition: start, count: headerReplicas, firstData: undefined };
    const data = layout.bandDataBlocks(band);
    for (const gap of unproven(layout.bandFirstData(band), data)) {
      for (let firstData = gap.start; firstData < gap.end; firstData += windowBlocks) {
        const count = Math.min(windowBlocks, gap.end - firstData);
        yield { firstPosition: layout.dataPosition(firstData), count, firstData };
      }
    }
    const parity = layout.bandGeometry(band).blocks - headerReplicas - data;
    for (let done = 0; done < parity; done += windowBlocks) {
      const firstPosition = start + headerReplicas + data + done;
      yield { firstPosition, count: Math.min(windowBlocks, parity - done), firstData: undefined };
    }
  }
  yield { firstPosition: layout.finalPosition(0), count: headerReplicas, firstData: undefined };
}

/** Keeps count, and draws the map, while ranges go by. */
class Counter {
  readonly #layout: Layout;
  readonly #copies: number;
  readonly #cells: BlockCells;
  readonly #layers: number;
  readonly lostRanges: [number, number][] = [];
  intact = 0;
  solved = 0;
  lost = 0;
  damaged = 0;

  constructor(store: BlockStore, cells: BlockCells) {
    this.#layout = store.layout;
    this.#copies = store.header.copies;
    this.#layers = store.map.primaryLayers;
    this.#cells = cells;
  }

  /** Counts a block by the layers in which it is intact. */
  add(position: number, layers: number): void {
    let found = 0;
    for (let layer = 0; layer < this.#layers; layer++) if ((layers & (1 << layer)) !== 0) found++;
    const intact = Math.min(found, this.#copies);
    this.intact += intact;
    this.damaged += this.#copies - intact;
    for (let copy = 0; copy < this.#copies; copy++) {
      // In a file that is in place layer and copy are the same; elsewhere the first copies are said to be whole.
      const whole = this.#layers === this.#copies ? (layers & (1 << copy)) !== 0 : copy < found;
      this.#cells.see(copy, position, whole ? cellStates.whole : cellStates.damaged);
    }
  }

  /** Counts data blocks that are intact in every copy. */
  addWhole(firstData: number, count: number): void {
    this.intact += count * this.#copies;
    drawWholeData(this.#cells, this.#layout, firstData, count);
  }

  addSolved(): void {
    this.solved++;
  }

  addLost(position: number): void {
    this.lost++;
    for (let copy = 0; copy < this.#copies; copy++) this.#cells.see(copy, position, cellStates.lost);
    const last = this.lostRanges.at(-1);
    if (last !== undefined && last[1] === position - 1) last[1] = position;
    else if (this.lostRanges.length < 1000) this.lostRanges.push([position, position]);
  }

  tally(): BlockTally {
    const perCopy = this.#layout.totalBlocks;
    const copies = this.#copies;
    const { intact, damaged, solved, lost } = this;
    return { perCopy, copies, intact, damaged, solved, lost };
  }

  result(): SweepResult {
    return { tally: this.tally(), lostRanges: this.lostRanges, map: this.#cells.draw(resultCells) };
  }
}

/** Draws data blocks that are whole in every copy; between them lies the parity of each band. */
function drawWholeData(cells: BlockCells, layout: Layout, firstData: number, count: number): void {
  const fullBand = layout.bandDataBlocks(0);
  for (let number = firstData; number < firstData + count; ) {
    const band = Math.floor(number / fullBand);
    const end = Math.min(firstData + count, layout.bandFirstData(band) + layout.bandDataBlocks(band));
    cells.seeWhole(layout.dataPosition(number), end - number);
    number = end;
  }
}

export interface SweepOptions {
  readonly store: BlockStore;
  /** Given each window of data payloads in order, healed. */
  readonly onWindow?: (window: SweptWindow) => Promise<void>;
  /** The tally is of what was read so far. */
  readonly onProgress?: (doneBytes: number, totalBytes: number, tally: BlockTally) => void;
  /** Drawn as the sweep goes; ones of its own unless given. */
  readonly cells?: BlockCells;
}

/**
 * Reads every block of every copy, once, checks its hash, and solves what is intact nowhere. Needs no key. What the store has proven to
 * be whole is not read again, unless `onWindow` wants it.
 * Memory: a few windows of 1 MiB for each layer, and the healed payloads of a band.
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const result = (await sweepOnce(options)) ?? (await sweepOnce(options));
  assert(result !== undefined, 'sources are scanned once, so the map of blocks changes once');
  return result;
}

/** One sweep; undefined where the map of blocks changed under it and nothing was given out yet, so that it begins again. */
async function sweepOnce(options: SweepOptions): Promise<SweepResult | undefined> {
  const { store } = options;
  const { layout, map, workers } = store;
  const cells = options.cells ?? new BlockCells(layout, store.header.copies);
  cells.clear();
  const counter = new Counter(store, cells);
  const unproven: Unproven =
    options.onWindow === undefined ? (firstData, count) => store.unproven(firstData, count) : readAll;
  let doneBlocks = 0;
  for (const { start, end } of proven(layout, unproven)) {
    counter.addWhole(start, end - start);
    doneBlocks += end - start;
  }
  const layerNumbers = store.allLayers();
  const inFlight = workers.threadCount + 1;
  // A window of each layer, and its payloads.
  const parts = layerNumbers.length + (options.onWindow === undefined ? 0 : 1);
  const { memory } = workers;
  const buffers = new BufferPool({ count: (inFlight + 1) * parts, memory, sizeBytes: windowBytes });
  const readRange = async (range: SweepRange) => {
    const wanted = range.firstData !== undefined && options.onWindow !== undefined;
    const lent = await buffers.acquireSeveral(layerNumbers.length + (wanted ? 1 : 0));
    const payloads = wanted ? lent[layerNumbers.length] : undefined;
    const layers = lent.slice(0, layerNumbers.length).map((buffer) => buffer.subarray(0, range.count * blockSizeBytes));
    await Promise.all(
      layerNumbers.map((layer, index) =>
        store.readLayer(layer, range.firstPosition, range.count, layers[index] as Uint8Array),
      ),
    );
    const { firstPosition, count } = range;
    const task = { layers, firstPosition, count, headerBody: store.headerBody };
    const { intact } = await workers.run('check', payloads === undefined ? task : { ...task, payloads });
    return { range, intact, payloads, lent };
  };
  for await (const { range, intact, payloads, lent } of mapOrdered(ranges(layout, unproven), inFlight, readRange)) {
    const missing: number[] = [];
    for (const [index, layers] of intact.entries()) {
      counter.add(range.firstPosition + index, layers);
      if (layers === 0 && range.firstData !== undefined) missing.push(range.firstData + index);
    }
    const healed = missing.length === 0 ? undefined : await store.tryHeal(missing);
    if (store.map !== map && options.onWindow === undefined) return undefined;
    const lost: number[] = [];
    for (const number of missing) {
      const payload = healed?.get(number);
      const index = number - range.firstData!;
      if (payload === undefined) {
        lost.push(index);
        counter.addLost(layout.dataPosition(number));
      } else {
        counter.addSolved();
        payloads?.set(payload, index * payloadSizeBytes);
      }
    }
    if (payloads !== undefined && range.firstData !== undefined) {
      await options.onWindow?.({ firstData: range.firstData, count: range.count, payloads, lost });
    }
    for (const buffer of lent) buffers.release(buffer);
    doneBlocks += range.count;
    options.onProgress?.(
      doneBlocks * blockSizeBytes * store.header.copies,
      layout.totalBlocks * blockSizeBytes * store.header.copies,
      counter.tally(),
    );
  }
  return counter.result();
}
