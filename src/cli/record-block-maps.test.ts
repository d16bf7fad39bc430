import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import type { BlockMap } from '../history/block-maps.ts';
import type { BlockStep } from '../operation/options.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { BlockMapRecord } from './record-block-maps.ts';

function step(storage: string, cells: readonly string[], isDone: boolean, damaged = 0): BlockStep {
  return {
    archive: 'a.holdfast',
    storage,
    archiveId: 'ab12',
    blocks: { perCopy: 6, copies: 2, intact: 0, damaged, solved: 0, lost: 0 },
    dataBlocks: 239,
    parityBlocks: 16,
    cellCount: 6,
    changes: cells.map((part, copy) => ({ copy, from: 0, cells: part })),
    isDone,
  };
}

function open(setBlockMap: (url: string, map: BlockMap) => Promise<void>) {
  const problems: unknown[] = [];
  const record = new BlockMapRecord({
    history: { setBlockMap },
    clock: new FakeClock(7000),
    urlOf: ({ storage, archive }) => (storage === 'elsewhere' ? undefined : `${storage}:${archive}`),
    onProblem: (error) => problems.push(error),
  });
  return { record, problems };
}

test('each reading that came to its end is kept, and what a run mended is healed in it', async () => {
  const kept: [string, string][] = [];
  const { record, problems } = open(async (url, { copies, lookedMs }) => {
    kept.push([url, `${copies.join('/')} at ${lookedMs}`]);
  });
  record.see(step('near', ['=+', '=='], false));
  record.see(step('near', ['=+#===', '======'], true, 2));
  record.see(step('far', ['======', '======'], true));
  record.see(step('elsewhere', ['======', '======'], true));
  record.see(step('near', ['======', '======'], true));
  record.see(step('far', ['==', '=='], false));
  await record.end();
  assert.deepEqual(kept, [
    ['near:a.holdfast', '=+#===/====== at 7000'],
    ['far:a.holdfast', '======/====== at 7000'],
    ['near:a.holdfast', '=~~===/====== at 7000'],
  ]);
  assert.deepEqual(problems, []);
});

test('a history that cannot be written is told once, and ends nothing', async () => {
  const { record, problems } = open(() => Promise.reject(new HoldfastError('history.unavailable')));
  record.see(step('near', ['======', '======'], true));
  record.see(step('far', ['======', '======'], true));
  await record.end();
  assert.equal(problems.length, 1);
});
