import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { blockAt, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import type { SolveTask } from '../worker/protocol.ts';
import type { ArchiveWorkers } from '../worker/worker-pool.ts';
import { payloadSizeBytes } from './geometry.ts';
import { Healer } from './healer.ts';
import { solveStripe } from './solve.ts';

const header = plainHeader(1, { dataBlocks: 2, parityBlocks: 2 });
/** Two full bands of 128 data blocks in 64 stripes of two, and one of 5 blocks in 8 stripes. */
const copy = plainCopy(261, header);
const { layout } = copy;
const setup = {
  archiveId: header.archiveId,
  shape: header,
  codec: 'none',
  seal: undefined,
  totalDataBlocks: 261,
} as const;

/** A healer over readings in which some positions are missing or zeroed, and what it was seen to do. */
function healerOf(options: {
  readonly zeroed?: readonly number[][];
  readonly missing?: readonly number[][];
  readonly threads?: number;
}) {
  const { zeroed = [[]], missing = [] } = options;
  const tasks: SolveTask[] = [];
  const reads: [layer: number, position: number][] = [];
  let running = 0;
  let mostRunning = 0;
  const workers = {
    threadCount: options.threads ?? 1,
    run: async (_: 'solve', task: SolveTask) => {
      tasks.push(task);
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      await setImmediate();
      running -= 1;
      return solveStripe(task, setup, layout);
    },
  } as unknown as ArchiveWorkers;
  const healer = new Healer({
    layout,
    layers: zeroed.length,
    workers,
    has: (layer, position) => missing[layer]?.includes(position) !== true,
    read: async (layer, position, into) => {
      reads.push([layer, position]);
      assert.equal(into.length, 4096);
      for (let turn = 0; turn < 3; turn++) await setImmediate();
      if (zeroed[layer]?.includes(position) !== true) into.set(blockAt(copy.bytes, position));
    },
  });
  return { healer, tasks, reads, mostRunning: () => mostRunning };
}

function payloadOf(number: number): Uint8Array {
  return Uint8Array.from(copy.stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes));
}

const positionsOf = (...numbers: number[]) => numbers.map((number) => layout.dataPosition(number));

test('the outline of this test', () => {
  assert.deepEqual(
    [0, 1, 2].map((band) => layout.bandGeometry(band).stripes),
    [64, 64, 8],
  );
  assert.deepEqual(
    [0, 1, 2].map((band) => layout.bandFirstData(band)),
    [0, 128, 256],
  );
});

test('a stripe is its data blocks, and its parity row by row, of each reading', async () => {
  // Data block 130 is the third of band 1: with block 194 in its stripe 2.
  const { healer, tasks, reads } = healerOf({ zeroed: [positionsOf(130), positionsOf(130)] });
  assert.deepEqual(await healer.heal([130]), new Map([[130, payloadOf(130)]]));
  const positions = [...positionsOf(130, 194), layout.parityPosition(1, 2), layout.parityPosition(1, 66)];
  assert.deepEqual(
    reads,
    [0, 1].flatMap((layer) => positions.map((position) => [layer, position])),
  );
  assert.equal(tasks.length, 1);
  const { blocks, ...task } = tasks[0]!;
  assert.deepEqual(task, { positions, dataCount: 2, parityRows: 2, layers: 2, present: new Uint8Array(8).fill(1) });
  assert.equal(blocks.length, 8 * 4096);
});

test('of a short band the stripes are as long as they are', async () => {
  for (const number of [256, 258, 260]) {
    const { healer, tasks } = healerOf({ zeroed: [positionsOf(number)] });
    assert.deepEqual(await healer.heal([number]), new Map([[number, payloadOf(number)]]));
    assert.equal(tasks[0]?.dataCount, 1);
    assert.deepEqual(tasks[0].positions, [
      layout.dataPosition(number),
      layout.parityPosition(2, number - 256),
      layout.parityPosition(2, 8 + number - 256),
    ]);
  }
});

test('what a reading does not have is not read', async () => {
  const [first, second] = positionsOf(3, 67) as [number, number];
  const { healer, tasks, reads } = healerOf({ zeroed: [[], []], missing: [[first], [first, second]] });
  assert.deepEqual(await healer.heal([3]), new Map([[3, payloadOf(3)]]));
  assert.deepEqual([...(tasks[0]?.present ?? [])], [0, 1, 1, 1, 0, 0, 1, 1]);
  const parity = [layout.parityPosition(0, 3), layout.parityPosition(0, 67)];
  assert.deepEqual(reads, [[0, second], ...parity.map((at) => [0, at]), ...parity.map((at) => [1, at])]);
});

test('blocks of many stripes are healed at once; what is lost, or was intact, is undefined', async () => {
  const lost = [5, 69];
  const zeroed = [...positionsOf(0, 1, 64, 200, ...lost), layout.parityPosition(0, 5)];
  const { healer, tasks } = healerOf({ zeroed: [zeroed] });
  const healed = await healer.heal([0, 1, 64, 200, ...lost, 7]);
  assert.deepEqual(
    healed,
    new Map<number, Uint8Array | undefined>([
      [0, payloadOf(0)],
      [64, payloadOf(64)],
      [1, payloadOf(1)],
      [200, payloadOf(200)],
      [5, undefined],
      [69, undefined],
      [7, undefined],
    ]),
  );
  // Blocks 0 and 64 are of one stripe, 5 and 69 of another.
  assert.equal(tasks.length, 5);
});

test('a stripe is solved once while its band or the one after it is worked on', async () => {
  const { healer, tasks } = healerOf({});
  const solvedFor = async (...numbers: number[]) => {
    const before = tasks.length;
    await healer.heal(numbers);
    return tasks.length - before;
  };
  assert.equal(await solvedFor(0, 64, 1), 2);
  assert.equal(await solvedFor(0, 65), 0);
  // At the border of two bands work goes to and fro.
  assert.equal(await solvedFor(128), 1);
  assert.equal(await solvedFor(0, 128), 0);
  assert.equal(await solvedFor(128, 192), 0);
  // A third band lets go of the first.
  assert.equal(await solvedFor(256), 1);
  assert.equal(await solvedFor(128, 256), 0);
  assert.equal(await solvedFor(256), 0);
  assert.equal(await solvedFor(0), 1);
});

test('no more stripes are solved at once than threads can work on, and one more', async () => {
  for (const threads of [1, 2]) {
    const { healer, mostRunning, tasks } = healerOf({ threads });
    await healer.heal([0, 1, 2, 3, 4, 5, 6, 7]);
    assert.equal(tasks.length, 8);
    assert.equal(mostRunning(), threads + 1);
  }
});
