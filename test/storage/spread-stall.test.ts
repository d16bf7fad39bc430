/** Archives over storages one of which takes all and never says that it is done. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import type { StorageWriter, WriterOptions } from '../../src/storage/storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { FakeClock, SeededRandom } from '../../src/testing/index.ts';
import { listNames } from '../../src/testing/storage-case.ts';
import { read, twoArchives, world, write } from './spread-world.ts';

let archive: Uint8Array;

before(async () => {
  [archive] = await twoArchives();
});

/** Its commits never end once the check is over. */
class EndlessStorage extends ForwardingStorage {
  readonly #checked = Promise.withResolvers<void>();
  readonly checked = this.#checked.promise;

  override async writer(object: string, options: WriterOptions): Promise<StorageWriter> {
    const inner = await this.inner.writer(object, options);
    const commit: StorageWriter['commit'] = (check) =>
      inner.commit(async (stored) => {
        await check?.(stored);
        this.#checked.resolve();
        await new Promise(() => undefined);
      });
    return { write: (bytes) => inner.write(bytes), commit, abort: () => inner.abort() };
  }
}

test('a storage whose commit never ends after the check is given up, and the archive stands on the others', async () => {
  const stallTimeoutMs = 60_000;
  const { inner, storage } = world();
  const endless = new EndlessStorage(inner[4] ?? assert.fail());
  const members = storage.members.map((member, index) => (index === 4 ? { ...member, storage: endless } : member));
  const clock = new FakeClock();
  const waiting = new Set<() => void>();
  const wait = async (_durationMs: number, signal?: AbortSignal) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal?.addEventListener('abort', () => resolve(), { once: true });
    waiting.add(resolve);
    await promise;
    waiting.delete(resolve);
  };
  const shape = { data: 3, parity: 2 };
  const spread = new SpreadStorage({ shape, members, stallTimeoutMs, clock, wait, random: new SeededRandom(9) });
  const results: Awaited<ReturnType<typeof write>>[] = [];
  const writing = write(spread, archive).then((written) => {
    results.push(written);
  });
  const pass = async (durationMs: number) => {
    clock.advance(durationMs);
    for (const resolve of waiting) resolve();
    for (let turns = 0; turns < 200 && results.length === 0; turns += 1) await setImmediate();
  };
  await endless.checked;
  await pass(stallTimeoutMs - 1);
  assert.equal(results.length, 0, 'it is given up too early');
  await pass(1);
  assert.equal(results.length, 1, 'it is still waited for');
  await writing;
  assert.deepEqual(results[0]?.failed, ['e']);
  assert.ok((await read(storage)).equals(archive));
  for (const one of inner.slice(0, 4)) assert.equal((await listNames(one)).length, 1);
});
