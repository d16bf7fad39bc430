import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { ErrorCode } from '../../src/errors.ts';
import { HoldfastError } from '../../src/errors.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import type { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { parseShardName, shardName } from '../../src/storage/spread/shard-name.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import type { OpenedObject, StoredObject } from '../../src/storage/storage.ts';
import { ForwardingStorage, forwardReads } from '../../src/storage/wrap/forwarding-storage.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { listNames, putBytes, readAll } from '../../src/testing/storage-case.ts';
import { name, read, twoArchives, world, write } from './spread-world.ts';

let archive: Uint8Array;
let newer: Uint8Array;

before(async () => {
  [archive, newer] = await twoArchives();
});

async function objects(storage: SpreadStorage): Promise<StoredObject[]> {
  const all: StoredObject[] = [];
  for await (const object of storage.list()) all.push(object);
  return all;
}

const away = { callErrorRate: 1, readErrorRate: 1 };

describe('the name of a shard', () => {
  test('tells what it is of', () => {
    const one = { name: 'a/shop.holdfast', shape: { data: 3, parity: 2 }, tag: '0a1b2c3d' };
    assert.equal(shardName({ ...one, index: 1 }), 'a/shop.holdfast.3of5.0a1b2c3d.2');
    for (const index of [0, 4, 'gone'] as const)
      assert.deepEqual(parseShardName(shardName({ ...one, index })), { ...one, index });
    for (const no of [
      'shop.holdfast',
      'a.3of5.0a1b2c3d.6',
      'a.3of5.0a1b2c3d.0',
      'a.5of5.0a1b2c3d.1',
      'a.3of5.0a1b.1',
      '.3of5.0a1b2c3d.1',
    ]) {
      assert.equal(parseShardName(no), undefined, no);
    }
  });
});

