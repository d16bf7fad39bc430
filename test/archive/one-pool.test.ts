/** Several archives on the threads of one pool: each is what it would be alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockStore } from '../../src/archive/heal/block-store.ts';
import { sweep } from '../../src/archive/heal/sweep.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { memoryRandomAccess } from '../../src/testing/index.ts';
import { judge, makeSubject, type Subject } from '../damage/subject.ts';

/** Of different keys, shapes and sizes. */
const shapes = [
  { name: 'one', seed: 1, sizeBytes: 300_000, copies: 1 },
  { name: 'two', seed: 2, sizeBytes: 900_000, copies: 2, dataBlocks: 10, parityBlocks: 3 },
];

for (const threads of [0, 2]) {
  test(`with ${threads} threads archives are written, read and healed at once as one after the other`, async () => {
    const pool = new WorkerPool(threads);
    try {
      const alone: Subject[] = [];
      for (const shape of shapes) alone.push(await makeSubject(pool, shape));
      const swept = async ({ bytes }: Subject) => {
        const damaged = memoryRandomAccess(Uint8Array.from(bytes).fill(0, 20_000, 26_000));
        return (await sweep({ store: await BlockStore.open({ sources: [damaged], workers: pool }) })).tally;
      };
      const tallies = [];
      for (const subject of alone) tallies.push(await swept(subject));
      const writing = Promise.all(shapes.map((shape) => makeSubject(pool, shape)));
      const reading = Promise.all(alone.map((subject) => judge(pool, subject, [subject.bytes])));
      const sweeping = Promise.all(alone.map(swept));
      for (const [index, { bytes }] of (await writing).entries()) {
        assert.ok(Buffer.from(bytes).equals(alone[index]?.bytes ?? new Uint8Array()), `${shapes[index]?.name}`);
      }
      assert.deepEqual(
        (await reading).map(({ kind }) => kind),
        shapes.map(() => 'recovered'),
      );
      assert.deepEqual(await sweeping, tallies);
    } finally {
      await pool.close();
    }
  });
}
