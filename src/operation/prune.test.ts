import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retentionPolicy } from '../config/retention-settings.ts';
import { HoldfastError } from '../errors.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { ForwardingStorage } from '../storage/wrap/forwarding-storage.ts';
import { readOnlyStorage } from '../storage/wrap/read-only.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FaultyStorage } from '../testing/faulty-storage.ts';
import { pinArchive, unpinArchive } from './pin.ts';
import { type PruneOptions, pruneStorages, type RetentionFacts } from './prune.ts';

const dayMs = 86_400_000;
const clock = new FakeClock(Date.UTC(2026, 10, 30, 12));
const lastTwo = retentionPolicy({ retention: { keepDaily: 2, keepWeekly: 0, keepMonthly: 0 } });
assert.ok(lastTwo);

function nameOf(database: string, daysAgo: number, environment = 'default'): string {
  const moment = new Date(clock.nowMs() - daysAgo * dayMs).toISOString().replace(/\.\d+Z|[-:]/g, '');
  return `${database}_${moment}Z_${environment}.holdfast`;
}

async function write(storage: MemoryStorage, name: string, text = 'x'): Promise<void> {
  const writer = await storage.writer(name, { copies: 1 });
  await writer.write(new TextEncoder().encode(text));
  await writer.commit();
}

async function storageWith(...names: readonly string[]): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  for (const name of names) await write(storage, name);
  return storage;
}

async function namesIn(storage: MemoryStorage): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  return names.sort();
}

const prune = (options: Pick<PruneOptions, 'storages'> & Partial<PruneOptions>) =>
  pruneStorages({ policy: lastTwo, timezone: 'UTC', clock, ...options });

test('what no rule keeps is removed, and everything else is left alone', async () => {
  const left = ['notes.txt', 'old.holdfast', nameOf('shop', 40, 'staging'), nameOf('crm', 50)];
  const kept = [nameOf('shop', 0), nameOf('shop', 3)];
  const storage = await storageWith(...left, ...kept, nameOf('shop', 4), nameOf('shop', 5));
  const dry = await prune({ storages: [{ name: 'near', storage }], dryRun: true });
  assert.equal((await namesIn(storage)).length, 8);
  assert.deepEqual(
    dry.archives.map(({ database, keep, reasons, removed }) => [database, keep, reasons.join(), removed]),
    [
      ['crm', true, 'newest,daily 1/2', false],
      ['shop', true, 'newest,daily 1/2', false],
      ['shop', true, 'daily 2/2', false],
      ['shop', false, '', false],
      ['shop', false, '', false],
    ],
  );
  assert.deepEqual(
    dry.unknownNames.map(({ name }) => name).sort(),
    [nameOf('shop', 40, 'staging'), 'old.holdfast'].sort(),
  );
  const done = await prune({ storages: [{ name: 'near', storage }] });
  assert.deepEqual(await namesIn(storage), [...left, ...kept].sort());
  assert.equal(done.archives.filter(({ removed }) => removed).length, 2);
});

test('a pin keeps an archive, on the storage where it is; taken away, it does not', async () => {
  const old = nameOf('shop', 9);
  const names = [nameOf('shop', 0), nameOf('shop', 1), old];
  const [near, far] = [await storageWith(...names), await storageWith(...names)];
  await assert.rejects(pinArchive({ storage: near, name: 'nothing.holdfast' }), { code: 'storage.not_found' });
  await pinArchive({ storage: near, name: old });
  await pinArchive({ storage: near, name: old });
  const storages = [
    { name: 'near', storage: near },
    { name: 'far', storage: far },
  ];
  await prune({ storages });
  assert.deepEqual(await namesIn(near), [...names, `${old}.pin`].sort());
  assert.deepEqual(await namesIn(far), names.slice(0, 2).sort());
  await unpinArchive({ storage: near, name: old });
  await prune({ storages });
  assert.deepEqual(await namesIn(near), names.slice(0, 2).sort());
});

test('a pin that is set while the question is open, or while others are removed, keeps its archive', async () => {
  const names = [0, 1, 7, 8, 9].map((daysAgo) => nameOf('shop', daysAgo));
  const [, , late = '', removed = '', asked = ''] = names;
  const inner = await storageWith(...names);
  class Pinning extends ForwardingStorage {
    override async delete(name: string): Promise<void> {
      await this.inner.delete(name);
      if (name === removed) await pinArchive({ storage: inner, name: late });
    }
  }
  const confirm = async () => {
    await pinArchive({ storage: inner, name: asked });
    return true;
  };
  const { archives } = await prune({ storages: [{ name: 'near', storage: new Pinning(inner) }], confirm });
  assert.deepEqual(
    archives.slice(2).map(({ name, keep, reasons, removed: isGone }) => [name, keep, reasons.join(), isGone]),
    [
      [late, true, 'pinned', false],
      [removed, false, '', true],
      [asked, true, 'pinned', false],
    ],
  );
  assert.deepEqual(
    await namesIn(inner),
    [...names, `${late}.pin`, `${asked}.pin`].filter((name) => name !== removed).sort(),
  );
});

