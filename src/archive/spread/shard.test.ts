import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockBytes, patience, ShardFile } from '../../../test/archive/shard-files.ts';
import { HoldfastError } from '../../errors.ts';
import { Shard, type ShardPatience } from './shard.ts';

/** A shard of 9,000 blocks, each of which begins with its number in the file. */
function numbered(): ShardFile {
  const bytesAt = (offset: number) => {
    const blocks = Buffer.alloc(8 * blockBytes);
    for (let step = 0; step < 8; step += 1) blocks.writeUInt32LE(offset / blockBytes + step, step * blockBytes);
    return blocks;
  };
  return new ShardFile({ sizeBytes: 9000 * blockBytes, bytesAt });
}

function shardOf(access: ShardFile, more: Partial<ShardPatience> = {}): Shard {
  return new Shard({ access, label: 'near', index: 3 }, { ...patience, ...more });
}

function numbersIn(blocks: Buffer | undefined): number[] {
  assert.ok(blocks !== undefined);
  return Array.from({ length: blocks.length / blockBytes }, (_, step) => blocks.readUInt32LE(step * blockBytes));
}

test('rows are read from behind their leads, group by group', async () => {
  const access = numbered();
  const shard = shardOf(access);
  assert.deepEqual([shard.label, shard.index, shard.access], ['near', 3, access]);
  assert.deepEqual(numbersIn(await shard.rows(0, 2, true)), [2, 3]);
  assert.deepEqual(numbersIn(await shard.rows(4094, 5, false)), [4096, 4097, 4100, 4101, 4102]);
  assert.deepEqual(numbersIn(await shard.rows(8190, 3, false)), [8194, 8195, 8198]);
  // Each run of neighbours by one read.
  assert.deepEqual(access.reads, [
    [2, 2],
    [4096, 2],
    [4100, 3],
    [8194, 2],
    [8198, 1],
  ]);
});

test('bytes are read where they are asked for; behind the end are zeros', async () => {
  const shard = shardOf(new ShardFile(Buffer.from('abcdef')));
  assert.equal((await shard.bytes(2, 3, false))?.toString(), 'cde');
  assert.equal((await shard.bytes(4, 4, true))?.toString(), 'ef\0\0');
});

test('a storage that does not answer is asked once; what it said first is kept', async () => {
  const access = numbered();
  const shard = shardOf(access);
  const errors = [new HoldfastError('storage.unavailable'), new HoldfastError('storage.unauthorized')];
  access.onRead = () => {
    throw errors[access.reads.length - 1];
  };
  const both = await Promise.all([shard.rows(0, 1, true), shard.bytes(0, 1, false)]);
  assert.deepEqual(both, [undefined, undefined]);
  assert.equal(shard.failure?.error, errors[0]);
  assert.equal(access.reads.length, 2);
  for (const isPatient of [true, false]) {
    assert.equal(await shard.rows(0, 1, isPatient), undefined);
    assert.equal(await shard.bytes(0, 1, isPatient), undefined);
  }
  assert.equal(access.reads.length, 2);
});

test('a read that was interrupted is no failure of the storage', async () => {
  const access = numbered();
  const shard = shardOf(access);
  access.onRead = () => {
    throw new HoldfastError('operation.interrupted');
  };
  await assert.rejects(shard.rows(0, 1, true), { code: 'operation.interrupted' });
  await assert.rejects(shard.bytes(0, 1, false), { code: 'operation.interrupted' });
  assert.equal(shard.failure, undefined);
});

test('a shard that keeps others waiting is passed over from then on, but for who waits for it', async () => {
  const access = numbered();
  const pauses: number[] = [];
  const pause = async (durationMs: number) => {
    pauses.push(durationMs);
  };
  const shard = shardOf(access, { slowAfterMs: 77, pause });
  const gate = Promise.withResolvers<void>();
  access.onRead = () => gate.promise;
  assert.equal(await shard.rows(0, 1, false), undefined);
  assert.equal(shard.isSlow, true);
  assert.deepEqual(pauses, [77]);
  assert.equal(await shard.rows(0, 1, false), undefined);
  assert.equal(await shard.bytes(0, 1, false), undefined);
  assert.equal(access.reads.length, 1);
  const rows = shard.rows(1, 1, true);
  const bytes = shard.bytes(0, 4, true);
  assert.equal(access.reads.length, 3);
  gate.resolve();
  assert.deepEqual(numbersIn(await rows), [3]);
  assert.deepEqual(await bytes, Buffer.alloc(4));
  // Who is patient waits for no time to pass.
  assert.deepEqual(pauses, [77]);
});

test('a read that fails after it was passed over troubles nobody', async () => {
  const access = numbered();
  const shard = shardOf(access, { pause: async () => undefined });
  const gate = Promise.withResolvers<void>();
  access.onRead = () => gate.promise;
  assert.equal(await shard.bytes(0, 1, false), undefined);
  gate.reject(new HoldfastError('operation.interrupted'));
  // A rejection that nobody takes would fail this test.
  await new Promise((resolve) => setImmediate(resolve));
});

test('nobody goes on waiting for the time of a read that has ended', async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const pause = (_: number, signal?: AbortSignal) => {
    signals.push(signal);
    const { promise, reject } = Promise.withResolvers<never>();
    signal?.addEventListener('abort', () => reject(new HoldfastError('operation.interrupted')));
    return promise;
  };
  const access = numbered();
  const shard = shardOf(access, { pause });
  assert.deepEqual(numbersIn(await shard.rows(0, 1, false)), [2]);
  access.onRead = () => {
    throw new HoldfastError('operation.interrupted');
  };
  await assert.rejects(shard.rows(0, 1, false));
  assert.deepEqual(
    signals.map((signal) => signal?.aborted),
    [true, true],
  );
  assert.equal(shard.isSlow, false);
});

test('damaged rows are counted once each, however often they are read', () => {
  const shard = shardOf(numbered());
  shard.note(3, Uint8Array.of(1, 0, 0, 1));
  shard.note(4, Uint8Array.of(1, 0, 1, 0));
  assert.equal(shard.damagedCount, 3);
  assert.deepEqual(
    [...shard.seen.gaps(0, 10)],
    [
      { start: 0, end: 3 },
      { start: 8, end: 10 },
    ],
  );
  assert.deepEqual(
    [...shard.damaged.gaps(0, 10)],
    [
      { start: 0, end: 4 },
      { start: 6, end: 7 },
      { start: 8, end: 10 },
    ],
  );
});
