/** Backups of media storages and their way back, and what goes wrong on it. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  type BackupReport,
  createBackup,
  FilesSource,
  type ForeignObject,
  HoldfastError,
  MediaSource,
  MemoryStorage,
  type OpenedObject,
  type RestoreOptions,
  restoreBackup,
  retryStorage,
  type Storage,
  type StoredObject,
  validateBackup,
} from '../../src/index.ts';
import { MediaStorage } from '../../src/storage/media/media-storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { oddNames } from '../../src/testing/media-storage-cases.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { sourceCases } from '../../src/testing/source-cases.ts';
import { assertCode, get, listAll, listNames, put } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';

const workspace = makeWorkspace('media');

function backUp(storage: Storage, to: Storage, name = 'a.holdfast'): Promise<BackupReport> {
  const sources = [new MediaSource({ name: 'uploads', storage })];
  return createBackup({ threads: 0, sources, output: { storage: to, name }, encryption: 'none', copies: 1 });
}

/** A media storage with files of every kind. */
async function sample(): Promise<MediaStorage> {
  const media = new MediaStorage({ storage: new MemoryStorage(), cacheControl: 'max-age=60' });
  for (const name of oddNames) await media.save(name, `content of ${name}`);
  await media.save('empty.css', '');
  await media.save('large.bin', new SeededRandom(3).bytes(3_000_000), { metadata: { owner: '7' } });
  return media;
}

/** A storage of which one object behaves in its own way. */
class Odd extends ForwardingStorage {
  onOpen: (name: string, open: () => Promise<OpenedObject>) => Promise<OpenedObject> = (_, open) => open();
  readonly extra: StoredObject[] = [];
  readonly foreign: ForeignObject[] = [];

  override open(name: string): Promise<OpenedObject> {
    return this.onOpen(name, () => super.open(name));
  }

  override async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    yield* super.list(prefix);
    for (const foreign of this.foreign) onForeign?.(foreign);
    yield* this.extra;
  }
}

async function odd(): Promise<Odd> {
  const storage = new Odd(new MemoryStorage());
  for (const name of ['a', 'b', 'c']) await put(storage, name, name.repeat(100_000));
  return storage;
}

function problemsOf({ problems }: BackupReport): string[] {
  return problems.map(({ code, path }) => `${code} ${path}`).sort();
}

const noFile = (
  code: 'storage.not_found' | 'storage.failed' | 'storage.unavailable' | 'storage.unauthorized' | 'storage.timeout',
) => {
  return new HoldfastError(code, { message: `made to fail: ${code}` });
};

