/** Archives over storages whose lists are not what they should be, or change meanwhile. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { scrubStorages } from '../../src/operation/scrub.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import type { StoredObject } from '../../src/storage/storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { listNames, putBytes, readAll } from '../../src/testing/storage-case.ts';
import { name, read, twoArchives, world, write } from './spread-world.ts';

let archive: Uint8Array;
let newer: Uint8Array;

before(async () => {
  [archive, newer] = await twoArchives();
});

class DoubledListing extends ForwardingStorage {
  override async *list(prefix?: string): AsyncIterable<StoredObject> {
    for await (const object of super.list(prefix)) yield* [object, object];
  }
}

test('a storage that lists each object twice has each shard once', async () => {
  const { storage } = world();
  await write(storage, archive);
  const { sizeBytes } = await storage.stat(name);
  const doubled = storage.members.map(({ label, storage: inner }) => ({ label, storage: new DoubledListing(inner) }));
  const again = new SpreadStorage({ shape: { data: 3, parity: 2 }, members: doubled });
  assert.equal((await again.stat(name)).sizeBytes, sizeBytes);
  assert.ok((await read(again)).equals(archive));
});

test('a scrub looks again at an archive that was being written, or removed', async () => {
  const { storage, inner } = world();
  await write(storage, archive);
  const other = new MemoryStorage();
  await putBytes(other, 'other.holdfast', newer);
  const scrubAfter = async (meanwhile: () => Promise<void>) => {
    const storages = [
      { name: 'spread', storage },
      { name: 'other', storage: other },
    ];
    let done: Promise<void> | undefined;
    // The other storage is looked at when the shards have been listed.
    const onArchive = (label: string) => {
      if (label === 'other') done ??= meanwhile();
    };
    const { archives } = await scrubStorages({ storages, onArchive, restoreMissing: false, threads: 0 });
    await done;
    return archives.map((one) => `${one.storage} ${one.state}`);
  };
  const shards = await Promise.all(inner.slice(0, 3).map(async (member) => await takeAway(member)));
  const putBack = async () => {
    for (const [index, shard] of shards.entries()) await putBytes(inner[index] as MemoryStorage, ...shard);
  };
  assert.deepEqual(await scrubAfter(putBack), ['spread intact', 'other intact']);
  for (const member of inner.slice(0, 3)) await takeAway(member);
  assert.deepEqual(await scrubAfter(() => storage.delete(name)), ['other intact']);
});

/** Removes the only object of a storage; gives its name and bytes. */
async function takeAway(storage: MemoryStorage): Promise<[string, Uint8Array]> {
  const [object = ''] = await listNames(storage);
  const opened = await storage.open(object);
  const bytes = Uint8Array.from(await readAll(opened));
  await opened.close();
  await storage.delete(object);
  return [object, bytes];
}
