import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { blockAt, type PlainCopy, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { type Range, RangeSet } from '../range-set.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import { BlockCells } from './block-cells.ts';
import type { BlockStore } from './block-store.ts';
import { blockSizeBytes, payloadSizeBytes } from './geometry.ts';
import { drawProven, type SweptWindow, sweep } from './sweep.ts';

/** What a sweep reads, counts and draws, over a store that is told what it has. */

const pool = new WorkerPool(0);
after(() => pool.close());

/** Band 0: headers 0 to 2, data 3 to 578, parity 579 to 706. Band 1: headers from 707, data 710 to 733, parity 734 to 749, final headers. */
const copy = plainCopy(600, plainHeader(1, { dataBlocks: 9, parityBlocks: 2, copies: 2 }));
const total = 753;
/** Ranges in which it is read, by their blocks. */
const ranges = [3, 512, 64, 128, 3, 24, 16, 3];

interface StoreOptions {
  readonly of?: PlainCopy;
  readonly layers?: readonly Uint8Array[];
  readonly primaryLayers?: number;
  readonly proven?: readonly (readonly [number, number])[];
  /** What is given back of blocks that no layer has; nothing unless told. */
  readonly heal?: (numbers: readonly number[]) => Map<number, Uint8Array | undefined>;
  /** The map of blocks is another once something was healed for the first time. */
  readonly isMoved?: boolean;
  /** What reads wait for. */
  readonly gate?: Promise<void>;
}

function storeOf(options: StoreOptions = {}) {
  const { of = copy, layers = [of.bytes, of.bytes], proven = [], heal = () => new Map() } = options;
  const set = new RangeSet();
  for (const [start, end] of proven) set.add(start, end);
  const { archiveId, dataBlocks, parityBlocks } = of.header;
  const { totalDataBlocks } = of.layout;
  const shape = { dataBlocks, parityBlocks };
  const workers = pool.forArchive({ archiveId, shape, codec: 'none', seal: undefined, totalDataBlocks });
  const reads: [layer: number, position: number, count: number][] = [];
  const healed: number[][] = [];
  const maps = [0, 1].map(() => ({ primaryLayers: options.primaryLayers ?? layers.length }));
  const store = {
    layout: of.layout,
    header: of.header,
    headerBody: of.headerBody,
    workers,
    get map() {
      return maps[options.isMoved === true && healed.length > 0 ? 1 : 0];
    },
    allLayers: () => [...layers.keys()],
    unproven: (first: number, count: number): Iterable<Range> => set.gaps(first, first + count),
    readLayer: async (layer: number, position: number, count: number, into: Uint8Array) => {
      reads.push([layer, position, count]);
      await options.gate;
      assert.equal(into.length, count * blockSizeBytes);
      into.set(layers[layer]!.subarray(position * blockSizeBytes, (position + count) * blockSizeBytes));
    },
    tryHeal: async (numbers: readonly number[]) => {
      healed.push([...numbers]);
      return heal(numbers);
    },
  };
  return { store: store as unknown as BlockStore, reads, healed };
}

function without(bytes: Buffer, ...positions: number[]): Buffer {
  const damaged = Buffer.from(bytes);
  for (const position of positions) blockAt(damaged, position).fill(0);
  return damaged;
}

const payloadOf = (number: number) => copy.stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes);
const sums = (numbers: readonly number[], start = 0) => {
  let sum = start;
  return numbers.map((number) => {
    sum += number;
    return sum;
  });
};

test('every block of every layer is read once, in ranges of at most 512 of one kind', async () => {
  assert.equal(copy.layout.totalBlocks, total);
  const { store, reads } = storeOf();
  const progress: (readonly [number, number, number])[] = [];
  const result = await sweep({ store, onProgress: (done, of, { intact }) => progress.push([done, of, intact]) });
  const starts = sums(ranges).map((end, index) => end - ranges[index]!);
  assert.deepEqual(
    reads,
    ranges.flatMap((count, index) => [0, 1].map((layer) => [layer, starts[index], count])),
  );
  assert.deepEqual(
    progress,
    sums(ranges).map((done) => [done * blockSizeBytes * 2, total * blockSizeBytes * 2, done * 2]),
  );
  const tally = { perCopy: total, copies: 2, intact: 2 * total, damaged: 0, solved: 0, lost: 0 };
  assert.deepEqual(result, { tally, lostRanges: [], map: ['='.repeat(256), '='.repeat(256)] });
});

