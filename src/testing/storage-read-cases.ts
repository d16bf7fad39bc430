import assert from 'node:assert/strict';
import type { Storage } from '../storage/storage.ts';
import { SeededRandom } from './seeded-random.ts';
import {
  assertAbsent,
  assertCode,
  type FillStorage,
  get,
  listAll,
  listNames,
  objectName,
  put,
  putBytes,
  readAll,
  type StorageCase,
  storageCase,
} from './storage-case.ts';

function fillByWriters(storage: Storage): FillStorage {
  return async (names) => {
    const left = [...names];
    const work = async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) await put(storage, name, '');
    };
    await Promise.all(Array.from({ length: 16 }, work));
  };
}

const readCases: readonly StorageCase[] = [
  storageCase('ranges are read, to the end and past it, several at once', async (storage) => {
    await put(storage, objectName, '0123456789');
    const access = await storage.open(objectName);
    assert.equal(access.sizeBytes, 10);
    const range = async (offset: number, length: number) => {
      const into = new Uint8Array(length);
      const count = await access.read(offset, into);
      assert.ok(into.subarray(count).every((byte) => byte === 0));
      return new TextDecoder().decode(into.subarray(0, count));
    };
    const ranges = await Promise.all([
      range(0, 4),
      range(3, 1),
      range(8, 2),
      range(8, 9),
      range(10, 1),
      range(99, 5),
      range(2, 0),
    ]);
    assert.deepEqual(ranges, ['0123', '3', '89', '89', '', '', '']);
    await access.close();
    await access.close();
    await assertCode(access.read(0, new Uint8Array(1)), 'storage.failed');
  }),
  storageCase('an object without bytes is read as nothing', async (storage) => {
    await put(storage, objectName, '');
    const access = await storage.open(objectName);
    assert.equal(access.sizeBytes, 0);
    assert.equal(await access.read(0, new Uint8Array(4096)), 0);
    assert.equal(await access.read(4096, new Uint8Array(1)), 0);
    await access.close();
  }),
  storageCase('reads at the end give what is left, whatever is asked for', async (storage) => {
    const bytes = new SeededRandom(11).bytes(3 * 65_536 + 5);
    await putBytes(storage, objectName, bytes);
    const access = await storage.open(objectName);
    for (const [offset, length] of [
      [bytes.length - 1, 1],
      [bytes.length - 1, 65_536],
      [bytes.length - 65_541, 65_536],
      [bytes.length - 65_541, 65_541],
      [bytes.length - 65_541, 262_144],
      [0, bytes.length + 1],
    ] as const) {
      const into = new Uint8Array(length);
      const expected = bytes.subarray(offset, offset + length);
      assert.equal(await access.read(offset, into), expected.length, `${length} bytes at ${offset}`);
      assert.equal(Buffer.compare(into.subarray(0, expected.length), expected), 0, `${length} bytes at ${offset}`);
    }
    await access.close();
  }),
  storageCase('many ranges are read at once, of one object opened twice', async (storage) => {
    const random = new SeededRandom(12);
    const bytes = random.bytes(1_000_003);
    await putBytes(storage, objectName, bytes);
    const opened = await Promise.all([storage.open(objectName), storage.open(objectName)]);
    const ranges = Array.from({ length: 48 }, (_, index) => {
      const offset = random.integer(bytes.length);
      return { access: opened[index % 2] ?? opened[0], offset, into: new Uint8Array(1 + random.integer(40_000)) };
    });
    const counts = await Promise.all(ranges.map(({ access, offset, into }) => access.read(offset, into)));
    for (const [index, { offset, into }] of ranges.entries()) {
      const expected = bytes.subarray(offset, offset + into.length);
      assert.equal(counts[index], expected.length);
      assert.equal(Buffer.compare(into.subarray(0, expected.length), expected), 0, `at ${offset}`);
    }
    for (const access of opened) await access.close();
  }),
  storageCase('of an object that is open one reader may close without the other', async (storage) => {
    await put(storage, objectName, 'shared');
    const [first, second] = await Promise.all([storage.open(objectName), storage.open(objectName)]);
    await first.close();
    assert.equal(new TextDecoder().decode(await readAll(second)), 'shared');
    await second.close();
  }),
  storageCase('what is not there is not found', async (storage) => {
    await assertAbsent(storage, objectName);
    await assertAbsent(storage, 'folder/object');
    await put(storage, 'other', 'x');
    await assertCode(storage.open(objectName), 'storage.not_found');
    await assertCode(storage.open('other/object'), 'storage.not_found');
  }),
];