describe('an archive over storages', () => {
  test('is one object, whose bytes come back', async () => {
    const { storage, inner } = world();
    const { stored, failed } = await write(storage, archive);
    assert.deepEqual(failed, []);
    assert.deepEqual(await objects(storage), [await storage.stat(name)]);
    assert.equal((await storage.stat(name)).sizeBytes, stored.sizeBytes);
    assert.ok((await read(storage)).equals(archive));
    assert.ok(
      stored.sizeBytes > (archive.length * 5) / 3 && stored.sizeBytes < (archive.length * 5) / 3 + 5 * 6 * 4096,
    );
    for (const one of inner) assert.equal((await listNames(one)).length, 1);
    assert.deepEqual(await listNames(storage, 'daily/'), [name]);
    assert.deepEqual(await listNames(storage, 'weekly/'), []);
    await storage.delete(name);
    await storage.delete(name);
    for (const one of inner) assert.deepEqual(await listNames(one), []);
    await assert.rejects(storage.open(name), { code: 'storage.not_found' });
  });

  test('any m storages may be away, and one more may not', async () => {
    const { storage, faulty } = world();
    await write(storage, archive);
    for (let first = 0; first < 5; first += 1) {
      for (let second = 0; second < first; second += 1) {
        for (const [index, one] of faulty.entries()) one.faults = [first, second].includes(index) ? away : {};
        assert.ok((await read(storage)).equals(archive));
        assert.deepEqual(await listNames(storage), [name]);
      }
    }
    for (const [index, one] of faulty.entries()) one.faults = index < 2 ? away : {};
    const report = await validateBackup({ archive: { storage, name }, level: 'structure', threads: 1 });
    assert.equal(report.state, 'repairable');
    assert.deepEqual(
      report.spread?.shards.map(({ state, error }) => [state, error?.code]),
      [
        ['unreadable', 'storage.unavailable'],
        ['unreadable', 'storage.unavailable'],
        ['intact', undefined],
        ['intact', undefined],
        ['intact', undefined],
      ],
    );
    for (const [index, one] of faulty.entries()) one.faults = index < 3 ? away : {};
    await assert.rejects(read(storage), { code: 'storage.unavailable' });
    await assert.rejects(listNames(storage), { code: 'storage.unavailable' });
  });

  test('a storage that answers late is used when it does, and in order where that is better', async () => {
    const { inner, storage } = world();
    await write(storage, archive);
    const { promise: answer, resolve: answerNow } = Promise.withResolvers<void>();
    class LateStorage extends ForwardingStorage {
      override async open(shard: string): Promise<OpenedObject> {
        await answer;
        return Object.assign(await super.open(shard), { isSequential: true });
      }
    }
    const members = inner.map((one, index) => ({
      label: `${index}`,
      storage: index === 1 ? new LateStorage(one) : one,
    }));
    const wait = async () => await setImmediate();
    const opened = await new SpreadStorage({ shape: storage.shape, members, wait }).open(name);
    const wrapped = forwardReads(opened, (plain) => plain());
    assert.ok(Buffer.from(await readAll(wrapped)).equals(archive));
    assert.ok(!wrapped.isSequential);
    answerNow();
    while (!wrapped.isSequential) await setImmediate();
    assert.ok(Buffer.from(await readAll(wrapped)).equals(archive));
    await wrapped.close();
  });

  test('any m shards may be lost, one more is refused, and named', async () => {
    const { storage, inner } = world();
    await write(storage, archive);
    for (const index of [1, 4]) await inner[index]?.delete((await listNames(inner[index] as MemoryStorage))[0] ?? '');
    assert.ok((await read(storage)).equals(archive));
    await inner[2]?.delete((await listNames(inner[2] as MemoryStorage))[0] ?? '');
    assert.deepEqual(await listNames(storage), []);
    const lost = {
      code: 'archive.damaged',
      message:
        /shop\.holdfast: 2 of the 3 shards that are needed are there: missing are 2 \(b\), 3 \(c\), 5 \(e\) of 5/,
    };
    await assert.rejects(read(storage), lost);
    await assert.rejects(storage.stat(name), lost);
    const { sets } = await storage.shardSets();
    assert.deepEqual(
      sets.map(({ shards }) => shards.map(({ index }) => index)),
      [[0, 3]],
    );
  });

  test('storages that fail while it is written do not stop it, up to m', async () => {
    const faults = [
      { callErrorRate: 1 },
      { writeFailure: { atByte: 0 } },
      { writeFailure: { atByte: 30_000 } },
      { commitFailure: { when: 'before' } },
      { bitRotRate: 1e-3 },
    ] as const;
    for (const [at, fault] of faults.entries()) {
      for (const count of [1, 2, 3]) {
        const { storage, faulty, inner } = world();
        for (const one of faulty.slice(5 - count)) one.faults = fault;
        if (count < 3) {
          const { failed } = await write(storage, archive);
          assert.deepEqual(failed, ['d', 'e'].slice(2 - count), `${at}`);
          for (const one of faulty) one.faults = {};
          assert.ok((await read(storage)).equals(archive));
          continue;
        }
        await assert.rejects(write(storage, archive), Error, `${at}`);
        for (const one of inner) assert.deepEqual(await listNames(one), [], `${at}`);
      }
    }
  });

  test('a check that fails, or an abort, leaves nothing', async () => {
    const { storage, inner } = world();
    const writer = await storage.writer(name, { copies: 1 });
    await writer.write(archive);
    await assert.rejects(
      writer.commit(async () => {
        throw new HoldfastError('archive.verify_failed');
      }),
      { code: 'archive.verify_failed' },
    );
    const other = await storage.writer(name, { copies: 1 });
    await other.write(archive.subarray(0, 100_001));
    await other.abort();
    await other.abort();
    for (const one of inner) assert.deepEqual(await listNames(one), []);
    await assert.rejects(storage.writer(name, { copies: 2 }), { code: 'usage.invalid' });
    await assert.rejects(write(storage, Buffer.from('text')), { code: 'archive.not_an_archive' });
    await assert.rejects(storage.writer('../x.holdfast', { copies: 1 }), { code: 'storage.unauthorized' });
  });

  test('nothing appears before the last shard was judged', async () => {
    const { storage, inner } = world();
    const writer = await storage.writer(name, { copies: 1 });
    await writer.write(archive);
    await writer.commit(async (stored) => {
      await readAll(stored);
      for (const one of inner) assert.deepEqual(await listNames(one), []);
    });
    for (const one of inner) assert.equal((await listNames(one)).length, 1);
  });

  test('a new one of the same name takes the place of the old one, wherever the writing ends', async () => {
    const { storage, inner, faulty, make } = world({ data: 3, parity: 1 });
    await write(storage, archive);
    for (const one of faulty.slice(2)) one.faults = { commitFailure: { when: 'before' } };
    await assert.rejects(write(make(), newer), HoldfastError);
    for (const one of faulty) one.faults = {};
    assert.ok((await read(storage)).equals(archive), 'too few took the new one');
    await write(make(), newer);
    assert.ok((await read(storage)).equals(newer));
    for (const one of inner) assert.equal((await listNames(one)).length, 1, 'the old one is gone');
    assert.equal((await objects(storage)).length, 1);
  });
});

