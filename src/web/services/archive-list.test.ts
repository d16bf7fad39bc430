import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Clock, systemClock } from '../../clock.ts';
import { openHistory } from '../../history/history.ts';
import { pinArchive } from '../../operation/pin.ts';
import { systemRandom } from '../../random.ts';
import { MemoryStorage } from '../../storage/memory/memory-storage.ts';
import type { StoredObject } from '../../storage/storage.ts';
import { ForwardingStorage } from '../../storage/wrap/forwarding-storage.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { AccessStore } from '../access/access-store.ts';
import { ArchiveList } from './archive-list.ts';
import { ServiceContext } from './service-context.ts';

const name = 'shop_20260101_020000_production.holdfast';

/** Holds a listing back behind its last object until it is let go. */
class SlowStorage extends ForwardingStorage {
  gate: Promise<void> | undefined;

  override async *list(...given: Parameters<ForwardingStorage['list']>): AsyncGenerator<StoredObject> {
    yield* super.list(...given);
    await this.gate;
  }
}

async function withList(
  work: (list: ArchiveList, storage: SlowStorage, context: ServiceContext) => Promise<void>,
  clock: Clock = systemClock,
) {
  const storage = new SlowStorage(new MemoryStorage());
  const writer = await storage.writer(name, { copies: 1 });
  await writer.write(Buffer.from('an archive'));
  await writer.commit();
  const history = await openHistory({ path: ':memory:' });
  try {
    const context = new ServiceContext({
      loaded: { config: { storage: { main: storage } }, file: '/app/holdfast.config.ts' },
      history,
      access: {} as AccessStore,
      environment: {},
      clock,
      random: systemRandom,
      log: assert.fail,
    });
    await work(new ArchiveList(context), storage, context);
  } finally {
    await history.close();
  }
}

const isPinned = async (list: ArchiveList) => (await list.snapshot()).byName.get(name)?.isPinned;

test('what changes while the storages are read is in what is shown next', async () => {
  await withList(async (list, storage) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    storage.gate = promise;
    const before = list.refresh();
    // By now all is listed, and nothing of it is taken over.
    await setImmediate();
    await pinArchive({ storage, name });
    list.invalidate();
    const shown = isPinned(list);
    resolve();
    await before;
    assert.equal(await shown, true);
  });
});

test('two lists of one moment are told apart', async () => {
  await withList(async (list, storage) => {
    assert.equal(await isPinned(list), false);
    await pinArchive({ storage, name });
    await list.refresh();
    assert.equal(await isPinned(list), true);
  }, new FakeClock());
});

test('what changes while an older list is judged anew is in what is shown next', async () => {
  await withList(async (list, storage, context) => {
    assert.equal(await isPinned(list), false);
    // The history has news: what is shown is made anew, a little later, of the list that there is.
    Object.defineProperty(context.digest, 'version', { value: 1000 });
    assert.equal(await isPinned(list), false);
    await pinArchive({ storage, name });
    list.invalidate();
    assert.equal(await isPinned(list), true);
  });
});
