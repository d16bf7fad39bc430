/** How large an archive over shards is said to be, and by whom it is believed. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { blockSizeBytes } from '../../src/archive/heal/geometry.ts';
import { headBlock, shardRows } from '../../src/archive/spread/shard-format.ts';
import { SpreadAccess } from '../../src/archive/spread/spread-access.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../src/errors.ts';
import { makeSubject, type Subject } from '../damage/subject.ts';
import { join, sourcesOf, spread } from './spread-shards.ts';

const workers = new WorkerPool(1);
let subject: Subject;

before(async () => {
  const options = { name: 'spread', copies: 1, dataBlocks: 5, parityBlocks: 2 };
  subject = await makeSubject(workers, { ...options, seed: 1, sizeBytes: 300_000 });
});
after(() => workers.close());

describe('the size of an archive over shards', () => {
  test('shards that are all cut short are no shorter archive', async () => {
    const found = { itsLength: 0, refused: 0 };
    for (const data of [2, 3, 5, 8]) {
      const shape = { data, parity: 2 };
      const shards = spread(subject.bytes, shape);
      const blocks = (shards[data]?.length ?? 0) / blockSizeBytes;
      for (let lostBlocks = 3; lostBlocks < blocks; lostBlocks += 1) {
        const cut = shards.map((shard) => shard.subarray(0, -lostBlocks * blockSizeBytes));
        try {
          const { sizeBytes } = await SpreadAccess.open({ shards: sourcesOf(cut), shape });
          assert.equal(sizeBytes, subject.bytes.length);
          found.itsLength += 1;
        } catch (error) {
          assert.ok(error instanceof HoldfastError && error.code === 'archive.damaged', String(error));
          found.refused += 1;
        }
      }
    }
    assert.ok(found.itsLength > 20 && found.refused > 20, JSON.stringify(found));
  });

  test('an archive is no larger than its shards can be', async () => {
    const shape = { data: 3, parity: 2 };
    const archiveId = new Uint8Array(subject.bytes.subarray(0, 16));
    const shards = spread(subject.bytes, shape);
    const rows = shardRows(shape, 0, subject.bytes.length / blockSizeBytes);
    const forge = (index: number) => {
      const shard = shards[index] as Buffer;
      headBlock({ archiveId, shape, index, totalBlocks: 2 ** 40 }, rows).copy(shard, shard.length - 2 * blockSizeBytes);
    };
    for (const index of [0, 1, 2, 3, 4]) {
      forge(index);
      assert.ok((await join(shards)).equals(subject.bytes));
    }
  });
});
