import assert from 'node:assert/strict';
import {
  assertAbsent,
  assertCode,
  get,
  listAll,
  listNames,
  objectName,
  put,
  type StorageCase,
  storageCase,
} from './storage-case.ts';

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

/** Cases about reading, listing, deleting and names. */
export const storageReadCases: readonly StorageCase[] = [...readCases, ...nameCases];
