/** Archives of one name that are written to storages at the same time. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { HoldfastError } from '../../src/errors.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import type { StoredObject } from '../../src/storage/storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { listNames, putBytes } from '../../src/testing/storage-case.ts';
import { name, read, twoArchives, world, write } from './spread-world.ts';

let archive: Uint8Array;
let newer: Uint8Array;

before(async () => {
  [archive, newer] = await twoArchives();
});

test('of two that are written at once one stands, and the other writer is told', async () => {
  for (const seed of [1, 2, 3]) {
    const { inner, storage } = world();
    let isArmed = false;
    let arrivals = 0;
    const allHere = Promise.withResolvers<void>();
    /** Lists nothing before both writers have put their shards in place, and want to see those of the other. */
    class MeetingStorage extends ForwardingStorage {
      override async *list(prefix?: string): AsyncIterable<StoredObject> {
        arrivals += isArmed ? 1 : 0;
        if (arrivals === 2 * inner.length) allHere.resolve();
        if (isArmed) await allHere.promise;
        yield* super.list(prefix);
      }
    }
    const members = storage.members.map((member) => ({ ...member, storage: new MeetingStorage(member.storage) }));
    const open = async (bytes: Uint8Array, random: SeededRandom) => {
      const writer = await new SpreadStorage({ shape: storage.shape, members, random }).writer(name, { copies: 1 });
      await writer.write(bytes);
      return writer;
    };
    const texts = [archive, newer];
    const writers = await Promise.all(texts.map((bytes, index) => open(bytes, new SeededRandom(10 * seed + index))));
    isArmed = true;
    const results = await Promise.allSettled(writers.map((writer) => writer.commit(async () => undefined)));
    for (const writer of writers) await writer.abort();
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    assert.equal(refused.length, 1, `${refused.length} were refused`);
    assert.ok(refused[0] instanceof HoldfastError && refused[0].code === 'storage.conflict', String(refused[0]));
    const winner = texts[results.findIndex(({ status }) => status === 'fulfilled')] ?? assert.fail();
    assert.ok((await read(storage)).equals(winner));
    for (const one of inner) assert.equal((await listNames(one)).length, 1);
  }
});

test('shards of a writing that is not through stay, until it has got no more for the whole of another one', async () => {
  const { inner, storage, make } = world();
  await write(storage, archive);
  const writer = await make().writer(name, { copies: 1 });
  await writer.write(newer);
  const shard = `${name}.3of5.0a1b2c3d.1`;
  const first = inner[0] ?? assert.fail();
  await putBytes(first, shard, archive.subarray(0, 4096));
  await writer.commit(async () => undefined);
  assert.ok((await read(storage)).equals(newer));
  assert.equal((await listNames(first)).length, 2, 'the old archive is gone, the shard is not');
  assert.ok((await listNames(first)).includes(shard));
  await write(make(), archive);
  assert.equal((await listNames(first)).length, 1);
});
