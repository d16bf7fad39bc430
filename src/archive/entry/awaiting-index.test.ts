import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwaitingIndex, bytesPerRun } from './awaiting-index.ts';
import type { OpenEntry } from './open-entry.ts';
import { EntryRuns } from './run-follower.ts';

const partTargetBytes = 512 * 1024;

function entry(id: number, lineBytes: number, isPlaced: boolean): OpenEntry {
  const runs = new EntryRuns();
  return {
    id,
    lineBytes,
    isPlaced,
    runs,
    input: { path: `f${id}`, kind: 'file', metadata: {} },
    batch: undefined,
    sizeBytes: 0,
    sha256: undefined,
  };
}

test('a part is due when its lines and segments fill it, placed or not', () => {
  const awaiting = new AwaitingIndex();
  awaiting.add(entry(1, partTargetBytes - 20, false));
  assert.deepEqual([awaiting.isDue(0), awaiting.isDue(1)], [false, true]);
  assert.deepEqual(
    [awaiting.isPartDue(1), awaiting.isPartDue(26_214), awaiting.isPartDue(26_215)],
    [false, false, true],
  );
});

test('what has got its places counts once, and with each further run', () => {
  const awaiting = new AwaitingIndex();
  const one = entry(1, partTargetBytes - bytesPerRun - 1, false);
  awaiting.add(one);
  awaiting.place(one);
  assert.deepEqual(
    [awaiting.isDue(1), awaiting.isPartDue(1), awaiting.isDue(2), awaiting.isPartDue(2)],
    [false, false, true, true],
  );
  const two = entry(2, 1, false);
  const place = { segment: 0, offset: 0, length: 1 };
  two.runs.add({ ...place, index: 0 }, { index: 0, offset: 1 });
  awaiting.add(two);
  awaiting.place(two);
  assert.equal(awaiting.isPartDue(0), false, 'the first run is in the line');
  const three = entry(3, 0, false);
  three.runs.add({ ...place, index: 0 }, { index: 0, offset: 1 });
  three.runs.add({ ...place, index: 5 }, { index: 5, offset: 1 });
  awaiting.add(three);
  assert.equal(awaiting.isPartDue(0), false);
  awaiting.place(three);
  assert.equal(awaiting.isPartDue(0), true);
});

test('a part takes what is placed, in the order in which entries began, and leaves the rest', () => {
  const awaiting = new AwaitingIndex();
  const [late, open, early] = [entry(3, partTargetBytes, true), entry(2, 10, false), entry(1, 10, true)];
  for (const each of [late, open, early]) awaiting.add(each);
  assert.equal(awaiting.isPartDue(0), true);
  assert.deepEqual(awaiting.take(), [early, late]);
  assert.deepEqual([awaiting.isPartDue(0), awaiting.isDue(0)], [false, false]);
  open.isPlaced = true;
  assert.deepEqual(awaiting.take(), [open]);
});