test('what is proven is counted and drawn, and not read', async () => {
  const proven = [
    [100, 400],
    [560, 580],
  ] as const;
  const { store, reads } = storeOf({ proven, layers: [copy.bytes, without(copy.bytes, 5)] });
  const cells = new BlockCells(copy.layout, 2);
  const done: number[] = [];
  const { tally } = await sweep({ store, cells, onProgress: (bytes) => done.push(bytes / blockSizeBytes / 2) });
  assert.deepEqual(
    reads.filter(([layer]) => layer === 0).map(([, position, count]) => [position, count]),
    [
      [0, 3],
      [3, 100],
      [403, 160],
      [579, 128],
      [707, 3],
      [714, 20],
      [734, 16],
      [750, 3],
    ],
  );
  assert.deepEqual(done, sums([3, 100, 160, 128, 3, 20, 16, 3], 320));
  assert.deepEqual(tally, { perCopy: total, copies: 2, intact: 2 * total - 1, damaged: 1, solved: 0, lost: 0 });
  const [first, second] = cells.takeChanges();
  assert.deepEqual(first, { copy: 0, from: 0, cells: '='.repeat(total) });
  assert.equal(second?.cells, `=====+${'='.repeat(total - 6)}`);
});

test('what is proven so far is drawn at its place in every copy', () => {
  const { store } = storeOf({
    proven: [
      [0, 2],
      [570, 590],
      [599, 600],
    ],
  });
  const cells = new BlockCells(copy.layout, 2);
  drawProven(store, cells);
  const drawn = Array.from({ length: total }, (_, position) => {
    const isProven =
      (position >= 3 && position < 5) ||
      (position >= 573 && position < 579) ||
      (position >= 710 && position < 724) ||
      position === 733;
    return isProven ? '=' : '.';
  }).join('');
  const changes = cells.takeChanges();
  assert.deepEqual(
    changes.map(({ from }) => from),
    [3, 3],
  );
  for (const { cells: row } of changes) assert.equal(row, drawn.slice(3, 734));
  const none = new BlockCells(copy.layout, 2);
  drawProven(storeOf().store, none);
  assert.deepEqual(none.takeChanges(), []);
  drawProven(storeOf({ proven: [[0, 600]] }).store, none);
  const rows = none.takeChanges();
  assert.deepEqual([rows[0]?.from, rows[0]?.cells.length], [3, 731]);
});

test('cells that were drawn before are drawn anew', async () => {
  const cells = new BlockCells(copy.layout, 2);
  for (const copyOf of [0, 1]) cells.see(copyOf, 9, 3);
  await sweep({ store: storeOf().store, cells });
  assert.deepEqual(cells.draw(total), ['='.repeat(total), '='.repeat(total)]);
});

test('blocks are counted and drawn by the layers that have them', async () => {
  const damaged = [without(copy.bytes, 0, 600), without(copy.bytes, 0, 10)];
  const drawnBy = async (options: StoreOptions) => {
    const cells = new BlockCells(copy.layout, 2);
    const { tally } = await sweep({ store: storeOf(options).store, cells });
    const rows = cells.draw(total).map((row) => [0, 1, 10, 600].map((position) => row[position]).join(''));
    return [tally.intact, tally.damaged, ...rows];
  };
  assert.deepEqual(await drawnBy({ layers: damaged }), [2 * total - 4, 4, '+==+', '+=+=']);
  // Elsewhere than in place the first copies are said to be whole, and no more than there are.
  assert.deepEqual(await drawnBy({ layers: [...damaged, copy.bytes] }), [2 * total - 1, 1, '====', '+===']);
  assert.deepEqual(await drawnBy({ layers: [copy.bytes] }), [total, total, '====', '++++']);
  // A guess is not counted.
  assert.deepEqual(await drawnBy({ layers: damaged, primaryLayers: 1 }), [total - 2, total + 2, '+==+', '++++']);
});