describe('there and back', () => {
  test('into a folder: names, bytes and times', async () => {
    const media = await sample();
    const archives = new MemoryStorage();
    const report = await backUp(media.storage, archives);
    assert.deepEqual([report.problems, report.entryCount], [[], oddNames.length + 3]);
    const archive = { storage: archives, name: 'a.holdfast' };
    assert.equal((await validateBackup({ archive, threads: 0 })).state, 'intact');
    const filesTo = join(workspace, 'folder');
    await restoreBackup({ archive, threads: 0, filesTo });
    for (const name of oddNames) {
      assert.equal(readFileSync(join(filesTo, 'uploads', name), 'utf8'), `content of ${name}`);
    }
    assert.equal(readFileSync(join(filesTo, 'uploads', 'large.bin')).length, 3_000_000);
    assert.deepEqual((await readdir(join(filesTo, 'uploads'), { recursive: true })).length, oddNames.length + 4);
  });

  test('into another media storage: names, bytes, types, headers and metadata', async () => {
    const media = await sample();
    const archives = new MemoryStorage();
    await backUp(media.storage, archives);
    const storage = new MemoryStorage();
    const mediaTo = [{ label: 'uploads', storage }];
    const restore = { archive: { storage: archives, name: 'a.holdfast' }, threads: 0, mediaTo };
    const planned = await restoreBackup({ ...restore, dryRun: true });
    assert.deepEqual(
      planned.actions.map(({ kind, action }) => `${kind} ${action}`),
      ['media create'],
    );
    assert.deepEqual(await listNames(storage), []);
    const report = await restoreBackup(restore);
    assert.equal(report.entryCount, oddNames.length + 3);
    assert.deepEqual(await listNames(storage), await listNames(media.storage));
    for (const name of [...oddNames, 'empty.css', 'large.bin']) {
      await using before = await media.open(name);
      const after = await storage.open(name);
      assert.deepEqual(after.details?.headers, before.headers, name);
      assert.equal(await get(storage, name), await before.text());
    }
    // Once more: all of it is there already.
    await restoreBackup(restore);
    assert.deepEqual(await listNames(storage), await listNames(media.storage));
  });

  test('a folder into a media storage: types are told by names, links are refused', async () => {
    const folder = join(workspace, 'site');
    mkdirSync(join(folder, 'empty'), { recursive: true });
    writeFileSync(join(folder, 'page.html'), '<p>');
    const archives = new MemoryStorage();
    const make = (name: string) =>
      createBackup({
        threads: 0,
        sources: [new FilesSource({ path: folder })],
        output: { storage: archives, name },
        encryption: 'none',
      });
    await make('a.holdfast');
    const storage = new MemoryStorage();
    const mediaTo = [{ label: 'public', storage }];
    await restoreBackup({ archive: { storage: archives, name: 'a.holdfast' }, threads: 0, mediaTo });
    assert.deepEqual(await listNames(storage), ['page.html']);
    assert.equal((await storage.open('page.html')).details?.headers.contentType, 'text/html');
    symlinkSync('page.html', join(folder, 'link'));
    await make('b.holdfast');
    const archive = { storage: archives, name: 'b.holdfast' };
    await assertCode(restoreBackup({ archive, threads: 0, mediaTo }), 'target.incompatible');
    await restoreBackup({ archive, threads: 0, mediaTo, only: ['files/site/*.html'] });
  });

  test('which tree goes where', async () => {
    const archives = new MemoryStorage();
    const [one, two] = [new MemoryStorage(), new MemoryStorage()];
    await put(one, 'a', 'of one');
    await put(two, 'a', 'of two');
    const sources = [new MediaSource({ name: 'one', storage: one }), new MediaSource({ name: 'two', storage: two })];
    await createBackup({ threads: 0, sources, output: { storage: archives, name: 'a.holdfast' }, encryption: 'none' });
    const archive = { storage: archives, name: 'a.holdfast' };
    const storage = new MemoryStorage();
    const restore = (options: Partial<RestoreOptions>) => restoreBackup({ archive, threads: 0, ...options });
    await assertCode(restore({ mediaTo: [{ label: 'other', storage }] }), 'usage.invalid');
    await assertCode(restore({ mediaTo: [{ label: 'two', storage }] }), 'usage.invalid');
    const twice = [
      { label: 'x', storage, tree: 'one' },
      { label: 'x', storage, tree: 'two' },
    ];
    await assertCode(restore({ mediaTo: twice }), 'usage.invalid');
    await restore({ mediaTo: [{ label: 'two', storage }], only: ['files/two/**'] });
    assert.equal(await get(storage, 'a'), 'of two');
    const same = new MediaSource({ name: 'one', storage: two });
    const two2 = { threads: 0, sources: [same, new FilesSource({ path: workspace, name: 'one' })] };
    await assertCode(
      createBackup({ ...two2, output: { storage: archives, name: 'b.holdfast' }, encryption: 'none' }),
      'usage.invalid',
    );
  });
});