test('a writing that dies after any step leaves the old archive or the new one', async () => {
  const shape = { data: 3, parity: 1 };
  const seen = new Set<string>();
  for (let steps = 0; steps <= 17; steps += 1) {
    const { storage, inner, make } = world(shape);
    await write(storage, archive);
    let left = steps;
    const step = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      left -= 1;
      // What is dead does nothing any more, not even tidy up.
      if (left < 0) throw new HoldfastError('storage.unavailable');
      return await work();
    };
    const members = inner.map((one) => {
      const dying = Object.create(one) as MemoryStorage;
      const writer: MemoryStorage['writer'] = async (object, options) => {
        const opened = await one.writer(object, options);
        const commit: typeof opened.commit = () => step(() => opened.commit());
        return { write: (bytes) => opened.write(bytes), commit, abort: async () => undefined };
      };
      return {
        label: '',
        storage: Object.assign(dying, {
          properties: one.properties,
          list: (prefix?: string) => one.list(prefix),
          writer,
          delete: (object: string) => step(() => one.delete(object)),
        }),
      };
    });
    const dying = new SpreadStorage({ shape, members, random: new SeededRandom(99) });
    const writer = await dying.writer(name, { copies: 1 });
    await writer.write(newer);
    await writer.commit().catch(() => undefined);
    const bytes = await read(storage);
    const is = bytes.equals(archive) ? 'old' : bytes.equals(newer) ? 'new' : 'broken';
    seen.add(is);
    assert.notEqual(is, 'broken', `${steps}`);
    assert.equal((await objects(storage)).length, 1, `${steps}`);
    await write(make(), archive);
    assert.ok((await read(storage)).equals(archive), `${steps}`);
    for (const one of inner) assert.equal((await listNames(one)).length, 1, `${steps}`);
  }
  assert.deepEqual([...seen].sort(), ['new', 'old']);
});

