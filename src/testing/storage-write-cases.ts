import assert from 'node:assert/strict';
import { HoldfastError } from '../errors.ts';
import type { Storage, StorageWriter } from '../storage/storage.ts';
import { createOnlyStorage } from '../storage/wrap/create-only.ts';
import { SeededRandom } from './seeded-random.ts';
import {
  assertAbsent,
  assertCode,
  bytesOf,
  get,
  listAll,
  listNames,
  objectName,
  put,
  readAll,
  type StorageCase,
  storageCase,
} from './storage-case.ts';

/** What the commit of a writer must leave alone, and what it must change. */
const commitCases: readonly StorageCase[] = [
  storageCase('an object appears at commit, not before', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 1 });
    await writer.write(bytesOf('one '));
    await assertAbsent(storage, objectName);
    await writer.write(bytesOf('two'));
    await assertAbsent(storage, objectName);
    const stored = await writer.commit();
    assert.equal(stored.name, objectName);
    assert.equal(stored.sizeBytes, 7);
    assert.deepEqual(await storage.stat(objectName), stored);
    assert.deepEqual(await listAll(storage), [stored]);
    assert.equal(await get(storage, objectName), 'one two');
  }),
  storageCase('an object without bytes is an object', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 2 });
    assert.equal((await writer.commit()).sizeBytes, 0);
    assert.equal(await get(storage, objectName), '');
    assert.deepEqual(await listNames(storage), [objectName]);
  }),
  storageCase('the memory of a write can be used again', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 2 });
    const buffer = bytesOf('abc');
    await writer.write(buffer);
    buffer.fill(0x7a);
    await writer.write(buffer);
    buffer.fill(0);
    await writer.commit();
    assert.equal(await get(storage, objectName), 'abczzzabczzz');
  }),
  storageCase('an overwrite shows the old object until commit, then the new one', async (storage) => {
    await put(storage, objectName, 'old and long');
    const writer = await storage.writer(objectName, { copies: 1 });
    await writer.write(bytesOf('new'));
    assert.equal(await get(storage, objectName), 'old and long');
    await writer.commit();
    assert.equal(await get(storage, objectName), 'new');
    assert.deepEqual(await listNames(storage), [objectName]);
  }),
  ...[1, 2, 3].map((copies) =>
    storageCase(`copies: ${copies} gives the bytes as often, one run after the other`, async (storage) => {
      const progress: (readonly [number, number])[] = [];
      const onReplicate = (doneBytes: number, totalBytes: number) => progress.push([doneBytes, totalBytes]);
      const writer = await storage.writer(objectName, { copies, onReplicate });
      await writer.write(bytesOf('head'));
      await writer.write(bytesOf('tail'));
      const stored = await writer.commit();
      assert.equal(stored.sizeBytes, 8 * copies);
      assert.equal(await get(storage, objectName), 'headtail'.repeat(copies));
      if (copies > 1) assert.deepEqual(progress.at(-1), [8 * (copies - 1), 8 * (copies - 1)]);
      else assert.deepEqual(progress, []);
    }),
  ),
  storageCase(
    'what is finished ahead of its commit is the object after it, and nothing after an abort',
    async (storage) => {
      for (const isKept of [false, true]) {
        const writer = await storage.writer(objectName, { copies: 2 });
        await writer.write(bytesOf('head'));
        await writer.write(bytesOf('tail'));
        await writer.finishWriting?.();
        await assert.rejects(storage.stat(objectName), { code: 'storage.not_found' });
        if (isKept) await writer.commit(async (stored) => assert.equal(stored.sizeBytes, 16));
        else await writer.abort();
      }
      assert.equal(await get(storage, objectName), 'headtailheadtail');
    },
  ),
  storageCase('5 MiB in odd chunks, twice, come back as they were', async (storage) => {
    const random = new SeededRandom(5);
    const bytes = random.bytes(5 * 1024 * 1024);
    const onReplicate = (doneBytes: number, totalBytes: number) => {
      assert.ok(doneBytes > replicated && doneBytes <= totalBytes);
      replicated = doneBytes;
      assert.equal(totalBytes, bytes.length);
    };
    let replicated = 0;
    const writer = await storage.writer(objectName, { copies: 2, onReplicate });
    for (let offset = 0; offset < bytes.length; ) {
      const length = random.integer(300_001);
      await writer.write(bytes.subarray(offset, offset + length));
      offset += length;
    }
    await writer.commit();
    const access = await storage.open(objectName);
    const stored = await readAll(access);
    await access.close();
    assert.equal(stored.length, 2 * bytes.length);
    assert.equal(Buffer.compare(stored.subarray(0, bytes.length), bytes), 0);
    assert.equal(Buffer.compare(stored.subarray(bytes.length), bytes), 0);
    assert.equal(replicated, bytes.length);
  }),
];

