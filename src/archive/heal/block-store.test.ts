import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openSample, readAll, type Sample, sampleHeader, writeSample } from '../../../test/archive/write-sample.ts';
import { SeededRandom } from '../../testing/index.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import { blockSizeBytes } from './geometry.ts';

const workers = new WorkerPool(1);
after(() => workers.close());

const entries = [3000, 150_000, 40_000].map((sizeBytes, index) => {
  return { path: `e/${index}`, bytes: new SeededRandom(index).bytes(sizeBytes) };
});

function write(copies: number): Promise<Sample> {
  return writeSample({ workers, header: sampleHeader(5, { copies, segmentSizeBytes: 10_000 }), entries });
}

/** The sample with blocks of a copy zeroed, by their positions. */
function without({ bytes, layout, dataKey }: Sample, copy: number, positions: readonly number[]) {
  const damaged = bytes.slice();
  for (const position of positions) {
    const start = (copy * layout.totalBlocks + position) * blockSizeBytes;
    damaged.fill(0, start, start + blockSizeBytes);
  }
  return { bytes: damaged, dataKey };
}

async function assertReads(sample: Parameters<typeof openSample>[1]) {
  const reader = await openSample(workers, sample);
  const all = await readAll(reader);
  assert.ok(all.every(({ bytes }, index) => bytes.equals(entries[index]?.bytes ?? Buffer.of())));
  return reader;
}

test('each lost block of data comes back, from the other copy or from parity', async () => {
  for (const copies of [1, 2]) {
    const sample = await write(copies);
    const whole = await assertReads(sample);
    assert.equal(whole.store.inPlace, true);
    assert.equal(whole.store.healed.size, 0);
    for (let number = 0; number < sample.layout.totalDataBlocks; number++) {
      const position = sample.layout.dataPosition(number);
      const reader = await assertReads(without(sample, 0, [position]));
      assert.equal(reader.store.inPlace, true);
      assert.deepEqual([...reader.store.healed], [number], `block ${number} of ${copies} copies`);
    }
  }
});

test('as many as there is parity come back, wherever they are, and what was moved is told', async () => {
  const sample = await write(1);
  const { layout, bytes, dataKey } = sample;
  for (let number = 0; number + 3 <= layout.totalDataBlocks; number += 3) {
    const positions = [0, 1, 2].map((step) => layout.dataPosition(number + step));
    await assertReads(without(sample, 0, positions));
  }
  const moved = Buffer.concat([bytes.subarray(0, 8000), Buffer.alloc(100), bytes.subarray(8000)]);
  const reader = await assertReads({ bytes: new Uint8Array(moved), dataKey });
  assert.equal(reader.store.inPlace, false);
});
