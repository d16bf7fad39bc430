import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockCells, cellStates, mostCells } from './block-cells.ts';

test('each block has its own cell, as long as there are not too many', () => {
  const cells = new BlockCells({ totalBlocks: 8 }, 2);
  assert.equal(cells.count, 8);
  cells.see(0, 2, cellStates.whole);
  cells.see(0, 3, cellStates.damaged);
  assert.deepEqual(cells.takeChanges(), [{ copy: 0, from: 2, cells: '=+' }]);
  assert.deepEqual(cells.takeChanges(), [], 'told once');
  cells.seeWhole(3, 3);
  cells.see(1, 7, cellStates.lost);
  assert.deepEqual(cells.takeChanges(), [
    { copy: 0, from: 4, cells: '==' },
    { copy: 1, from: 3, cells: '===.#' },
  ]);
  assert.deepEqual(cells.draw(8), ['..=+==..', '...===.#']);
  assert.deepEqual(cells.draw(4), ['.+=.', '.==#'], 'the worst of each');
  cells.clear();
  assert.deepEqual(cells.takeChanges(), [
    { copy: 0, from: 2, cells: '....' },
    { copy: 1, from: 3, cells: '.....' },
  ]);
});

test('blocks that are whole are those that were told, one or none', () => {
  const cells = new BlockCells({ totalBlocks: 2 * mostCells }, 1);
  cells.seeWhole(1, 0);
  assert.deepEqual(cells.takeChanges(), []);
  cells.seeWhole(2, 1);
  assert.deepEqual(cells.takeChanges(), [{ copy: 0, from: 1, cells: '=' }]);
});

test('of more blocks a cell tells the worst, on both sides of the limit', () => {
  assert.equal(mostCells, 4096);
  assert.equal(new BlockCells({ totalBlocks: mostCells }, 1).count, mostCells);
  const cells = new BlockCells({ totalBlocks: mostCells + 1 }, 1);
  assert.equal(cells.count, mostCells);
  cells.see(0, 0, cellStates.damaged);
  cells.see(0, 1, cellStates.whole);
  cells.see(0, mostCells, cellStates.lost);
  const [row = ''] = cells.draw(mostCells);
  assert.deepEqual([row[0], row[1], row.at(-1)], ['+', '.', '#']);
  assert.equal(cells.draw(256)[0]?.length, 256);
});
