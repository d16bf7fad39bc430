import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import { archiveOf, bytesOf } from '../catalogue/catalogue-world.ts';

const name = 'daily/shop.holdfast';

test('of two archives of one name that may only be made the later one withdraws, and none hides the other', async () => {
  const members = ['a', 'b', 'c', 'd', 'e'].map((label) => ({ label, storage: new MemoryStorage() }));
  const make = () => new SpreadStorage({ shape: { data: 3, parity: 2 }, members });
  const storage = make();
  const [archive, newer] = [await archiveOf('one'), await archiveOf('two')];
  const open = async (bytes: Uint8Array) => {
    const writer = await make().writer(name, { copies: 1, createOnly: true });
    await writer.write(bytes);
    return writer;
  };
  const [slower, faster] = [await open(newer), await open(archive)];
  await faster.commit(async () => undefined);
  await assert.rejects(
    slower.commit(async () => undefined),
    { code: 'storage.conflict' },
  );
  await slower.abort();
  assert.ok(Buffer.from(await bytesOf(storage, name)).equals(archive));
  assert.equal((await storage.shardSets()).sets.length, 1);
  await storage.delete(name);
  const both = [await open(newer), await open(archive)];
  const results = await Promise.allSettled(both.map((writer) => writer.commit(async () => undefined)));
  const count = results.filter(({ status }) => status === 'fulfilled').length;
  assert.ok(count <= 1);
  assert.equal((await storage.shardSets()).sets.length, count);
});
