/** What an archive writer keeps in memory, and how whoever waits for it hears of a failure. */
import assert from 'node:assert/strict';
import { after, describe, type TestContext, test } from 'node:test';
import {
  batchBytes,
  collect,
  entriesOf,
  plainHeader,
  readIndex,
  workers,
  write,
} from '../../test/archive/write-alike.ts';
import { chunksOf } from '../../test/archive/write-sample.ts';
import { ArchiveWriter } from './archive-writer.ts';
import { sealedOverheadBytes } from './seal/segment-cipher.ts';
import { ArchiveWorkers, WorkerPool } from './worker/worker-pool.ts';

after(() => workers.close());

describe('memory', () => {
  /** Counts what is lent at once, by size; and what is lent just now. */
  function observe(t: TestContext, pool: WorkerPool) {
    const most = new Map<number, number>();
    const lent = new Map<ArrayBufferLike, number>();
    const { take, giveBack } = pool.memory;
    t.mock.method(pool.memory, 'take', (sizeBytes: number) => {
      const memory = take.call(pool.memory, sizeBytes);
      lent.set(memory.buffer, sizeBytes);
      const count = [...lent.values()].filter((size) => size === sizeBytes).length;
      most.set(sizeBytes, Math.max(count, most.get(sizeBytes) ?? 0));
      return memory;
    });
    t.mock.method(pool.memory, 'giveBack', (buffer: ArrayBufferLike) => {
      lent.delete(buffer);
      giveBack.call(pool.memory, buffer);
    });
    return { most, lent };
  }

  test('is two buffers of sealed segments for one thread, and one of plain ones more than entries at once', async (t) => {
    const pool = new WorkerPool(0);
    const { most } = observe(t, pool);
    const options = plainHeader({ segmentSizeBytes: 1000 });
    const gate = Promise.withResolvers<void>();
    const sink = () => gate.promise;
    const writer = await ArchiveWriter.create({ ...options, workers: pool, sink, parallelEntries: 2 });
    const adding = ['a', 'b'].map((path) =>
      writer.add({ path, kind: 'file', metadata: {} }, chunksOf(new Uint8Array(40 * 64_000), 64_000)),
    );
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const [plainBytes, sealedBytes] = [64 * 1000, 64 * (1000 + sealedOverheadBytes)];
    assert.equal(most.get(sealedBytes), 2);
    assert.equal(most.get(plainBytes), 2);
    gate.resolve();
    await Promise.all(adding);
    await writer.finish();
    assert.equal(most.get(sealedBytes), 2);
    assert.ok((most.get(plainBytes) ?? 0) <= 3);
    await pool.close();
  });

  test('is given back when the archive is written, whatever the entries were', async (t) => {
    const { lent } = observe(t, workers);
    for (const sizes of [[], [0], [5], [batchBytes], [0, batchBytes, 0], [batchBytes + 1, 7]]) {
      for (const isReadInto of [true, false]) {
        for (const isSizeKnown of [true, false]) {
          await write(plainHeader(), entriesOf(sizes), { isReadInto, isSizeKnown });
          assert.equal(lent.size, 0, `sizes ${sizes}`);
        }
      }
    }
  });

  test('holds a few parts of the index, however slow the sink is and however many entries have no bytes', async () => {
    const gate = Promise.withResolvers<void>();
    const writer = await ArchiveWriter.create({ ...plainHeader(), workers, sink: () => gate.promise });
    let added = 0;
    const adding = (async () => {
      for (; added < 40; added += 1) {
        await writer.add({ path: `e/${added}`, kind: 'link', metadata: { target: 'x'.repeat(600_000) } }, undefined);
      }
    })();
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    // Three windows of blocks are 6.5 MiB: 11 parts, and those that wait for the next one.
    assert.ok(added > 0 && added <= 13, `${added} entries`);
    gate.resolve();
    await adding;
    assert.equal((await writer.finish()).entryCount, 40);
  });
});

