import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Sample, sampleHeader, writeSample } from '../../../test/archive/write-sample.ts';
import { memoryRandomAccess, SeededRandom } from '../../testing/index.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import { BlockStore } from './block-store.ts';
import { type SweptWindow, sweep } from './sweep.ts';

const block = 4096;
const workers = new WorkerPool(2);
after(() => workers.close());

async function makeSample(sizeBytes: number, copies: number): Promise<Sample> {
  const header = sampleHeader(3, { copies, dataBlocks: 10, parityBlocks: 3 });
  return await writeSample({ workers, header, entries: [{ path: 'e', bytes: new SeededRandom(1).bytes(sizeBytes) }] });
}

/** Sweeps an archive in which these positions of these copies are destroyed. */
async function swept(
  sample: Sample,
  damaged: readonly (readonly number[])[],
  changes: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
) {
  const bytes = Uint8Array.from(sample.bytes);
  for (const [copy, positions] of damaged.entries()) {
    for (const position of positions) bytes[(copy * sample.layout.totalBlocks + position) * block + 50]! ^= 1;
    // A second byte, far from the first, in another column for each block: so that these are no single errors to be corrected.
    for (const position of positions)
      bytes.fill(
        0xa5,
        (copy * sample.layout.totalBlocks + position) * block + 60,
        (copy * sample.layout.totalBlocks + position) * block + 4000,
      );
  }
  const store = await BlockStore.open({ sources: [memoryRandomAccess(changes(bytes))], workers });
  return await sweep({ store });
}

test('blocks are counted over all copies', async () => {
  // 9 data blocks: one stripe with 3 rows. Headers 0 to 2, data 3 to 11, parity 12 to 14, final headers 15 to 17.
  const sample = await makeSample(33_000, 2);
  assert.equal(sample.layout.totalDataBlocks, 9);
  assert.equal(sample.layout.totalBlocks, 18);
  const rows: [string, number[][], { intact: number; solved: number; lost: number }, [number, number][], string[]][] = [
    ['whole', [[], []], { intact: 36, solved: 0, lost: 0 }, [], ['='.repeat(18), '='.repeat(18)]],
    ['a header', [[1], []], { intact: 35, solved: 0, lost: 0 }, [], ['=+================', '='.repeat(18)]],
    ['data in one copy', [[], [3, 4]], { intact: 34, solved: 0, lost: 0 }, [], ['='.repeat(18), '===++=============']],
    [
      'other data in each',
      [[3], [4]],
      { intact: 34, solved: 0, lost: 0 },
      [],
      ['===+==============', '====+============='],
    ],
    [
      'the same data',
      [
        [3, 5],
        [3, 5],
      ],
      { intact: 32, solved: 2, lost: 0 },
      [],
      ['===+=+============', '===+=+============'],
    ],
    ['parity', [[12], [12]], { intact: 34, solved: 0, lost: 0 }, [], ['============+=====', '============+=====']],
    [
      'as many as parity can',
      [
        [3, 4, 14],
        [3, 4, 14],
      ],
      { intact: 30, solved: 2, lost: 0 },
      [],
      ['===++=========+===', '===++=========+==='],
    ],
    [
      'one more',
      [
        [3, 4, 7, 14],
        [3, 4, 7, 14],
      ],
      { intact: 28, solved: 0, lost: 3 },
      [
        [3, 4],
        [7, 7],
      ],
      ['===##==#======+===', '===##==#======+==='],
    ],
    [
      'all finals',
      [
        [15, 16, 17],
        [15, 16, 17],
      ],
      { intact: 30, solved: 0, lost: 0 },
      [],
      ['===============+++', '===============+++'],
    ],
  ];
  for (const [name, damaged, counts, lostRanges, map] of rows) {
    const result = await swept(sample, damaged);
    assert.deepEqual(
      result,
      { tally: { perCopy: 18, copies: 2, damaged: 36 - counts.intact, ...counts }, lostRanges, map },
      name,
    );
  }
});

test('one copy alone is told from two', async () => {
  const sample = await makeSample(33_000, 1);
  const { tally } = await swept(sample, [[3, 4, 5]]);
  assert.deepEqual(tally, { perCopy: 18, copies: 1, intact: 15, damaged: 3, solved: 3, lost: 0 });
});

test('a copy that is gone, or was moved, is counted as damaged, or as whole', async () => {
  const sample = await makeSample(33_000, 2);
  const gone = await swept(sample, [], (bytes) => bytes.subarray(0, bytes.length / 2));
  assert.deepEqual(gone.tally, { perCopy: 18, copies: 2, intact: 18, damaged: 18, solved: 0, lost: 0 });
  const moved = await swept(sample, [], (bytes) => Buffer.concat([new Uint8Array(10), bytes]));
  assert.deepEqual(moved.tally, { perCopy: 18, copies: 2, intact: 36, damaged: 0, solved: 0, lost: 0 });
});

test('many bands, and more blocks than cells of the map', async () => {
  const sample = await makeSample(6_000_000, 1);
  assert.ok(sample.layout.bands > 1);
  const lost = sample.layout.totalBlocks;
  const result = await swept(sample, [[100]]);
  assert.deepEqual(result.tally, { perCopy: lost, copies: 1, intact: lost - 1, damaged: 1, solved: 1, lost: 0 });
  assert.equal(result.map[0]?.length, 256);
  assert.equal(result.map[0]?.indexOf('+'), Math.floor((100 * 256) / lost));
});

test('windows come in order, healed, with what is lost named', async () => {
  const sample = await makeSample(6_000_000, 1);
  const { layout } = sample;
  const payloads = (bytes: Uint8Array, number: number) => {
    const start = layout.dataPosition(number) * block + 32;
    return Buffer.from(bytes.subarray(start, start + 4032));
  };
  // A stripe of the first band loses 4 of its blocks, one more than its parity; another one block.
  const lost = [0, 64, 128, 192];
  const bytes = Uint8Array.from(sample.bytes);
  for (const number of [...lost, 1])
    bytes.fill(0, layout.dataPosition(number) * block, (layout.dataPosition(number) + 1) * block);
  const store = await BlockStore.open({ sources: [memoryRandomAccess(bytes)], workers });
  let next = 0;
  const named: number[] = [];
  const onWindow = async (window: SweptWindow) => {
    assert.equal(window.firstData, next);
    next += window.count;
    for (let index = 0; index < window.count; index++) {
      const number = window.firstData + index;
      const payload = Buffer.from(window.payloads.subarray(index * 4032, (index + 1) * 4032));
      if (window.lost.includes(index)) named.push(number);
      else assert.ok(payload.equals(payloads(sample.bytes, number)), `payload ${number}`);
    }
  };
  const progress: number[] = [];
  const { tally } = await sweep({ store, onWindow, onProgress: (done) => progress.push(done) });
  assert.equal(next, layout.totalDataBlocks);
  assert.deepEqual(named, lost);
  assert.deepEqual([tally.solved, tally.lost], [1, 4]);
  assert.deepEqual(
    progress,
    [...progress].sort((a, b) => a - b),
  );
  assert.equal(progress.at(-1), layout.totalBlocks * block);
});

test('a window that fails ends the sweep with its error', async () => {
  const sample = await makeSample(6_000_000, 1);
  const store = await BlockStore.open({ sources: [memoryRandomAccess(sample.bytes)], workers });
  const onWindow = async () => {
    throw new Error('no room');
  };
  await assert.rejects(sweep({ store, onWindow }), /no room/);
});