const nameCases: readonly StorageCase[] = [
  storageCase('list gives the objects whose name begins with the prefix', async (storage) => {
    for (const object of ['a', 'ab', 'b/a', 'b/ab', 'b/c/d', 'bc']) await put(storage, object, object);
    assert.deepEqual(await listNames(storage), ['a', 'ab', 'b/a', 'b/ab', 'b/c/d', 'bc']);
    assert.deepEqual(await listNames(storage, ''), ['a', 'ab', 'b/a', 'b/ab', 'b/c/d', 'bc']);
    assert.deepEqual(await listNames(storage, 'a'), ['a', 'ab']);
    assert.deepEqual(await listNames(storage, 'b'), ['b/a', 'b/ab', 'b/c/d', 'bc']);
    assert.deepEqual(await listNames(storage, 'b/'), ['b/a', 'b/ab', 'b/c/d']);
    assert.deepEqual(await listNames(storage, 'b/a'), ['b/a', 'b/ab']);
    assert.deepEqual(await listNames(storage, 'b/c/d'), ['b/c/d']);
    for (const none of ['c', 'b/c/d/', '/', '../']) assert.deepEqual(await listNames(storage, none), []);
    const [nested] = await listAll(storage, 'b/c/');
    assert.deepEqual(nested, await storage.stat('b/c/d'));
  }),
  storageCase(
    'a listing of more than a thousand objects gives each once',
    async (storage, fill = fillByWriters(storage)) => {
      const names = Array.from({ length: 1_005 }, (_, index) => `many/${String(index).padStart(4, '0')}`);
      await fill(names);
      assert.deepEqual(await listNames(storage, 'many/'), names);
      assert.deepEqual(await listNames(storage, 'many/099'), names.slice(990, 1_000));
      let count = 0;
      for await (const object of storage.list('many/')) {
        assert.ok(object.name.startsWith('many/'));
        count += 1;
        if (count === 3) break;
      }
      assert.equal(count, 3);
    },
    ['many objects'],
  ),
  storageCase('delete removes an object; what is not there is no error', async (storage) => {
    await put(storage, objectName, 'x');
    await put(storage, `folder/${objectName}`, 'y');
    await storage.delete(objectName);
    assert.deepEqual(await listNames(storage), [`folder/${objectName}`]);
    await assertCode(storage.open(objectName), 'storage.not_found');
    await storage.delete(objectName);
    await storage.delete('nowhere/nothing');
    assert.equal(await get(storage, `folder/${objectName}`), 'y');
  }),
  storageCase('names may have spaces, any script, leading dots, and parts', async (storage) => {
    const long = `${'n'.repeat(240)}.holdfast`;
    const names = [
      ' a b ',
      'Ünï/çødé/备份 🗄.holdfast',
      '.hidden',
      '...',
      'a/b/c/d/e',
      '%2e%2e',
      'x\ny',
      '*?"<>|',
      '-',
      long,
    ];
    for (const object of names) await put(storage, object, object);
    assert.deepEqual(await listNames(storage), [...names].sort());
    for (const object of names) {
      assert.equal(await get(storage, object), object);
      assert.ok(storage.url(object).length > 0);
    }
  }),
  storageCase('names that would leave the root are refused', async (storage) => {
    for (const bad of [
      '',
      '/',
      '/etc/passwd',
      '..',
      '../x',
      'a/../../x',
      'a/..',
      './a',
      'a//b',
      'a/',
      'a\0b',
      '\ud800',
    ]) {
      await assertCode(storage.writer(bad, { copies: 1 }), 'storage.unauthorized');
      await assertCode(storage.open(bad), 'storage.unauthorized');
      await assertCode(storage.stat(bad), 'storage.unauthorized');
      await assertCode(storage.delete(bad), 'storage.unauthorized');
    }
    assert.deepEqual(await listNames(storage), []);
  }),
];

const propertyCases: readonly StorageCase[] = [
  storageCase('properties say what the storage is and where', async ({ properties }) => {
    assert.match(properties.backend, /^[a-z0-9-]+$/);
    assert.ok(properties.place.length > 0);
    for (const warning of properties.warnings) assert.ok(warning.length > 0);
    assert.equal(typeof properties.usesSpool, 'boolean');
  }),
  storageCase('a storage may be closed twice', async (storage) => {
    await put(storage, objectName, 'x');
    await storage.close();
    await storage.close();
  }),
];

/** Cases about reading, listing, deleting, names and properties. */
export const storageReadCases: readonly StorageCase[] = [...readCases, ...nameCases, ...propertyCases];
