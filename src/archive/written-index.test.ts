/** In what parts an archive writer writes the index, and where. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, test } from 'node:test';
import {
  batchBytes,
  collect,
  entriesOf,
  plainHeader,
  readIndex,
  workers,
  write,
} from '../../test/archive/write-alike.ts';
import { chunksOf, listEntries, openSample } from '../../test/archive/write-sample.ts';
import type { ReferenceEntry } from '../../vectors/reference-writer.ts';
import { ArchiveWriter } from './archive-writer.ts';
import { maximumIndexPartBytes } from './entry/index-part.ts';
import type { Header } from './header.ts';
import type { EntryMetadata } from './json.ts';
import { WorkerPool } from './worker/worker-pool.ts';

after(() => workers.close());

describe('the index', () => {
  const partBytes = 512 * 1024;
  /** Entries with so much metadata, and of these sizes. */
  const entriesWith = (...entries: readonly (readonly [filler: number, size?: number])[]): ReferenceEntry[] =>
    entriesOf(entries.map(([, size = 0]) => size)).map((entry, index) => {
      return { ...entry, metadata: { filler: 'x'.repeat(entries[index]?.[0] ?? 0) } };
    });
  /** What the line of such an entry takes: the line itself, and the room of a run. */
  const lineBytes = (size = 0, runs: readonly number[][] = []) => {
    const [{ path, kind, metadata } = assert.fail()] = entriesWith([0]);
    const line = { path, kind, size, sha256: '0'.repeat(64), runs, metadata };
    return JSON.stringify(line).length + 1 + 28;
  };
  const partsOf = async (entries: readonly ReferenceEntry[], changes: Partial<Header> = {}) => {
    const { bytes } = await write(plainHeader(changes), entries);
    const { entries: listed, tail } = await readIndex(bytes);
    assert.equal(listed.length, entries.length);
    return tail.indexPartCount;
  };

  test('is written in parts as soon as half a MiB of it waits', async () => {
    const exactly = partBytes - lineBytes();
    assert.equal(await partsOf(entriesWith([exactly - 1])), 1);
    assert.equal(await partsOf(entriesWith([exactly])), 2);
    const half = Math.floor(exactly / 2);
    const rest = exactly - half - lineBytes();
    assert.equal(await partsOf(entriesWith([half], [rest - 1], [0])), 2);
    assert.equal(await partsOf(entriesWith([half], [rest - 1])), 1);
    assert.equal(await partsOf(entriesWith([half], [rest])), 2);
    const large = [200_000] as const;
    assert.equal(await partsOf(entriesWith(large, large, large, large, large, large, large)), 3);
  });

  test('counts 20 bytes for each segment since the last part', async () => {
    // The batch of 64 segments is full, so that the entry has its place when it ends.
    const room = partBytes - 20 * 64 - lineBytes(batchBytes, [[0, 0, batchBytes]]);
    assert.equal(await partsOf(entriesWith([room - 1, batchBytes])), 1);
    assert.equal(await partsOf(entriesWith([room, batchBytes])), 2);
    // The same again behind the first part, which is segment 64: the number of the next one has one digit more.
    assert.equal(await partsOf(entriesWith([room, batchBytes], [room - 2, batchBytes])), 2);
    assert.equal(await partsOf(entriesWith([room, batchBytes], [room - 1, batchBytes])), 3);
  });

  test('is written in the middle of an entry too, where that is long', async () => {
    // Four batches, of which two fill the part.
    const room = partBytes - 20 * 128 - lineBytes();
    const { bytes } = await write(plainHeader(), entriesWith([room], [0, 4 * batchBytes]));
    const reader = await openSample(workers, { bytes: new Uint8Array(bytes), dataKey: undefined });
    const numbers = [...reader.index.dataSegments()].map(({ number }) => number);
    assert.deepEqual(
      numbers,
      [...Array(257).keys()].filter((number) => number !== 128),
    );
    assert.equal((await listEntries(reader)).length, 2);
  });

  test('waits for the digests of its entries', async (t) => {
    const pool = new WorkerPool(0);
    const { hash } = pool;
    t.mock.method(pool, 'hash', async (...given: Parameters<typeof hash>) => {
      const digests = await hash.apply(pool, given);
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      return digests;
    });
    const { sink, bytes } = collect();
    const writer = await ArchiveWriter.create({ ...plainHeader(), workers: pool, sink });
    const [entry] = entriesOf([5]) as [ReferenceEntry];
    await writer.add({ path: entry.path, kind: 'file', metadata: {} }, chunksOf(entry.bytes, 99));
    await writer.finish();
    const [read] = (await readIndex(bytes())).entries;
    assert.equal(read?.sha256, createHash('sha256').update(entry.bytes).digest('hex'));
    await pool.close();
  });

  test('of an entry whose batch is not full waits for its places, and its batch goes at once', async () => {
    const { bytes } = await write(plainHeader(), entriesWith([partBytes, 5], [0, 3]));
    const { entries, tail } = await readIndex(bytes);
    assert.equal(tail.indexPartCount, 2);
    // The second entry lies behind the first part, which is segment 1.
    assert.deepEqual(
      entries.map(({ runs }) => runs),
      [[{ segment: 0, offset: 0, length: 5 }], [{ segment: 2, offset: 0, length: 3 }]],
    );
  });

  test('leaves an entry whose bytes have no place yet to a later part', async () => {
    const { sink, bytes } = collect();
    const writer = await ArchiveWriter.create({ ...plainHeader(), workers, sink, parallelEntries: 2 });
    const gate = Promise.withResolvers<void>();
    const slow = async function* () {
      yield Buffer.from('abc');
      await gate.promise;
    };
    const [first, second, third] = entriesWith([0, 5], [0, 3], [partBytes]) as [
      ReferenceEntry,
      ReferenceEntry,
      ReferenceEntry,
    ];
    const add = ({ path, metadata = {} }: ReferenceEntry, contents?: AsyncIterable<Uint8Array>) =>
      writer.add({ path, kind: 'file', metadata: metadata as EntryMetadata }, contents);
    await add(first, chunksOf(first.bytes, 99));
    // The second goes on in the batch of the first, while the third makes a part.
    const adding = add(second, slow());
    await add(third);
    gate.resolve();
    await adding;
    await writer.finish();
    const { entries, tail } = await readIndex(bytes());
    assert.equal(tail.indexPartCount, 2);
    assert.deepEqual(
      entries.map(({ path, runs }) => [path, runs]),
      [
        [third.path, []],
        [first.path, [{ segment: 1, offset: 0, length: 5 }]],
        [second.path, [{ segment: 1, offset: 5, length: 3 }]],
      ],
    );
  });

  test('of one entry has a part at most: 16 MiB, and not a byte more', async () => {
    const { bytes } = await write(plainHeader(), entriesWith([0]));
    const { tail } = await readIndex(bytes);
    const filler = maximumIndexPartBytes - (tail.lastIndexPart.length - 16);
    const large = plainHeader({ segmentSizeBytes: 1 << 20 });
    assert.equal((await write(large, entriesWith([filler]))).entryCount, 1);
    await assert.rejects(write(large, entriesWith([filler + 1])), {
      code: 'operation.failed',
      message: 'the index of an entry is too large',
    });
  });
});
