import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlockMap, type Extent, ExtentCollector, maximumLayers } from './block-map.ts';

function extent(offset: number, position: number, count: number, source = 0): Extent {
  return { source, offset: offset * 4096, position, count };
}

test('copies become layers, and cuts of them are given for a range of positions', () => {
  const map = new BlockMap([extent(0, 0, 10), extent(10, 0, 10)]);
  assert.equal(map.layers.length, 2);
  const rows: [number, number, Extent[]][] = [
    [0, 10, [extent(0, 0, 10)]],
    [3, 2, [extent(3, 3, 2)]],
    [9, 5, [extent(9, 9, 1)]],
    [10, 5, []],
    [0, 0, []],
  ];
  for (const [first, count, expected] of rows) assert.deepEqual([...map.within(0, first, count)], expected);
  assert.deepEqual([...map.within(1, 3, 2)], [extent(13, 3, 2)]);
  assert.deepEqual([...map.within(2, 0, 10)], []);
});

test('a layer has gaps where nothing lies', () => {
  const map = new BlockMap([extent(0, 5, 3), extent(7, 20, 2)]);
  assert.equal(map.layers.length, 1);
  assert.deepEqual([...map.within(0, 0, 100)], [extent(0, 5, 3), extent(7, 20, 2)]);
  assert.deepEqual([...map.within(0, 7, 14)], [extent(2, 7, 1), extent(7, 20, 1)]);
  assert.deepEqual([...map.within(0, 8, 12)], []);
});

test('extents beside each other are in one layer, in the order of their positions, and are found from any position', () => {
  const map = new BlockMap([5, 1, 4, 0, 3, 2].map((index) => extent(10 * index, 3 * index, 3)));
  assert.equal(map.layers.length, 1);
  for (let first = 0; first < 18; first++) {
    const index = Math.floor(first / 3);
    assert.deepEqual([...map.within(0, first, 1)], [extent(10 * index + (first % 3), first, 1)]);
  }
});

test('layers never have a position twice, and lose none while there is room', () => {
  const extents = fc.array(
    fc.record({ offset: fc.nat(1000), position: fc.nat(60), count: fc.integer({ min: 1, max: 20 }) }),
    { maxLength: 14 },
  );
  const property = fc.property(extents, (list) => {
    const map = new BlockMap(list.map(({ offset, position, count }) => extent(offset, position, count)));
    const given: string[] = [];
    for (const layer of map.layers.keys()) {
      let end = 0;
      for (const one of map.within(layer, 0, 200)) {
        assert.ok(one.position >= end);
        end = one.position + one.count;
        for (let index = 0; index < one.count; index++)
          given.push(`${one.offset / 4096 + index}@${one.position + index}`);
      }
    }
    const wanted = list.flatMap(({ offset, position, count }) =>
      Array.from({ length: count }, (_, index) => `${offset + index}@${position + index}`),
    );
    assert.deepEqual(given.sort(), wanted.sort());
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

test('there are at most 16 layers, and many places for one position cost no more than few', () => {
  const many = Array.from({ length: 200_000 }, (_, index) => extent(index, 5, 1));
  const map = new BlockMap(many, many);
  assert.equal(maximumLayers, 16);
  assert.equal(map.layers.length, maximumLayers);
  assert.equal(map.primaryLayers, maximumLayers);
  assert.deepEqual([...map.within(15, 0, 10)], [extent(15, 5, 1)]);
});

test('guesses come behind, and stay behind when there are more', () => {
  const map = new BlockMap([extent(0, 0, 4)], [extent(10, 0, 4)]);
  assert.deepEqual([map.primaryLayers, map.layers.length], [1, 2]);
  const more = map.withGuesses([extent(20, 0, 4)]);
  assert.equal(more.primaryLayers, 1);
  assert.deepEqual(more.layers, [[extent(0, 0, 4)], [extent(10, 0, 4)], [extent(20, 0, 4)]]);
});

/** What a collector makes of blocks at [offset in bytes, position]. */
function collected(blocks: readonly (readonly [number, number])[]): ExtentCollector {
  const collector = new ExtentCollector(3);
  for (const [offset, position] of blocks) collector.add(offset, position);
  return collector;
}

/** Blocks as [offset, position], and the extents as [offset, position, count]. */
const gatherings: [string, [number, number][], [number, number, number][]][] = [
  ['nothing', [], []],
  [
    'in order',
    [
      [0, 0],
      [4096, 1],
      [8192, 2],
    ],
    [[0, 0, 3]],
  ],
  [
    'a damaged one between',
    [
      [0, 0],
      [8192, 2],
    ],
    [[0, 0, 3]],
  ],
  [
    'not at the start',
    [
      [100, 7],
      [4196, 8],
    ],
    [[100, 7, 2]],
  ],
  [
    'a byte was put in',
    [
      [0, 0],
      [4097, 1],
    ],
    [
      [0, 0, 1],
      [4097, 1, 1],
    ],
  ],
  [
    'a block was taken out',
    [
      [0, 0],
      [4096, 2],
    ],
    [
      [0, 0, 1],
      [4096, 2, 1],
    ],
  ],
  [
    'the same twice',
    [
      [0, 4],
      [4096, 4],
    ],
    [
      [0, 4, 1],
      [4096, 4, 1],
    ],
  ],
  [
    'backwards',
    [
      [0, 4],
      [4096, 3],
    ],
    [
      [0, 4, 1],
      [4096, 3, 1],
    ],
  ],
  [
    'a second copy',
    [
      [0, 0],
      [4096, 1],
      [8192, 0],
      [12_288, 1],
    ],
    [
      [0, 0, 2],
      [8192, 0, 2],
    ],
  ],
];

test('blocks that lie as far apart as their positions are one extent, whatever is between them', () => {
  for (const [name, blocks, expected] of gatherings) {
    const extents = expected.map(([offset, position, count]) => ({ source: 3, offset, position, count }));
    assert.deepEqual(collected(blocks).extents, extents, name);
  }
});

test('guesses fill the room before and behind what was found, as far as the copy goes', () => {
  const collector = collected([
    [2 * 4096 + 5, 2],
    [6 * 4096 + 9, 5],
  ]);
  assert.deepEqual(collector.guesses(9 * 4096, 7), [
    { source: 3, offset: 5, position: 0, count: 2 },
    { source: 3, offset: 3 * 4096 + 5, position: 3, count: 3 },
    { source: 3, offset: 3 * 4096 + 9, position: 2, count: 3 },
    { source: 3, offset: 7 * 4096 + 9, position: 6, count: 1 },
  ]);
  assert.deepEqual(collected([[0, 0]]).guesses(4096, 1), []);
  // As far as the file goes in front, and as far as the copy goes behind.
  assert.deepEqual(collected([[4096, 4]]).guesses(9 * 4096, 7), [
    { source: 3, offset: 0, position: 3, count: 1 },
    { source: 3, offset: 2 * 4096, position: 5, count: 2 },
  ]);
});