describe('a failure', () => {
  test('of the sink, at any of its calls, ends the writing with it', async () => {
    const options = plainHeader({ dataBlocks: 1 });
    const failure = new Error('the disk is full');
    const entries = entriesOf([5 * batchBytes, 3, 30 * batchBytes]);
    const fail = async (failing: number) => {
      let calls = 0;
      const sink = async () => {
        calls += 1;
        if (calls === failing) throw failure;
      };
      const writer = await ArchiveWriter.create({ ...options, workers, sink });
      let outcome: unknown;
      try {
        for (const { path, bytes } of entries) {
          await writer.add({ path, kind: 'file', metadata: {} }, chunksOf(bytes, 700));
        }
        await writer.finish();
      } catch (error) {
        outcome = error;
      }
      return { calls, outcome };
    };
    const { calls, outcome } = await fail(0);
    assert.equal(outcome, undefined);
    assert.ok(calls > 10);
    for (let failing = 1; failing <= calls; failing += 1) {
      assert.equal((await fail(failing)).outcome, failure, `call ${failing} of ${calls}`);
    }
  });

  test('of a source ends its entry alone', async () => {
    const options = plainHeader();
    const { sink, bytes } = collect();
    const writer = await ArchiveWriter.create({ ...options, workers, sink });
    const failing = async function* () {
      yield Buffer.from('lost');
      throw new Error('the source failed');
    };
    const input = { path: 'a', kind: 'file', metadata: {} };
    await assert.rejects(writer.add(input, failing()), /the source failed/);
    await writer.add({ ...input, path: 'b' }, chunksOf(Buffer.from('kept'), 9));
    assert.equal((await writer.finish()).entryCount, 1);
    const { entries } = await readIndex(bytes());
    assert.deepEqual(
      entries.map(({ path, sizeBytes }) => [path, sizeBytes]),
      [['b', 4]],
    );
  });

  test('of the slots ends the writing, though they fail before anything is written', async () => {
    const options = plainHeader();
    const failure = new Error('the key could not be derived');
    const slots = Promise.reject(failure);
    const writer = await ArchiveWriter.create({
      ...options,
      slots,
      workers,
      sink: () => assert.fail('nothing is written'),
    });
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(async () => {
      await writer.add({ path: 'a', kind: 'file', metadata: {} }, undefined);
      await writer.finish();
    }, failure);
  });

  test('of a hash ends the writing', async (t) => {
    const pool = new WorkerPool(0);
    const failure = new Error('the thread ended');
    t.mock.method(pool, 'hash', () => Promise.reject(failure));
    const { sink } = collect();
    const writer = await ArchiveWriter.create({ ...plainHeader(), workers: pool, sink });
    const adding = writer.add({ path: 'a', kind: 'file', metadata: {} }, chunksOf(new Uint8Array(batchBytes), 99));
    // Nobody asks for a while: a rejection that nobody takes would fail this test.
    await adding.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(async () => {
      await adding;
      await writer.finish();
    }, failure);
    await pool.close();
  });

  const turns = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const input = { path: 'a', kind: 'file', metadata: {} };
  /** Batches of 64,000 bytes, some blocks each. */
  const blocky = () => plainHeader({ segmentSizeBytes: 1000 });
  const endless = async function* () {
    for (;;) yield new Uint8Array(64_000);
  };

  test('wakes an entry that waits for its turn', async (t) => {
    const pool = new WorkerPool(0);
    const failure = new Error('the thread ended');
    const hashing = Promise.withResolvers<never>();
    t.mock.method(pool, 'hash', () => hashing.promise);
    const options = { ...blocky(), workers: pool, sink: collect().sink, parallelEntries: 2, maximumRuns: 1 };
    const writer = await ArchiveWriter.create(options);
    const gate = Promise.withResolvers<void>();
    const paused = async function* () {
      yield new Uint8Array(64_000);
      await gate.promise;
      yield* endless();
    };
    const first = writer.add(input, paused());
    await turns();
    const second = writer.add(input, endless());
    await turns();
    hashing.reject(failure);
    await assert.rejects(second, failure);
    gate.resolve();
    await assert.rejects(first, failure);
    await pool.close();
  });

  test('wakes an entry that waits for memory which who failed does not give back', async (t) => {
    const pool = new WorkerPool(0);
    const failure = new Error('the thread ended');
    const hashing = Promise.withResolvers<never>();
    t.mock.method(pool, 'hash', () => hashing.promise);
    const writer = await ArchiveWriter.create({ ...blocky(), workers: pool, sink: collect().sink });
    const adding = writer.add(input, endless());
    await turns();
    hashing.reject(failure);
    await assert.rejects(adding, failure);
    await pool.close();
  });

  test('wakes an entry that waits for a storage that hangs', async (t) => {
    const pool = new WorkerPool(0);
    const failure = new Error('the thread ended');
    t.mock.method(pool, 'hash', () => Promise.reject(failure));
    const sink = () => new Promise<never>(() => undefined);
    const writer = await ArchiveWriter.create({ ...blocky(), workers: pool, sink, parallelEntries: 2 });
    const many = (async () => {
      for (;;) await writer.add({ ...input, metadata: { target: 'x'.repeat(600_000) } }, undefined);
    })();
    const ended = assert.rejects(many, failure);
    await turns();
    await assert.rejects(writer.add(input, endless()), failure);
    await ended;
    await pool.close();
  });

  test('of a part of the index ends the entry in whose middle it is', async (t) => {
    const failure = new Error('the thread ended');
    const { run } = ArchiveWorkers.prototype;
    const fail = function fail(this: ArchiveWorkers, ...given: Parameters<typeof run>) {
      const [name, task] = given;
      const isIndex = name === 'seal' && (task as { kind: number }).kind === 1;
      return isIndex ? Promise.reject(failure) : run.apply(this, given);
    };
    t.mock.method(ArchiveWorkers.prototype, 'run', fail);
    const writer = await ArchiveWriter.create({ ...blocky(), workers, sink: collect().sink });
    const metadata = { filler: 'x'.repeat(512 * 1024 - 2000) };
    await writer.add({ ...input, metadata }, undefined);
    const slowly = async function* () {
      for await (const chunk of endless()) {
        yield chunk;
        await turns();
      }
    };
    await assert.rejects(writer.add({ ...input, path: 'b' }, slowly()), failure);
  });

  test('more entries at once than it was made for are a mistake', async () => {
    const { sink } = collect();
    const never = new Promise<never>(() => undefined);
    const waiting = async function* () {
      yield Buffer.from('a');
      await never;
    };
    const add = (writer: ArchiveWriter) => writer.add({ path: 'a', kind: 'file', metadata: {} }, waiting());
    const one = await ArchiveWriter.create({ ...plainHeader(), workers, sink });
    void add(one);
    await assert.rejects(add(one), { code: 'ERR_ASSERTION' });
  });
});
