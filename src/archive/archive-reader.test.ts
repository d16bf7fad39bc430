import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { listEntries, openSample, sampleHeader, writeSample } from '../../test/archive/write-sample.ts';
import { WorkerPool } from './worker/worker-pool.ts';

const workers = new WorkerPool(1);
after(() => workers.close());

test('entries that are read one after the other, to their end or not, use the same memory', async () => {
  const entries = Array.from({ length: 12 }, (_, index) => ({
    path: `files/${index}`,
    bytes: Buffer.alloc(5000, index),
  }));
  const reader = await openSample(workers, await writeSample({ workers, header: sampleHeader(7), entries }));
  const seen = new Set<ArrayBufferLike>();
  for (const [index, entry] of (await listEntries(reader)).entries()) {
    for await (const chunk of reader.read(entry)) {
      seen.add(chunk.buffer);
      if (index % 2 === 0) break;
    }
  }
  assert.ok(seen.size <= 2, `${seen.size} buffers`);
});
