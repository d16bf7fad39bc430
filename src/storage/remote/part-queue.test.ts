import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { type Part, PartQueue } from './part-queue.ts';

test('parts have their sizes and hold what was appended, sent side by side with a bound', async () => {
  const random = new SeededRandom(1);
  const bytes = random.bytes(100_000);
  const sent = new Map<number, Uint8Array>();
  const buffers = new Set<ArrayBufferLike>();
  let flying = 0;
  let most = 0;
  const send = async ({ index, offset, bytes: part }: Part) => {
    most = Math.max(most, ++flying);
    buffers.add(part.buffer);
    for (let turn = 0; turn < random.integer(20); turn += 1) await new Promise(setImmediate);
    assert.equal(Buffer.compare(part, bytes.subarray(offset, offset + part.length)), 0);
    sent.set(index, part.slice());
    flying -= 1;
  };
  const queue = new PartQueue({ partBytes: (index) => (index < 20 ? 1000 : 3000), inFlight: () => 3, send });
  for (let offset = 0; offset < bytes.length; ) {
    const chunk = bytes.slice(offset, offset + random.integer(4000));
    await queue.append(chunk);
    offset += chunk.length;
    chunk.fill(0);
  }
  await queue.finish();
  const parts = Array.from({ length: queue.partCount }, (_, index) => sent.get(index) ?? new Uint8Array(0));
  assert.equal(Buffer.compare(Buffer.concat(parts), bytes), 0);
  assert.equal(queue.sizeBytes, bytes.length);
  assert.deepEqual([parts[0]?.length, parts[19]?.length, parts[20]?.length], [1000, 1000, 3000]);
  assert.equal(most, 3);
  // Three on their way and one that fills, of each size.
  assert.ok(buffers.size <= 8, String(buffers.size));
});

test('the first failure ends it, after what was on its way', async () => {
  let sent = 0;
  const failure = new Error('failed');
  const send = async ({ index }: Part) => {
    sent += 1;
    await new Promise(setImmediate);
    if (index === 1) throw failure;
  };
  const queue = new PartQueue({ partBytes: () => 10, inFlight: () => 2, send });
  await assert.rejects(async () => {
    for (let round = 0; round < 100; round += 1) await queue.append(new Uint8Array(10));
  }, failure);
  await assert.rejects(queue.append(new Uint8Array(1)), failure);
  await assert.rejects(queue.finish(), failure);
  assert.ok(sent < 6, String(sent));
});

test('the last part can be kept back, also where it is empty', async () => {
  for (const [appended, expected] of [
    [25, 5],
    [20, 0],
    [0, 0],
  ] as const) {
    const offsets: number[] = [];
    const queue = new PartQueue({
      partBytes: () => 10,
      inFlight: () => 1,
      send: async (part) => void offsets.push(part.offset),
    });
    await queue.append(new Uint8Array(appended));
    const last = await queue.finishExceptLast();
    assert.deepEqual([last.bytes.length, last.offset], [expected, appended - expected]);
    assert.equal(offsets.length, Math.floor(appended / 10));
  }
});
