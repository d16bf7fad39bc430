/** The check of what is written, given batch by batch what a writer gave it once, or something else. */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  begin,
  blockBytes,
  Copies,
  failed,
  type Recorded,
  type Replayed,
  record,
  replay,
  turns,
  workers,
} from '../../test/archive/record-writing.ts';
import { HoldfastError } from '../errors.ts';
import type { ArchiveIndex } from './archive-index.ts';
import type { IndexEntry } from './entry/entry.ts';
import { Layout } from './heal/geometry.ts';
import type { WrittenBatch } from './written-check.ts';

after(() => workers.close());

const missing = failed('bytes are missing');
const contradicted = failed('the index says something else');

let one: Recorded;
let two: Recorded;
before(async () => {
  one = await record([100_000, 0, 5, 64_000, 28_000]);
  two = await record([70_000], { copies: 2 });
});

describe('what was written right', () => {
  test('passes, whichever of the digests of an entry comes first', async () => {
    const { copies } = await replay(one);
    // Each batch once, with the blocks that it shares with its neighbours.
    assert.deepEqual(copies.reads, [
      [0, 3, 17],
      [0, 19, 17],
      [0, 35, 17],
      [0, 51, 1],
    ]);
    await replay(one, ({ check }) => {
      for (const [entry, sha256] of one.digests) check.expect(entry, sha256);
      check.expect = () => undefined;
    });
    await replay(await record([]));
    await replay(await record([0]));
  });

  test('is proven block by block, where all copies were read and are still those', async () => {
    const proven = async (recorded: Recorded, prepare?: (replayed: Replayed) => void) => {
      const { check } = await replay(recorded, prepare);
      return [...check.provenBlocks.gaps(0, 100)].map(({ start, end }) => [start, end]);
    };
    // The last of the data blocks may hold the index alone: it is no matter of the check.
    assert.deepEqual(await proven(one), [[49, 100]]);
    assert.deepEqual(await proven(two), [[18, 100]]);
    assert.deepEqual(await proven(await record([70_000], { copies: 3 })), [[0, 100]]);
    assert.deepEqual(await proven(two, ({ copies }) => (copies.isKept = false)), [[0, 100]]);
    const lacking = ({ copies }: Replayed) => {
      copies.onRead = (copy) => copy === 0 || copies.reads.length > 2;
    };
    // The second batch alone, which begins in the last block of the first.
    assert.deepEqual(await proven(two, lacking), [
      [0, 16],
      [18, 100],
    ]);
  });

  test('is read from both copies of several, and from no third', async () => {
    const three = await record([70_000], { copies: 3 });
    const { copies } = await replay(three);
    assert.deepEqual(copies.reads.map(([copy]) => copy).sort(), [0, 0, 1, 1]);
  });

  test('is read piece by piece where bands end', async () => {
    // Bands of 64 data blocks, three of header before them and 128 of parity behind.
    const banded = await record([64_000 * 5], { dataBlocks: 1 });
    const layout = new Layout(200, banded.header);
    const { copies } = await replay(banded);
    assert.deepEqual(copies.reads.slice(0, 6), [
      [0, 3, 17],
      [0, 19, 17],
      [0, 35, 17],
      [0, 51, 16],
      [0, layout.dataPosition(64), 1],
      [0, layout.dataPosition(64), 17],
    ]);
    // Of 64,384 sealed bytes each: the fifth begins in the last block of the first band.
    const late = await record([990 * 64 * 5], { segmentSizeBytes: 990, dataBlocks: 1 });
    const replayed = await replay(late);
    assert.deepEqual(replayed.copies.reads.slice(-2), [
      [0, layout.dataPosition(63), 1],
      [0, layout.dataPosition(64), 16],
    ]);
  });
});