/** A storage that is not sure of it has no promise to keep. */
function isSureOfCreateOnly({ properties }: Storage): boolean {
  return (properties.createOnlyBytes ?? 0) > 3;
}

/** Lets several make one object at once. */
export async function assertOneCreates(storage: Storage): Promise<void> {
  const writers = await Promise.all(
    ['one', 'two', 'six'].map(async (text) => {
      const writer = await storage.writer(objectName, { copies: 1, createOnly: true });
      await writer.write(bytesOf(text));
      return { text, writer };
    }),
  );
  const results = await Promise.allSettled(writers.map(({ writer }) => writer.commit()));
  const winners = writers.filter((_, index) => results[index]?.status === 'fulfilled');
  assert.equal(winners.length, 1);
  for (const result of results) {
    if (result.status === 'rejected') await assertCode(Promise.reject(result.reason), 'storage.conflict');
  }
  for (const { writer } of writers) if (writer !== winners[0]?.writer) await writer.abort();
  assert.equal(await get(storage, objectName), winners[0]?.text);
  assert.deepEqual(await listNames(storage), [objectName]);
}

const createOnlyCases: readonly StorageCase[] = [
  storageCase('createOnly leaves what stands there', async (storage) => {
    if (!isSureOfCreateOnly(storage)) return;
    await put(storage, objectName, 'old');
    const write = async () => {
      const writer = await storage.writer(objectName, { copies: 1, createOnly: true });
      await writer.write(bytesOf('new'));
      await writer.commit();
    };
    await assertCode(write(), 'storage.conflict');
    assert.equal(await get(storage, objectName), 'old');
    await storage.delete(objectName);
    await write();
    assert.equal(await get(storage, objectName), 'new');
  }),
  storageCase('of two createOnly writers on one name the later to commit is refused', async (storage) => {
    const only = createOnlyStorage(storage);
    const open = async (text: string) => {
      const writer = await only.writer(objectName, { copies: 1 });
      await writer.write(bytesOf(text));
      return writer;
    };
    const [slower, faster] = [await open('slower'), await open('faster')];
    await faster.commit(async () => undefined);
    await assertCode(
      slower.commit(async () => undefined),
      'storage.conflict',
    );
    await slower.abort();
    await assertCode(only.writer(objectName, { copies: 1 }), 'storage.conflict');
    assert.equal(await get(storage, objectName), 'faster');
    assert.deepEqual(await listNames(storage), [objectName]);
  }),
  storageCase(
    'of several createOnly writers on one name one commits, and the others leave nothing',
    async (storage) => {
      if (isSureOfCreateOnly(storage)) await assertOneCreates(storage);
    },
  ),
];