test('a hold, a proof and a doubt come from the history', async () => {
  const shop = [0, 1, 2, 3].map((daysAgo) => nameOf('shop', daysAgo));
  const crm = [0, 1, 2].map((daysAgo) => nameOf('crm', daysAgo));
  const storage = await storageWith(...shop, ...crm);
  const facts: RetentionFacts = {
    hold: (database, label) => (database === 'crm' && label === 'near' ? 'the last run failed' : undefined),
    isProven: (url) => url === storage.url(shop[3] ?? ''),
    isDoubtful: (url) => url === storage.url(shop[1] ?? ''),
  };
  const { archives } = await prune({ storages: [{ name: 'near', storage }], facts });
  assert.deepEqual(
    archives.map(({ reasons }) => reasons.join(', ')),
    [
      'newest, daily 1/2, the last run failed',
      'daily 2/2, the last run failed',
      'the last run failed',
      'newest, daily 1/2',
      'daily 2/2',
      'daily 2/2',
      'newest proven',
    ],
  );
});

test('an empty object takes no place', async () => {
  const storage = await storageWith(nameOf('shop', 1), nameOf('shop', 2));
  await write(storage, nameOf('shop', 0), '');
  const { archives } = await prune({ storages: [{ name: 'near', storage }] });
  assert.deepEqual(
    archives.map(({ reasons }) => reasons.join(', ')),
    ['newest, daily 1/2', 'newest good, daily 1/2', 'daily 2/2'],
  );
});

test('a storage that fails, and an archive that cannot be removed, do not stop the rest', async () => {
  const names = [0, 1, 2, 3].map((daysAgo) => nameOf('shop', daysAgo));
  const good = await storageWith(...names);
  const away = new FaultyStorage(await storageWith(...names), { seed: 1, faults: { callErrorRate: 1 } });
  const stuck = readOnlyStorage(await storageWith(...names));
  const locking = await storageWith(...names);
  const remove = locking.delete.bind(locking);
  locking.delete = async (name) => {
    if (name === names[3]) throw new HoldfastError('storage.locked');
    await remove(name);
  };
  const report = await prune({
    storages: [
      { name: 'away', storage: away },
      { name: 'stuck', storage: stuck },
      { name: 'locking', storage: locking },
      { name: 'good', storage: good },
    ],
  });
  assert.deepEqual(
    report.failedStorages.map(({ storage }) => storage),
    ['away'],
  );
  const found = (storage: string) =>
    report.archives
      .filter((archive) => archive.storage === storage)
      .map(({ keep, removed, error }) => [keep, removed, error?.code]);
  const kept = [true, false, undefined];
  const removed = [false, true, undefined];
  const refused = [false, false, 'storage.read_only'];
  assert.deepEqual(found('good'), [kept, kept, removed, removed]);
  assert.deepEqual(found('stuck'), [kept, kept, refused, refused]);
  assert.deepEqual(found('locking'), [kept, kept, removed, kept]);
  assert.equal((await namesIn(good)).length, 2);
  assert.equal((await namesIn(locking)).length, 3);
});

test('an interruption leaves the newer ones', async () => {
  const names = [0, 1, 2, 3, 4].map((daysAgo) => nameOf('shop', daysAgo));
  const storage = await storageWith(...names);
  const interruption = new AbortController();
  const remove = storage.delete.bind(storage);
  storage.delete = async (name) => {
    await remove(name);
    interruption.abort();
  };
  const running = prune({ storages: [{ name: 'near', storage }], signal: interruption.signal });
  await assert.rejects(running, { code: 'operation.interrupted' });
  assert.deepEqual(await namesIn(storage), names.slice(0, 4).sort());
});

test('nothing is removed without a yes, nor where names tell nothing', async () => {
  const storage = await storageWith(...[0, 1, 2].map((daysAgo) => nameOf('shop', daysAgo)));
  const storages = [{ name: 'near', storage }];
  await prune({ storages, confirm: async () => false });
  await assert.rejects(prune({ storages, filenameTemplate: '{database}_{env}' }), { code: 'config.invalid' });
  assert.equal((await namesIn(storage)).length, 3);
  assert.equal(retentionPolicy({ retention: { enabled: false } }), undefined);
});

test('ten thousand archives are judged by their names alone', async () => {
  const storage = await storageWith(...Array.from({ length: 10_000 }, (_, daysAgo) => nameOf('shop', daysAgo)));
  storage.open = async () => assert.fail('nothing is opened');
  const { archives } = await prune({ storages: [{ name: 'near', storage }] });
  assert.equal(archives.filter(({ removed }) => removed).length, 9998);
});

/** Lists each object twice, as a server does that makes pages of what changes meanwhile. */
class Doubling extends ForwardingStorage {
  override async *list(prefix?: string) {
    for await (const object of this.inner.list(prefix)) yield* [object, object];
  }
}

test('an archive that is listed twice does not make way for itself', async () => {
  const names = [nameOf('shop', 0), nameOf('shop', 3), nameOf('shop', 4)];
  const storage = await storageWith(...names);
  const { archives } = await prune({ storages: [{ name: 'near', storage: new Doubling(storage) }] });
  assert.equal(archives.length, 3);
  assert.deepEqual(await namesIn(storage), names.slice(0, 2).sort());
});