describe('what changes while it is read', () => {
  test('an object that is removed after it was listed is told, and the others are kept', async () => {
    const storage = await odd();
    storage.onOpen = async (name, open) => {
      if (name === 'b') await storage.delete(name);
      return await open();
    };
    const archives = new MemoryStorage();
    const report = await backUp(storage, archives);
    assert.deepEqual(problemsOf(report), ['source.vanished files/uploads/b']);
    assert.equal(report.entryCount, 3);
  });

  for (const [what, error] of [
    ['removed', noFile('storage.not_found')],
    ['replaced', new HoldfastError('storage.unavailable', { context: { replaced: true } })],
    ['damaged', noFile('storage.failed')],
  ] as const) {
    test(`an object that is ${what} in the middle is told, and is not taken for whole`, async () => {
      const storage = await odd();
      let tries = 0;
      storage.onOpen = async (name, open) => {
        const object = await open();
        if (name !== 'b') return object;
        const { details } = object;
        return {
          sizeBytes: object.sizeBytes,
          ...(details && { details }),
          async read(offset, into) {
            if (offset < 1000) return await object.read(offset, into.subarray(0, 1000));
            tries += 1;
            throw error;
          },
          close: () => object.close(),
        };
      };
      const archives = new MemoryStorage();
      const wait = () => assert.fail('what does not come back is not waited for');
      const report = await backUp(retryStorage(storage, { wait }), archives);
      assert.deepEqual([problemsOf(report), tries], [['source.changed files/uploads/b'], 1]);
      assert.match(report.problems[0]?.message ?? '', /its first 1000 bytes/);
      const filesTo = join(workspace, `changed-${what}`);
      await restoreBackup({ archive: { storage: archives, name: 'a.holdfast' }, threads: 0, filesTo });
      assert.equal(readFileSync(join(filesTo, 'uploads', 'b'), 'utf8'), 'b'.repeat(1000));
      assert.equal(readFileSync(join(filesTo, 'uploads', 'c'), 'utf8'), 'c'.repeat(100_000));
    });
  }

  test('where versions are not told, one that was changed is found by its time and size', async () => {
    const storage = await odd();
    storage.onOpen = async (name, open) => {
      const object = await open();
      const { sizeBytes, details } = object;
      if (name === 'b') await put(storage, 'b', 'other');
      const told = { modifiedMs: details?.modifiedMs ?? 0, headers: {} };
      return { sizeBytes, details: told, read: (...range) => object.read(...range), close: () => object.close() };
    };
    const report = await backUp(storage, new MemoryStorage());
    assert.deepEqual(problemsOf(report), ['source.changed files/uploads/b']);
  });
});

describe('what cannot be had', () => {
  test('an object that may not be read is told; when none may be, the run fails', async () => {
    const storage = await odd();
    storage.onOpen = async (name, open) => {
      if (name === 'b') throw noFile('storage.unauthorized');
      return await open();
    };
    assert.deepEqual(problemsOf(await backUp(storage, new MemoryStorage())), ['source.unreadable files/uploads/b']);
    storage.onOpen = () => Promise.reject(noFile('storage.unauthorized'));
    const archives = new MemoryStorage();
    await assertCode(backUp(storage, archives), 'source.unreadable');
    assert.deepEqual(await listNames(archives), []);
  });

  test('a storage that does not answer ends the run, and no archive appears', async () => {
    const archives = new MemoryStorage();
    const storage = await odd();
    storage.onOpen = async (name, open) => {
      if (name === 'c') throw noFile('storage.unavailable');
      return await open();
    };
    await assertCode(backUp(storage, archives), 'storage.unavailable');
    storage.onOpen = async (name, open) => {
      const object = await open();
      const read = (...range: [number, Uint8Array]) =>
        name === 'a' ? Promise.reject(noFile('storage.unavailable')) : object.read(...range);
      return { sizeBytes: object.sizeBytes, read, close: () => object.close() };
    };
    await assertCode(backUp(storage, archives), 'storage.unavailable');
    assert.deepEqual(await listNames(archives), []);
  });

  test('names that no archive holds are told, folders are kept, and what is both is told', async () => {
    const storage = await odd();
    const folder = (name: string, sizeBytes = 0) =>
      ({ name, sizeBytes, kind: 'folder', reason: 'it stands for a folder' }) as const;
    storage.extra.push({ name: 'x//y', sizeBytes: 1, modifiedMs: 0 }, { name: '../z', sizeBytes: 1, modifiedMs: 0 });
    storage.foreign.push(folder('empty/'), folder('deep/er/'), folder('a/'), folder('bytes/', 3), folder('q//'));
    storage.foreign.push({ name: 'link', sizeBytes: 0, kind: 'other', reason: 'it is a link' });
    const archives = new MemoryStorage();
    const report = await backUp(storage, archives);
    assert.deepEqual(problemsOf(report), [
      'source.unsupported files/uploads/../z',
      'source.unsupported files/uploads/a',
      'source.unsupported files/uploads/bytes',
      'source.unsupported files/uploads/link',
      'source.unsupported files/uploads/q/',
      'source.unsupported files/uploads/x//y',
    ]);
    const filesTo = join(workspace, 'markers');
    await restoreBackup({ archive: { storage: archives, name: 'a.holdfast' }, threads: 0, filesTo });
    const found = (await readdir(join(filesTo, 'uploads'), { recursive: true })).sort();
    assert.deepEqual(found, ['a', 'b', 'c', 'deep', 'deep/er', 'empty']);
  });

  test('every object that was opened is closed, whatever happens', async () => {
    const storage = await odd();
    let open = 0;
    storage.onOpen = async (name, inner) => {
      const object = await inner();
      open += 1;
      let isOpen = true;
      return {
        sizeBytes: object.sizeBytes,
        read: (...range) => (name === 'b' ? Promise.reject(noFile('storage.timeout')) : object.read(...range)),
        async close() {
          if (isOpen) open -= 1;
          isOpen = false;
        },
      };
    };
    await assertCode(backUp(storage, new MemoryStorage()), 'storage.timeout');
    assert.equal(open, 0);
  });
});