const checkCases: readonly StorageCase[] = [
  storageCase('a check is given what was stored, all copies of it', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 2 });
    await writer.write(bytesOf('body'));
    let seen = '';
    await writer.commit(async (stored) => {
      seen = new TextDecoder().decode(await readAll(stored));
    });
    assert.equal(seen, 'bodybody');
  }),
  storageCase(
    'a check runs before the object appears',
    async (storage) => {
      await put(storage, objectName, 'old');
      const writer = await storage.writer(objectName, { copies: 1 });
      await writer.write(bytesOf('new'));
      let seen = '';
      await writer.commit(async () => {
        seen = await get(storage, objectName);
      });
      assert.equal(seen, 'old');
      assert.equal(await get(storage, objectName), 'new');
    },
    ['check before publish'],
  ),
  storageCase('a failing check leaves nothing, and its error is thrown on', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 2 });
    await writer.write(bytesOf('bad'));
    const failure = new HoldfastError('archive.verify_failed');
    await assert.rejects(
      writer.commit(async () => {
        throw failure;
      }),
      (error) => error === failure,
    );
    await assertAbsent(storage, objectName);
    await writer.abort();
    await writer.abort();
    await assertAbsent(storage, objectName);
  }),
  storageCase(
    'a failing check leaves the old object',
    async (storage) => {
      await put(storage, objectName, 'old');
      const writer = await storage.writer(objectName, { copies: 1 });
      await writer.write(bytesOf('bad'));
      const commit = writer.commit(async () => {
        throw new HoldfastError('archive.verify_failed');
      });
      await assertCode(commit, 'archive.verify_failed');
      await writer.abort();
      assert.equal(await get(storage, objectName), 'old');
    },
    ['check before publish'],
  ),
];

const abortCases: readonly StorageCase[] = [
  storageCase('after a failed commit the writer takes nothing more, and abort may follow', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 1 });
    await writer.write(bytesOf('bad'));
    const failing = async () => {
      throw new HoldfastError('archive.verify_failed');
    };
    await assertCode(writer.commit(failing), 'archive.verify_failed');
    await assert.rejects(writer.write(bytesOf('more')));
    await assert.rejects(writer.commit());
    await writer.abort();
    await assertAbsent(storage, objectName);
    await put(storage, objectName, 'good');
    assert.equal(await get(storage, objectName), 'good');
  }),
  storageCase('a writer that has committed takes nothing more', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 1 });
    await writer.write(bytesOf('done'));
    await writer.commit();
    await assert.rejects(writer.write(bytesOf('more')));
    await assert.rejects(writer.commit());
    assert.equal(await get(storage, objectName), 'done');
  }),
  storageCase('what was aborted may be written anew at once', async (storage) => {
    for (const text of ['first', 'second']) {
      const writer = await storage.writer(objectName, { copies: 2 });
      await writer.write(bytesOf(text));
      await writer.abort();
    }
    await put(storage, objectName, 'third', 2);
    assert.equal(await get(storage, objectName), 'thirdthird');
    assert.deepEqual(await listNames(storage), [objectName]);
  }),
  storageCase('abort leaves nothing, and may be repeated', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 2 });
    await writer.write(bytesOf('half'));
    await writer.abort();
    await writer.abort();
    await assertAbsent(storage, objectName);
  }),
  storageCase('abort leaves the old object', async (storage) => {
    await put(storage, objectName, 'old');
    const writer = await storage.writer(objectName, { copies: 1 });
    await writer.write(bytesOf('half'));
    await writer.abort();
    assert.equal(await get(storage, objectName), 'old');
  }),
  storageCase('abort after commit leaves the object', async (storage) => {
    const writer = await storage.writer(objectName, { copies: 1 });
    await writer.write(bytesOf('done'));
    await writer.commit();
    await writer.abort();
    assert.equal(await get(storage, objectName), 'done');
  }),
  storageCase('a signal aborted between writes ends the next one as interrupted', async (storage) => {
    const controller = new AbortController();
    const writer = await storage.writer(objectName, { copies: 1, signal: controller.signal });
    await writer.write(bytesOf('half'));
    controller.abort();
    await assertCode(writer.write(bytesOf('more')), 'operation.interrupted');
    await assertCode(writer.write(bytesOf('more')), 'operation.interrupted');
    await assertCode(writer.commit(), 'operation.interrupted');
    await writer.abort();
    await assertAbsent(storage, objectName);
  }),
  storageCase('a signal aborted during the check keeps the old object', async (storage) => {
    await put(storage, objectName, 'old');
    const controller = new AbortController();
    const writer = await storage.writer(objectName, { copies: 1, signal: controller.signal });
    await writer.write(bytesOf('new'));
    await assertCode(
      writer.commit(async () => controller.abort()),
      'operation.interrupted',
    );
    await writer.abort();
    assert.equal(await get(storage, objectName), 'old');
  }),
  storageCase('a signal aborted before opens no writer', async (storage) => {
    await assertCode(storage.writer(objectName, { copies: 1, signal: AbortSignal.abort() }), 'operation.interrupted');
    await assertAbsent(storage, objectName);
  }),
];