describe('what is otherwise fails', () => {
  test('a digest', async () => {
    const [[entry, sha256] = assert.fail()] = one.digests;
    const changed = {
      ...one,
      digests: new Map(one.digests).set(
        entry,
        sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      ),
    };
    await assert.rejects(replay(changed), failed('the SHA-256 of an entry differs'));
    const lacking = new Map(one.digests);
    lacking.delete(entry);
    await assert.rejects(replay({ ...one, digests: lacking }), missing);
    await assert.rejects(replay({ ...one, digests: new Map(one.digests).set(1_000_000, sha256) }), missing);
  });

  test('a batch that is missing, or was not written to its end', async () => {
    await assert.rejects(replay({ ...one, batches: one.batches.slice(0, -1) }), missing);
    // The last block of the last batch is in part on the disk.
    const end = 52 * blockBytes;
    await replay(one, ({ copies }) => (copies.writtenBytes = end));
    await assert.rejects(
      replay(one, ({ copies }) => (copies.writtenBytes = end - 1)),
      missing,
    );
  });

  test('an entry that goes on', async () => {
    const open = one.batches.map((batch, index) => {
      const isLast = index === one.batches.length - 1;
      return isLast ? { ...batch, spans: batch.spans.map((span) => ({ ...span, last: false })) } : batch;
    });
    const some = new Map([...one.digests].slice(0, -1));
    await assert.rejects(replay({ ...one, batches: open, digests: some }), missing);
  });

  test('an entry that ends twice', async () => {
    const twice = one.batches.map((batch) => ({
      ...batch,
      spans: batch.spans.flatMap((span) => (span.last ? [span, span] : [span])),
    }));
    await assert.rejects(replay({ ...one, batches: twice }), { code: 'archive.verify_failed' });
  });

  test('blocks: any byte of any copy', async () => {
    for (const copy of [0, 1]) {
      for (const at of [0, 16, 28, 32, 2000, 4063, 4064, 4079, 4080, 4095]) {
        for (const [read, segment] of [
          [0, 0],
          [1, 64],
        ]) {
          let reads = 0;
          const flip = ({ copies }: Replayed) => {
            copies.onRead = (of, into) => {
              if (of === copy && reads++ === read) into[at] = (into[at] ?? 0) ^ 1;
            };
          };
          await assert.rejects(replay(two, flip), failed(`segment ${segment} or one behind it differs`));
        }
      }
    }
  });

  test('a first copy that lacks bytes', async () => {
    const lacking = ({ copies }: Replayed) => {
      copies.onRead = (copy) => copy === 1 || copies.reads.length < 3;
    };
    await assert.rejects(replay(two, lacking), failed('segment 64 cannot be read'));
  });

  test('an index with other segments', async () => {
    const segments = [...one.index.dataSegments()];
    const replayWith = (changed: readonly object[]) => {
      return replay({ ...one, index: { dataSegments: () => changed } as unknown as ArchiveIndex });
    };
    await replayWith(segments);
    for (const field of ['number', 'offset', 'length', 'maximumPlainBytes'] as const) {
      const changed = segments.map((segment, index) =>
        index === 70 ? { ...segment, [field]: segment[field] + 1 } : segment,
      );
      await assert.rejects(replayWith(changed), contradicted, field);
    }
    await assert.rejects(replayWith(segments.slice(0, -1)), contradicted);
    await assert.rejects(replayWith(segments.toReversed()), contradicted);
  });

  test('an index with other entries, in whatever order', async () => {
    const { entries } = one;
    const replayWith = (changed: readonly IndexEntry[]) => replay({ ...one, entries: changed });
    await replayWith(entries.toReversed());
    // Of one without bytes the check knows nothing.
    await replayWith(entries.filter(({ sizeBytes }) => sizeBytes > 0));
    const change = (at: number, changes: Partial<IndexEntry>) =>
      entries.map((entry, index) => (index === at ? { ...entry, ...changes } : entry));
    const [{ runs } = assert.fail()] = entries;
    await assert.rejects(replayWith(change(0, { sha256: 'ab'.repeat(32) })), contradicted);
    for (const field of ['segment', 'offset', 'length'] as const) {
      const moved = runs.map((run) => ({ ...run, [field]: run[field] + 1 }));
      await assert.rejects(replayWith(change(0, { runs: moved })), contradicted, field);
    }
    await assert.rejects(replayWith(change(0, { runs: [...runs, ...runs] })), contradicted);
    await assert.rejects(replayWith(entries.slice(1)), contradicted);
    // Twice more the same one takes itself out of a sum, but not out of the count.
    const [first] = entries as [IndexEntry];
    await assert.rejects(replayWith([...entries, first, first]), contradicted);
    // What two entries have is not exchanged.
    const [a, , , d] = entries as [IndexEntry, IndexEntry, IndexEntry, IndexEntry];
    const exchanged = entries.map((entry) =>
      entry === a ? { ...a, sha256: d.sha256 } : entry === d ? { ...d, sha256: a.sha256 } : entry,
    );
    await assert.rejects(replayWith(exchanged), contradicted);
  });
});

