import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockAt, type PlainCopy, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { WorkerSetup } from '../worker/protocol.ts';
import { blockSizeBytes, frameSizeBytes, payloadSizeBytes } from './geometry.ts';
import { solveStripe } from './solve.ts';

const header = plainHeader(1, { dataBlocks: 3, parityBlocks: 2 });
/** Headers 0 to 2, data 3 to 5, parity 6 and 7: one stripe. The second payload begins with a zero, as a block that is lost does. */
const copy = plainCopy(
  3,
  header,
  new SeededRandom(9).bytes(3 * payloadSizeBytes).fill(0, payloadSizeBytes, payloadSizeBytes + 1),
);
const positions = [3, 4, 5, 6, 7];
const setup: WorkerSetup = {
  archiveId: header.archiveId,
  shape: header,
  codec: 'none',
  seal: undefined,
  totalDataBlocks: 3,
};
const noise = new SeededRandom(77);

/** How one reading has the stripe: what it makes of each block; undefined where it has none. */
type Reading = (block: Buffer, index: number) => Uint8Array | undefined;

const whole: Reading = (block) => block;
const blank = () => new Uint8Array(blockSizeBytes);
const garbage = () => noise.bytes(blockSizeBytes);

/** The block with these bytes of its payload wrong. */
function wrongAt(block: Uint8Array, ...offsets: number[]): Uint8Array {
  const wrong = Uint8Array.from(block);
  for (const offset of offsets) wrong[frameSizeBytes + offset]! ^= 0x55;
  return wrong;
}

function solve(readings: readonly Reading[], { bytes, layout }: PlainCopy = copy) {
  const blocks = Buffer.alloc(readings.length * positions.length * blockSizeBytes);
  const present = new Uint8Array(readings.length * positions.length);
  for (const [layer, reading] of readings.entries()) {
    for (const [index, position] of positions.entries()) {
      const slot = layer * positions.length + index;
      const block = reading(blockAt(bytes, position), index);
      if (block === undefined) blockAt(bytes, position).copy(blockAt(blocks, slot));
      else blocks.set(block, slot * blockSizeBytes);
      present[slot] = block === undefined ? 0 : 1;
    }
  }
  const task = { positions, dataCount: 3, parityRows: 2, blocks, layers: readings.length, present };
  const { solved } = solveStripe(task, setup, layout);
  blocks.fill(0xdd);
  return solved;
}

function payloadOf(index: number): Uint8Array {
  return Uint8Array.from(copy.stream.subarray(index * payloadSizeBytes, (index + 1) * payloadSizeBytes));
}

function solvedAs(...indexes: number[]) {
  return indexes.map((index) => ({ index, payload: payloadOf(index) }));
}

/** A reading in which some blocks are as `damage` has them. */
function except(indexes: readonly number[], damage: (block: Buffer) => Uint8Array | undefined): Reading {
  return (block, index) => (indexes.includes(index) ? damage(block) : block);
}

test('blocks that some reading has intact are not given back', () => {
  assert.deepEqual(solve([whole]), []);
  assert.deepEqual(solve([except([0, 1, 2, 3, 4], garbage), whole]), []);
  assert.deepEqual(solve([except([0, 3], garbage), except([1, 2, 4], garbage)]), []);
});

test('what no reading has is solved, as much as there is parity', () => {
  for (const lost of [[0], [1], [2], [0, 1], [0, 2], [1, 2]]) {
    assert.deepEqual(solve([except(lost, blank), except(lost, garbage)]), solvedAs(...lost), `${lost}`);
  }
  assert.deepEqual(solve([except([0, 1, 4], blank)]), [
    { index: 0, payload: undefined },
    { index: 1, payload: undefined },
  ]);
});

test('what a reading does not have is not looked at, though something stands there', () => {
  assert.deepEqual(solve([except([0, 3], () => undefined)]), solvedAs(0));
});

test('a whole block of another position is not intact', () => {
  const other = blockAt(copy.bytes, 5);
  assert.deepEqual(solve([except([0], () => other)]), solvedAs(0));
});

test('damaged copies are put together where parity is of no use', () => {
  for (const index of [0, 1, 2]) {
    const first: Reading = (block, at) => (at === index ? wrongAt(block, 1, 2000) : at > 2 ? garbage() : block);
    const second: Reading = (block, at) => (at === index ? wrongAt(block, 0, 4031) : at > 2 ? garbage() : block);
    assert.deepEqual(solve([first, second]), solvedAs(index), `block ${index}`);
  }
});

test('four damaged copies are looked at, and zeros are none', () => {
  const parts: Reading[] = [except([1], (block) => wrongAt(block, 1, 2)), except([1], (block) => wrongAt(block, 3, 4))];
  const withoutParity =
    (reading: Reading): Reading =>
    (block, index) =>
      index > 2 ? garbage() : reading(block, index);
  const solveOne = (...others: (() => Uint8Array)[]) =>
    solve([...others.map((damage) => except([1], damage)), ...parts].map(withoutParity));
  assert.deepEqual(solveOne(garbage, garbage), solvedAs(1));
  assert.deepEqual(solveOne(garbage, garbage, garbage), [{ index: 1, payload: undefined }]);
  assert.deepEqual(solveOne(blank, garbage, blank, blank, garbage, blank), solvedAs(1));
});