const concurrencyCases: readonly StorageCase[] = [
  storageCase('writers on different names do not meet', async (storage) => {
    const names = ['a', 'b', 'c', 'd'];
    const writers = await Promise.all(names.map((each) => storage.writer(each, { copies: 2 })));
    const each = (step: (writer: StorageWriter, index: number) => Promise<unknown>) => Promise.all(writers.map(step));
    for (let round = 0; round < 5; round += 1)
      await each((writer, index) => writer.write(bytesOf(`${names[index]}${round}`)));
    await each((writer) => writer.commit());
    for (const object of names) {
      const run = [0, 1, 2, 3, 4].map((round) => `${object}${round}`).join('');
      assert.equal(await get(storage, object), run + run);
    }
  }),
  storageCase('of two writers on one name the last commit stands, or is refused as a conflict', async (storage) => {
    const first: StorageWriter = await storage.writer(objectName, { copies: 1 });
    const second = await storage.writer(objectName, { copies: 1 });
    await first.write(bytesOf('first, which is longer'));
    await second.write(bytesOf('second'));
    await second.commit();
    assert.equal(await get(storage, objectName), 'second');
    let stands = 'first, which is longer';
    try {
      await first.commit();
    } catch (error) {
      // Where a server can tell, nothing is replaced that was not there when the writer began.
      assert.ok(error instanceof HoldfastError && error.code === 'storage.conflict', String(error));
      await first.abort();
      stands = 'second';
    }
    assert.equal(await get(storage, objectName), stands);
    assert.deepEqual(await listNames(storage), [objectName]);
  }),
  storageCase('of two commits at once on one name one stands, whole', async (storage) => {
    const texts = ['first, which is longer', 'second'];
    const writers = await Promise.all(texts.map(() => storage.writer(objectName, { copies: 2 })));
    await Promise.all(writers.map((writer, index) => writer.write(bytesOf(texts[index] ?? ''))));
    const commits = await Promise.allSettled(writers.map((writer) => writer.commit()));
    await Promise.all(writers.map((writer) => writer.abort()));
    assert.ok(commits.some(({ status }) => status === 'fulfilled'));
    assert.ok(texts.map((text) => text + text).includes(await get(storage, objectName)));
    assert.deepEqual(await listNames(storage), [objectName]);
  }),
  storageCase('what is deleted while it is written anew appears at commit', async (storage) => {
    await put(storage, objectName, 'old');
    const writer = await storage.writer(objectName, { copies: 1 });
    await writer.write(bytesOf('new'));
    await storage.delete(objectName);
    await assertAbsent(storage, objectName);
    await writer.commit();
    assert.equal(await get(storage, objectName), 'new');
  }),
  storageCase('an open object is read to its end while it is replaced', async (storage) => {
    await put(storage, objectName, 'old');
    const access = await storage.open(objectName);
    await put(storage, objectName, 'newer');
    assert.equal(new TextDecoder().decode(await readAll(access)), 'old');
    await access.close();
  }),
];

/** Cases about writers. */
export const storageWriteCases: readonly StorageCase[] = [
  ...commitCases,
  ...createOnlyCases,
  ...checkCases,
  ...abortCases,
  ...concurrencyCases,
];
