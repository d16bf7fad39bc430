import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParityAccumulator } from '../heal/parity-accumulator.ts';
import { SpareAccumulators, TaskRunner } from './task-runner.ts';

const shape = { dataBlocks: 4, parityBlocks: 2 };
const other = { dataBlocks: 5, parityBlocks: 2 };

test('a spare accumulator serves once, for its own shape', () => {
  const spare = new SpareAccumulators();
  assert.equal(spare.take(shape), undefined);
  const [first, second] = [new ParityAccumulator(shape), new ParityAccumulator(other)];
  spare.giveBack(first);
  spare.giveBack(second);
  assert.equal(spare.take(other), second);
  assert.equal(spare.take(other), undefined);
  assert.equal(spare.take(shape), first);
  assert.equal(spare.take(shape), undefined);
});

test('four are kept, those that came last', () => {
  const spare = new SpareAccumulators();
  const [first, ...later] = Array.from({ length: 5 }, () => new ParityAccumulator(shape));
  assert.ok(first);
  for (const accumulator of [first, ...later]) spare.giveBack(accumulator);
  const kept = Array.from({ length: 5 }, () => spare.take(shape));
  assert.deepEqual(
    kept.map((one) => (one === undefined ? -1 : later.indexOf(one))),
    [0, 1, 2, 3, -1],
  );
});

test('the accumulator of an archive that is not made any more is spare', () => {
  const spare = new SpareAccumulators();
  const runner = new TaskRunner(spare);
  const input = {
    archiveId: new Uint8Array(16),
    shape,
    codec: 'none' as const,
    seal: undefined,
    totalDataBlocks: undefined,
  };
  const frame = { pieces: [], count: 0, lost: false, firstPosition: 0, firstIndex: 0, blocks: new Uint8Array(0) };
  for (const archive of [1, 2, 3]) runner.run({ name: 'configure', archive, input });
  for (const archive of [1, 2]) runner.run({ name: 'frame', archive, input: frame });
  assert.equal(spare.take(shape), undefined, 'it is in use');
  runner.run({ name: 'resetParity', archive: 1, input: undefined });
  const first = spare.take(shape);
  assert.ok(first);
  runner.run({ name: 'resetParity', archive: 1, input: undefined });
  assert.equal(spare.take(shape), undefined, 'it is given back once');
  spare.giveBack(first);
  runner.endParity();
  assert.deepEqual([spare.take(shape) === first, spare.take(shape) !== undefined], [true, true]);
  assert.equal(spare.take(shape), undefined);
});
