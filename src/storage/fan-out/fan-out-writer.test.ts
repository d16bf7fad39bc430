import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Wait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { FaultyStorage, type StorageFaults } from '../../testing/faulty-storage.ts';
import { storageCases } from '../../testing/storage-cases.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import { ForwardingStorage } from '../wrap/forwarding-storage.ts';
import { FanOutWriter } from './fan-out-writer.ts';

const name = 'shop.holdfast';
const chunk = new Uint8Array(1000).fill(7);

function faulty(faults: StorageFaults): FaultyStorage {
  return new FaultyStorage(new MemoryStorage(), { seed: 1, faults });
}

function targets(...storages: Storage[]) {
  return storages.map((storage, index) => ({ label: `s${index}`, storage, name }));
}

async function sizeIn(storage: Storage): Promise<number | undefined> {
  try {
    return (await storage.stat(name)).sizeBytes;
  } catch {
    return undefined;
  }
}

/** A clock whose time passes when it is told to, and all that waits is asked again. */
class SteppedClock extends FakeClock {
  readonly #waiting: (() => void)[] = [];

  override readonly wait: Wait = async (_durationMs, signal) => {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push(resolve);
      signal?.addEventListener('abort', () => reject(new HoldfastError('operation.interrupted')), { once: true });
    });
  };

  pass(durationMs: number): void {
    this.advance(durationMs);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('all storages get the same bytes, and each is checked', async () => {
  const storages = [new MemoryStorage(), new MemoryStorage(), new MemoryStorage()];
  const writer = await FanOutWriter.open(targets(...storages), { copies: 2 });
  for (let count = 0; count < 50; count += 1) await writer.write(chunk);
  let running = 0;
  let checks = 0;
  await writer.commit(async (stored) => {
    running += 1;
    assert.equal(running, 1, 'one check at a time');
    assert.equal(stored.sizeBytes, 100_000);
    await turn();
    running -= 1;
    checks += 1;
  });
  assert.equal(checks, 3);
  for (const storage of storages) assert.equal(await sizeIn(storage), 100_000);
});

test('each storage is told what the writer was told', async () => {
  const seen: unknown[] = [];
  const storage = new ForwardingStorage(new MemoryStorage());
  storage.writer = async (object, options) => {
    seen.push(options.copies, options.expectedSizeBytes, Object.keys(options).sort());
    return new MemoryStorage().writer(object, options);
  };
  await FanOutWriter.open(targets(storage), { copies: 3, expectedSizeBytes: 12_345, bufferBytes: 1 });
  assert.deepEqual(seen, [3, 12_345, ['copies', 'expectedSizeBytes', 'onReplicate', 'signal']]);
});

test('one that fails at any point leaves nothing there, and does not stop the others', async () => {
  const faults: StorageFaults[] = [
    { callErrorRate: 1 },
    { writeFailure: { atByte: 0 } },
    { writeFailure: { atByte: 2500 } },
    { commitFailure: { when: 'before' } },
  ];
  for (const fault of faults) {
    const [good, bad] = [new MemoryStorage(), faulty(fault)];
    const writer = await FanOutWriter.open(targets(bad, good), { copies: 1 });
    for (let count = 0; count < 5; count += 1) await writer.write(chunk);
    const stored = await writer.commit();
    assert.equal(stored.sizeBytes, 5000);
    const [first, second] = writer.results;
    assert.ok(first?.error instanceof HoldfastError && first.stored === undefined, JSON.stringify(fault));
    assert.ok(second?.error === undefined && second?.stored?.sizeBytes === 5000);
    bad.faults = {};
    assert.equal(await sizeIn(bad), undefined);
    assert.equal(await sizeIn(good), 5000);
  }
});

test('a check that fails keeps the object from that storage alone', async () => {
  const [good, bad] = [new MemoryStorage(), new MemoryStorage()];
  const writer = await FanOutWriter.open(targets(bad, good), { copies: 1 });
  await writer.write(chunk);
  let checks = 0;
  await writer.commit(async () => {
    checks += 1;
    if (checks === 1) throw new HoldfastError('archive.verify_failed');
  });
  assert.equal(await sizeIn(bad), undefined);
  assert.equal(await sizeIn(good), 1000);
});

test('when none is left the error names each', async () => {
  const bad = () => faulty({ writeFailure: { atByte: 1500 } });
  const writer = await FanOutWriter.open(targets(bad(), bad()), { copies: 1 });
  await writer.write(chunk);
  const failed = (async () => {
    await writer.write(chunk);
    await writer.commit();
  })();
  await assert.rejects(failed, { code: 'storage.full', message: /^no storage took it: s0: .*; s1: / });
  await assert.rejects(FanOutWriter.open(targets(faulty({ callErrorRate: 1 })), { copies: 1 }), {
    code: 'storage.unavailable',
  });
});

test('a slow storage holds the run back, within the buffer, and one that stalls is given up', async () => {
  const clock = new SteppedClock();
  const [good, stalled] = [new MemoryStorage(), faulty({ writeStall: { atByte: 3000 } })];
  const options = { copies: 1, bufferBytes: 4000, stallTimeoutMs: 60_000, clock, wait: clock.wait };
  const writer = await FanOutWriter.open(targets(good, stalled), options);
  let written = 0;
  const writing = (async () => {
    for (; written < 20; written += 1) await writer.write(chunk);
  })();
  for (let count = 0; count < 50; count += 1) await turn();
  assert.equal(written, 7, 'three are through, four wait in the buffer');
  clock.pass(59_000);
  for (let count = 0; count < 50; count += 1) await turn();
  assert.equal(written, 7);
  clock.pass(1000);
  await writing;
  await writer.commit();
  assert.equal(await sizeIn(good), 20_000);
  const [, second] = writer.results;
  assert.ok(second?.error instanceof HoldfastError);
  assert.equal(second.error.code, 'storage.timeout');
  assert.match(second.error.message, /nothing moved for 60 s/);
});

test('a check that reads does not stall, nor does a storage that waits for its turn', async () => {
  const clock = new SteppedClock();
  const storages = [new MemoryStorage(), new MemoryStorage()];
  const options = { copies: 1, stallTimeoutMs: 60_000, clock, wait: clock.wait };
  const writer = await FanOutWriter.open(targets(...storages), options);
  await writer.write(chunk);
  await writer.commit(async (stored) => {
    for (let count = 0; count < 3; count += 1) {
      clock.pass(59_000);
      for (let turns = 0; turns < 10; turns += 1) await turn();
      await stored.read(0, new Uint8Array(1));
    }
  });
  for (const storage of storages) assert.equal(await sizeIn(storage), 1000);
});

test('nothing is under way to the other storages while the first one is checked', async () => {
  const steps: string[] = [];
  const watched = (label: string) => {
    const storage = new ForwardingStorage(new MemoryStorage());
    const inner = storage.writer.bind(storage);
    storage.writer = async (object, options) => {
      const writer = await inner(object, options);
      const commit = writer.commit.bind(writer);
      return Object.assign(writer, {
        finishWriting: async () => void steps.push(`${label} finished`),
        commit: async (check?: Parameters<typeof commit>[0]) => {
          steps.push(`${label} commits`);
          return await commit(check);
        },
      });
    };
    return storage;
  };
  const all = targets(watched('one'), watched('other'));
  const writer = await FanOutWriter.open(all, { copies: 1, createOnly: true, needsFreeName: true });
  await writer.write(chunk);
  await writer.commit(async () => turn() as Promise<void>);
  assert.deepEqual(steps, ['one finished', 'other finished', 'one commits', 'other commits']);
});

test('a read that stalls in a check gives that storage up, and lets the next be checked', async () => {
  const clock = new SteppedClock();
  const [good, stalled] = [new MemoryStorage(), new MemoryStorage()];
  const options = { copies: 1, stallTimeoutMs: 60_000, clock, wait: clock.wait };
  const never = new ForwardingStorage(stalled);
  never.writer = async (object, writerOptions) => {
    const inner = await stalled.writer(object, writerOptions);
    const commit: typeof inner.commit = (check) =>
      inner.commit(check && ((stored) => check({ ...stored, read: () => new Promise(() => undefined) })));
    return { write: (bytes) => inner.write(bytes), commit, abort: () => inner.abort() };
  };
  const writer = await FanOutWriter.open(targets(never, good), options);
  await writer.write(chunk);
  const committed = writer.commit(async (stored) => void (await stored.read(0, new Uint8Array(1))));
  for (let turns = 0; turns < 20; turns += 1) await turn();
  clock.pass(60_000);
  await committed;
  assert.ok(writer.results[0]?.error instanceof HoldfastError);
  assert.equal(await sizeIn(stalled), undefined);
  assert.equal(await sizeIn(good), 1000);
});

test('a writer that is opened after its storage was given up is thrown away', async () => {
  const clock = new SteppedClock();
  const [good, late] = [new MemoryStorage(), new MemoryStorage()];
  const opened = Promise.withResolvers<void>();
  let aborted = 0;
  const slow = new ForwardingStorage(late);
  slow.writer = async (object, options) => {
    await opened.promise;
    const inner = await late.writer(object, { copies: options.copies });
    const abort = async () => {
      aborted += 1;
      await inner.abort();
    };
    return { write: (bytes) => inner.write(bytes), commit: (check) => inner.commit(check), abort };
  };
  const options = { copies: 1, stallTimeoutMs: 60_000, clock, wait: clock.wait };
  const opening = FanOutWriter.open(targets(slow, good), options);
  for (let turns = 0; turns < 5; turns += 1) await turn();
  clock.pass(60_000);
  const writer = await opening;
  opened.resolve();
  await writer.write(chunk);
  await writer.commit();
  for (let turns = 0; turns < 5; turns += 1) await turn();
  assert.equal(aborted, 1);
  assert.equal(await sizeIn(late), undefined);
  assert.equal(await sizeIn(good), 1000);
});

test('abort leaves nothing anywhere, and a signal ends it as interrupted', async () => {
  const storages = [new MemoryStorage(), new MemoryStorage()];
  const controller = new AbortController();
  const writer = await FanOutWriter.open(targets(...storages), { copies: 1, signal: controller.signal });
  await writer.write(chunk);
  controller.abort();
  await assert.rejects(writer.write(chunk), { code: 'operation.interrupted' });
  await writer.abort();
  for (const storage of storages) assert.equal(await sizeIn(storage), undefined);
});

/** A storage that writes to two others and reads from the first. */
class Mirrored extends ForwardingStorage {
  readonly #second = new MemoryStorage();

  override async writer(object: string, options: Parameters<Storage['writer']>[1]) {
    const storages = [this.inner, this.#second];
    return FanOutWriter.open(
      storages.map((storage, index) => ({ label: `s${index}`, storage, name: object })),
      options,
    );
  }
}

describe('writing to two storages keeps the contract', () => {
  for (const each of storageCases) test(each.name, () => each.run(async () => new Mirrored(new MemoryStorage())));
});