describe('while it is written', () => {
  let long: Recorded;
  before(async () => {
    long = await record([64_000 * 18]);
  });

  /** A check whose reads wait until they are let go on, one by one. */
  function gated(recorded: Recorded) {
    const gates: (() => void)[] = [];
    const { check, copies } = begin(recorded);
    copies.onRead = () => new Promise((resolve) => gates.push(resolve));
    return { check, copies, gates };
  }

  async function isSettled(promise: Promise<unknown>): Promise<boolean> {
    let settled = false;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    await turns();
    return settled;
  }

  test('three batches are read at once, and ten more may wait before the writer does', async () => {
    const { check, copies, gates } = gated(long);
    for (const batch of long.batches.slice(0, 13)) check.add(batch);
    assert.ok(await isSettled(check.room()));
    assert.equal(copies.reads.length, 3);
    check.add(long.batches[13] as WrittenBatch);
    const room = check.room();
    assert.ok(!(await isSettled(room)));
    gates.shift()?.();
    assert.ok(await isSettled(room));
    assert.equal(copies.reads.length, 4);
    // The order of reading is that of writing, whichever ends first.
    gates.pop()?.();
    await turns();
    assert.equal(copies.reads.length, 4);
    for (; gates.length > 0; await turns()) for (const open of gates.splice(0)) open();
    assert.equal(copies.reads.length, 14);
    await check.pause();
  });

  test('what has not reached the disk keeps nobody waiting', async () => {
    const { check, copies, gates } = gated(long);
    copies.writtenBytes = (3 + 17) * blockBytes - 1;
    for (const batch of long.batches) check.add(batch);
    assert.ok(await isSettled(check.room()));
    assert.equal(copies.reads.length, 0);
    copies.writtenBytes += 1;
    check.advance();
    await turns();
    assert.equal(copies.reads.length, 1);
    // The eleventh that waits counts, once it is written.
    copies.writtenBytes = copies.bytes.length;
    const room = check.room();
    assert.ok(!(await isSettled(room)));
    assert.equal(copies.reads.length, 3);
    for (let done = 0; done < 5; done += 1) {
      gates.shift()?.();
      await turns();
    }
    assert.ok(!(await isSettled(room)));
    gates.shift()?.();
    assert.ok(await isSettled(room));
    check.pause().catch(() => undefined);
    for (; gates.length > 0; await turns()) for (const open of gates.splice(0)) open();
  });

  test('a batch is read as soon as its last block is written, to which it gives one byte or all', async () => {
    for (const [size, segmentSizeBytes, blocks] of [
      // Three segments of 1,016 bytes and one of 985: one more than a payload.
      [3969, 1000, 2],
      // 64 of 1,008 bytes: 16 payloads.
      [64 * 992, 992, 16],
    ] as const) {
      const recorded = await record([size], { segmentSizeBytes });
      const { check, copies } = begin(recorded);
      copies.writtenBytes = (3 + blocks) * blockBytes - 1;
      for (const batch of recorded.batches) check.add(batch);
      await turns();
      assert.deepEqual(copies.reads, []);
      copies.writtenBytes += 1;
      check.advance();
      await check.pause();
      assert.deepEqual(copies.reads, [[0, 3, blocks]]);
    }
  });

  test('a pause waits for what is under way and begins nothing more; the end goes on', async () => {
    const { check, copies, gates } = gated(long);
    for (const batch of long.batches) check.add(batch);
    for (const [entry, sha256] of long.digests) check.expect(entry, sha256);
    await turns();
    const pause = check.pause();
    for (const open of gates.splice(0, 2)) open();
    assert.ok(!(await isSettled(pause)));
    gates.shift()?.();
    assert.ok(await isSettled(pause));
    assert.equal(copies.reads.length, 3);
    check.advance();
    assert.equal(copies.reads.length, 3);
    const complete = new Copies(long.bytes);
    await check.finish(complete, long.index, long.entries);
    assert.equal(copies.reads.length + complete.reads.length, 18);
  });

  test('a failure is thrown to who waits, and nothing more is read', async () => {
    const failure = new HoldfastError('storage.failed');
    const { check, copies, gates } = gated(long);
    for (const batch of long.batches) check.add(batch);
    await turns();
    const room = check.room();
    copies.onRead = () => {
      throw failure;
    };
    for (const open of gates.splice(0)) open();
    await assert.rejects(room, failure);
    const { length } = copies.reads;
    assert.ok(length <= 6);
    check.advance();
    await assert.rejects(check.room(), failure);
    await assert.rejects(check.pause(), failure);
    await assert.rejects(check.finish(new Copies(long.bytes), long.index, long.entries), failure);
    assert.equal(copies.reads.length, length);
  });

  test('a digest that differs is thrown at the next look', async () => {
    const { check } = begin(one);
    for (const batch of one.batches) check.add(batch);
    await turns();
    for (const [entry] of one.digests) check.expect(entry, 'ab'.repeat(32));
    await assert.rejects(check.room(), failed('the SHA-256 of an entry differs'));
  });
});

describe('memory', () => {
  test('is that of three batches: sealed ones of each copy that is read, and plain ones', async (t: TestContext) => {
    const taken: number[] = [];
    const { take } = workers.memory;
    const recorded = await record([64_000 * 10], { copies: 2 });
    t.mock.method(workers.memory, 'take', (sizeBytes: number) => {
      taken.push(sizeBytes);
      return take.call(workers.memory, sizeBytes);
    });
    const gates: (() => void)[] = [];
    const { check, copies } = begin(recorded);
    copies.onRead = () => new Promise((resolve) => gates.push(resolve));
    for (const batch of recorded.batches) check.add(batch);
    await turns();
    const count = (test: (sizeBytes: number) => boolean) => taken.filter(test).length;
    assert.equal(
      count((sizeBytes) => sizeBytes === 64_000),
      3,
    );
    assert.equal(
      count((sizeBytes) => sizeBytes > 64_000),
      6,
    );
    for (; gates.length > 0; await turns()) for (const open of gates.splice(0)) open();
    await check.pause();
    assert.equal(copies.reads.length, 20);
  });
});