test('what no layer has is solved or lost, and named', async () => {
  const lost = [3, 4, 6, 577, 578, 710];
  const solved = [5, 733];
  const bytes = without(copy.bytes, ...lost, ...solved, 600);
  const heal = (numbers: readonly number[]) =>
    new Map(
      numbers.map((number) => [number, [2, 599].includes(number) ? Uint8Array.from(payloadOf(number)) : undefined]),
    );
  const { store, healed } = storeOf({ layers: [bytes, bytes], heal });
  const windows: SweptWindow[] = [];
  const onWindow = async (window: SweptWindow) => {
    for (let index = 0; index < window.count; index++) {
      const payload = window.payloads.subarray(index * payloadSizeBytes, (index + 1) * payloadSizeBytes);
      const number = window.firstData + index;
      if (!window.lost.includes(index)) assert.equal(Buffer.compare(payload, payloadOf(number)), 0, `${number}`);
    }
    windows.push({ ...window });
  };
  const cells = new BlockCells(copy.layout, 2);
  const result = await sweep({ store, onWindow, cells });
  assert.deepEqual(healed, [
    [0, 1, 2, 3],
    [574, 575],
    [576, 599],
  ]);
  assert.deepEqual(
    windows.map(({ firstData, count, lost: indexes }) => [firstData, count, indexes]),
    [
      [0, 512, [0, 1, 3]],
      [512, 64, [62, 63]],
      [576, 24, [0]],
    ],
  );
  assert.deepEqual(result.tally, {
    perCopy: total,
    copies: 2,
    intact: 2 * total - 18,
    damaged: 18,
    solved: 2,
    lost: 6,
  });
  assert.deepEqual(result.lostRanges, [
    [3, 4],
    [6, 6],
    [577, 578],
    [710, 710],
  ]);
  for (const row of cells.draw(total)) {
    assert.equal(row.slice(2, 8), '=##+#=');
    assert.deepEqual(
      [...row.matchAll(/#/g)].map(({ index }) => index),
      lost,
    );
    assert.deepEqual(
      [...row.matchAll(/\+/g)].map(({ index }) => index),
      [5, 600, 733],
    );
  }
});

test('who wants the contents is given all of them, proven or not', async () => {
  const { store, reads } = storeOf({ proven: [[0, 600]] });
  let counted = 0;
  const done: number[] = [];
  await sweep({
    store,
    onWindow: async ({ count }) => {
      counted += count;
    },
    onProgress: (bytes) => done.push(bytes / blockSizeBytes / 2),
  });
  assert.equal(counted, 600);
  assert.equal(reads.length, 2 * ranges.length);
  assert.deepEqual(done, sums(ranges));
});

test('a sweep begins again where the map changes under it, unless something was given out', async () => {
  const bytes = without(copy.bytes, 3, 710);
  const options = { layers: [bytes, bytes], isMoved: true };
  const { store, reads, healed } = storeOf(options);
  const cells = new BlockCells(copy.layout, 2);
  const { tally } = await sweep({ store, cells });
  assert.deepEqual(tally, { perCopy: total, copies: 2, intact: 2 * total - 4, damaged: 4, solved: 0, lost: 2 });
  assert.deepEqual(healed, [[0], [0], [576]]);
  assert.equal(reads.filter(([, position]) => position === 0).length, 4);
  const window = storeOf(options);
  await sweep({ store: window.store, onWindow: async () => undefined });
  assert.deepEqual(window.healed, [[0], [576]]);
});

test('a thousand ranges of lost blocks are named', async () => {
  const long = plainCopy(2010, plainHeader(2, { dataBlocks: 64, parityBlocks: 2 }));
  const positions = Array.from({ length: 1005 }, (_, index) => long.layout.dataPosition(2 * index));
  const bytes = without(long.bytes, ...positions, long.layout.dataPosition(1));
  const { store } = storeOf({ of: long, layers: [bytes] });
  const { tally, lostRanges } = await sweep({ store });
  assert.equal(tally.lost, 1006);
  assert.equal(lostRanges.length, 1000);
  assert.deepEqual(lostRanges.slice(0, 2), [
    [3, 5],
    [7, 7],
  ]);
  assert.deepEqual(lostRanges.at(-1), [positions[1000], positions[1000]]);
});

test('as many ranges are read ahead as there are threads, and one more', async () => {
  for (const onWindow of [undefined, async () => undefined]) {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { store, reads } = storeOf({ gate });
    const swept = sweep({ store, ...(onWindow === undefined ? {} : { onWindow }) });
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    assert.deepEqual(reads, [
      [0, 0, 3],
      [1, 0, 3],
      [0, 3, 512],
      [1, 3, 512],
    ]);
    open();
    await swept;
  }
});

test('parity too is read in ranges of at most 512', async () => {
  const wide = plainCopy(576, plainHeader(3, { dataBlocks: 9, parityBlocks: 9 }));
  const { store, reads } = storeOf({ of: wide, layers: [wide.bytes] });
  const { tally } = await sweep({ store });
  assert.deepEqual(reads, [
    [0, 0, 3],
    [0, 3, 512],
    [0, 515, 64],
    [0, 579, 512],
    [0, 1091, 64],
    [0, 1155, 3],
  ]);
  assert.deepEqual([tally.intact, tally.damaged], [1158, 0]);
});