describe('a deletion', () => {
  test('that a storage misses hides the archive, and a later writer ends it', async () => {
    const { storage, inner, faulty, make } = world();
    await write(storage, archive);
    for (const one of faulty.slice(0, 2)) one.faults = away;
    await assert.rejects(storage.delete(name), { code: 'storage.unavailable' });
    for (const one of faulty) one.faults = {};
    assert.deepEqual(await listNames(storage), []);
    await assert.rejects(storage.open(name), { code: 'storage.not_found' });
    assert.equal(await storage.removeLeftovers(), 1);
    for (const one of inner) assert.deepEqual(await listNames(one), []);
    await write(make(), newer);
    assert.ok((await read(storage)).equals(newer));
  });

  test('that dies after any step leaves the archive whole, or gone', async () => {
    for (let steps = 0; steps < 16; steps += 1) {
      const { storage, inner, make } = world();
      await write(storage, archive);
      let left = steps;
      const dying = inner.map((one) => {
        const step = async <Result>(work: () => Promise<Result>): Promise<Result> => {
          left -= 1;
          if (left < 0) throw new HoldfastError('storage.unavailable');
          return await work();
        };
        return {
          label: '',
          storage: Object.assign(Object.create(one) as MemoryStorage, {
            properties: one.properties,
            list: (prefix?: string) => one.list(prefix),
            writer: (object: string, options: { copies: number }) => step(() => one.writer(object, options)),
            delete: (object: string) => step(() => one.delete(object)),
          }),
        };
      });
      const died = await new SpreadStorage({ shape: storage.shape, members: dying }).delete(name).then(
        () => false,
        () => true,
      );
      assert.equal(died, steps < 15, `${steps}`);
      const names = await listNames(storage);
      if (names.length > 0) {
        assert.ok((await read(storage)).equals(archive), `${steps}`);
        assert.equal(steps, 0);
      }
      await write(make(), newer);
      assert.ok((await read(storage)).equals(newer));
      for (const one of inner) assert.equal((await listNames(one)).length, 1, `${steps}`);
    }
  });
});

describe('a rebuild', () => {
  test('makes lost and damaged shards anew, byte for byte', async () => {
    const { storage, inner } = world();
    await write(storage, archive);
    const shards = await Promise.all(
      inner.map(async (one) => {
        const [object = ''] = await listNames(one);
        return { object, bytes: Buffer.from(await readAll(await one.open(object))) };
      }),
    );
    await inner[0]?.delete(shards[0]?.object ?? '');
    const damaged = Buffer.from(shards[4]?.bytes ?? []);
    damaged.fill(0, 9000, 20_000);
    await putBytes(inner[4] as MemoryStorage, shards[4]?.object ?? '', damaged);
    assert.deepEqual(
      (await storage.rebuild(name, [0, 4])).map(({ index, error }) => [index, error]),
      [
        [0, undefined],
        [4, undefined],
      ],
    );
    for (const [index, one] of inner.entries()) {
      assert.deepEqual(await listNames(one), [shards[index]?.object]);
      assert.ok(
        Buffer.from(await readAll(await one.open(shards[index]?.object ?? ''))).equals(shards[index]?.bytes as Buffer),
      );
    }
  });

  test('is refused where the others do not give all', async () => {
    const { storage, inner } = world({ data: 3, parity: 1 });
    await write(storage, archive);
    for (const index of [0, 1]) {
      const one = inner[index] as MemoryStorage;
      const [object = ''] = await listNames(one);
      const bytes = Buffer.from(await readAll(await one.open(object)));
      bytes.fill(0, 5 * 4096, 6 * 4096);
      await putBytes(one, object, bytes);
    }
    await assert.rejects(storage.rebuild(name, [3]), { code: 'archive.damaged' });
  });
});

describe('what is no archive', () => {
  test('stands whole on each storage', async () => {
    const { storage, inner, faulty } = world();
    await putBytes(storage, 'shop.holdfast.pin', Buffer.from('pinned'));
    for (const one of inner) assert.deepEqual(await listNames(one), ['shop.holdfast.pin']);
    for (const one of faulty.slice(0, 3)) one.faults = away;
    await assert.rejects(putBytes(storage, 'other.pin', Buffer.from('pinned')), { code: 'storage.unavailable' });
    for (const one of faulty.slice(0, 4)) one.faults = away;
    assert.equal((await storage.stat('shop.holdfast.pin')).sizeBytes, 6);
    assert.equal((await readAll(await storage.open('shop.holdfast.pin'))).length, 6);
    for (const one of faulty) one.faults = {};
    await storage.delete('other.pin');
    assert.deepEqual(await listNames(storage), ['shop.holdfast.pin']);
    await storage.delete('shop.holdfast.pin');
    assert.deepEqual(await listNames(storage), []);
    const code: ErrorCode = 'storage.not_found';
    await assert.rejects(storage.stat('shop.holdfast.pin'), { code });
  });
});