describe('a restore into what is there', () => {
  async function archived(): Promise<{ readonly archive: { storage: Storage; name: string } }> {
    const archives = new MemoryStorage();
    await backUp(await odd(), archives);
    return { archive: { storage: archives, name: 'a.holdfast' } };
  }

  test('replaces nothing unless it is told to, and then only for good', async () => {
    const { archive } = await archived();
    for (const content of ['short', 'x'.repeat(100_000)]) {
      const storage = new MemoryStorage();
      await put(storage, 'b', content);
      const before = await listAll(storage);
      const options = { archive, threads: 0, mediaTo: [{ label: 'uploads', storage }] };
      await assertCode(restoreBackup(options), 'target.exists');
      await assertCode(restoreBackup({ ...options, overwrite: true }), 'target.exists');
      assert.deepEqual(await listAll(storage), before);
      assert.equal(await get(storage, 'b'), content);
      const report = await restoreBackup({ ...options, overwrite: true, keepUndo: false });
      assert.deepEqual(
        report.actions.map(({ action, undo }) => [action, undo]),
        [['merge', undefined]],
      );
      assert.equal(await get(storage, 'b'), 'b'.repeat(100_000));
    }
  });

  test('that fails on its way removes what it made, and nothing else', async () => {
    const { archive } = await archived();
    const storage = new MemoryStorage();
    await put(storage, 'kept', 'by the application');
    await put(storage, 'a', 'a'.repeat(100_000));
    const writer = storage.writer.bind(storage);
    storage.writer = async (name, options) => {
      if (name === 'c') throw noFile('storage.unavailable');
      return await writer(name, options);
    };
    const options = { archive, threads: 0, mediaTo: [{ label: 'uploads', storage }] };
    await assertCode(restoreBackup(options), 'storage.unavailable');
    assert.deepEqual(await listNames(storage), ['a', 'kept']);
    storage.writer = writer;
    await restoreBackup(options);
    assert.deepEqual(await listNames(storage), ['a', 'b', 'c', 'kept']);
  });

  test('leaves alone what the application puts there meanwhile', async () => {
    const { archive } = await archived();
    const storage = new MemoryStorage();
    const writer = storage.writer.bind(storage);
    storage.writer = async (name, options) => {
      storage.writer = writer;
      await put(storage, name, 'by the application');
      return await writer(name, options);
    };
    await assertCode(restoreBackup({ archive, threads: 0, mediaTo: [{ label: 'uploads', storage }] }), 'target.exists');
    const names = await listNames(storage);
    assert.equal(names.length, 1);
    assert.equal(await get(storage, names[0] ?? ''), 'by the application');
  });
});

describe('the contract of sources', () => {
  const subject = {
    prefix: 'files/',
    make: async () => {
      return new MediaSource({ name: 'uploads', storage: await sampleStorage() });
    },
    makeMissing: async () => new MediaSource({ name: 'uploads', storage: () => Promise.reject(missing) }),
  };
  const missing = new HoldfastError('storage.container_not_found', { message: 'there is no bucket' });
  let made: Storage | undefined;
  const sampleStorage = async () => {
    if (made === undefined) {
      made = new MemoryStorage();
      await put(made, 'sub/large', 'x'.repeat(3_000_000));
      await put(made, 'small', 'y');
    }
    return made;
  };
  for (const { name, run } of sourceCases) test(name, () => run(subject));
});
