import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import {
  chunksOf,
  listEntries,
  openSample,
  type SampleEntry,
  sampleDataKey,
  sampleHeader,
} from '../../test/archive/write-sample.ts';
import { SeededRandom } from '../testing/index.ts';
import { ArchiveWriter } from './archive-writer.ts';
import type { IndexEntry } from './entry/entry.ts';
import type { Header } from './header.ts';
import type { ReadBack } from './random-access.ts';
import { WorkerPool } from './worker/worker-pool.ts';
import { WrittenCheck } from './written-check.ts';

const workers = new WorkerPool(2);
after(() => workers.close());

/** What was written so far, as every copy has it, but for what a test changes. */
class Written implements ReadBack {
  readonly bytes: Buffer;
  writtenBytes = 0;
  /** Flips this byte of this copy on its way back. */
  flip: { readonly copy: number; readonly offset: number } | undefined;
  /** From here on copies but the first have nothing. */
  missingFrom = Number.POSITIVE_INFINITY;
  isKept = true;
  reads = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.alloc(capacity);
  }

  append(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.writtenBytes);
    this.writtenBytes += bytes.length;
  }

  async read(copy: number, offset: number, into: Uint8Array): Promise<boolean> {
    assert.ok(offset + into.length <= this.writtenBytes, 'only what is written is read');
    if (copy > 0 && offset + into.length > this.missingFrom) return false;
    this.reads++;
    into.set(this.bytes.subarray(offset, offset + into.length));
    const { flip } = this;
    if (flip?.copy === copy && flip.offset >= offset && flip.offset < offset + into.length) {
      into[flip.offset - offset] = (into[flip.offset - offset] ?? 0) ^ 1;
    }
    return true;
  }
}

function entriesOf(sizes: readonly number[]): SampleEntry[] {
  return sizes.map((size, index) => {
    const random = new SeededRandom(index);
    const bytes = index % 2 === 0 ? random.bytes(size) : Buffer.alloc(size, random.bytes(37));
    return { path: `e/${index}`, bytes };
  });
}

/** Writes entries while they are checked, and then lets the check finish with the index that was read back. */
async function writeChecked(
  header: Header,
  entries: readonly SampleEntry[],
  prepare: (written: Written) => void = () => {},
  listed: (entries: IndexEntry[]) => readonly IndexEntry[] = (all) => all,
): Promise<{ check: WrittenCheck; written: Written }> {
  const written = new Written(20_000_000);
  prepare(written);
  const check = new WrittenCheck({ workers, header, readBack: written });
  const dataKey = sampleDataKey(header);
  const sink = async (bytes: Uint8Array) => {
    written.append(bytes);
    check.advance();
  };
  const writer = await ArchiveWriter.create({ header, dataKey, workers, sink, check });
  for (const { path, bytes } of entries) {
    await writer.add({ path, kind: 'file', metadata: {} }, chunksOf(bytes, 300_000));
  }
  await writer.finish();
  await check.pause();
  const run = written.bytes.subarray(0, written.writtenBytes);
  const bytes = new Uint8Array(Buffer.concat(Array.from({ length: header.copies }, () => run)));
  const reader = await openSample(workers, { bytes, dataKey });
  await check.finish(written, reader.index, listed(await listEntries(reader)));
  return { check, written };
}

const changes: Partial<Header> = { cipher: 'aes-256-gcm', codec: 'zstd', copies: 2 };
const failed = { code: 'archive.verify_failed' };

test('what is written right passes, in any shape, and all its blocks are proven', async () => {
  const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 400_000 }));
  const property = fc.asyncProperty(
    fc.array(size, { maxLength: 12 }),
    fc.constantFrom(500, 4032, 65_536, 300_000, 1_048_576),
    fc.constantFrom(2, 30, 239),
    fc.integer({ min: 1, max: 3 }),
    async (sizes, segmentSizeBytes, dataBlocks, copies) => {
      const header = sampleHeader(1, { ...changes, segmentSizeBytes, dataBlocks, copies });
      const { check } = await writeChecked(header, entriesOf(sizes));
      const isEmpty = sizes.every((one) => one === 0);
      // Of a third copy nothing is known before the end.
      assert.equal([...check.provenBlocks.gaps(0, 1)].length, isEmpty || copies > 2 ? 1 : 0);
    },
  );
  await fc.assert(property, { seed: 1, numRuns: 40 });
});

test('entries that fill their batch exactly are followed to their end', async () => {
  const header = sampleHeader(2, { ...changes, segmentSizeBytes: 100_000 });
  const batch = 2_000_000;
  await writeChecked(header, entriesOf([batch, 1, batch - 1, batch, batch + 1, 0, 3 * batch]));
});

test('what compresses well goes on though the disk takes many batches at once, after they were handed over', async () => {
  const header = sampleHeader(5, { ...changes, segmentSizeBytes: 100_000, copies: 1 });
  const written = new Written(20_000_000);
  const check = new WrittenCheck({ workers, header, readBack: written });
  let waiting: Uint8Array[] = [];
  const sink = async (bytes: Uint8Array) => {
    waiting.push(Uint8Array.from(bytes));
    check.advance();
  };
  /** As a disk does: later than it was told, and without a word. */
  const reachDisk = () => {
    for (const bytes of waiting) written.append(bytes);
    waiting = [];
  };
  const dataKey = sampleDataKey(header);
  const writer = await ArchiveWriter.create({ header, dataKey, workers, sink, check });
  const random = new SeededRandom(5);
  const chunks = async function* () {
    for (let count = 1; count <= 600; count += 1) {
      const chunk = Buffer.alloc(300_000);
      chunk.set(random.bytes(3_000));
      yield chunk;
      if (count % 200 !== 0) continue;
      let before = -1;
      for (let quietTurns = 0; quietTurns < 2_000; quietTurns = waiting.length === before ? quietTurns + 1 : 0) {
        before = waiting.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      reachDisk();
    }
  };
  await writer.add({ path: 'e', kind: 'file', metadata: {} }, chunks());
  await writer.finish();
  await check.pause();
});

test('a byte that comes back otherwise, of either copy, fails the run', async () => {
  const header = sampleHeader(3, changes);
  const entries = entriesOf([3_000_000, 700_000]);
  // In the first data block: its frame, its payload, its inner and its outer hash.
  for (const copy of [0, 1]) {
    for (const offset of [0, 31, 32, 2000, 4063, 4064, 4080, 4095]) {
      const prepare = (written: Written) => {
        written.flip = { copy, offset: 3 * 4096 + offset };
      };
      await assert.rejects(writeChecked(header, entries, prepare), failed, `copy ${copy}, byte ${offset}`);
    }
  }
});

test('bytes that were changed before they were sealed fail the run', async () => {
  const header = sampleHeader(4, changes);
  const written = new Written(20_000_000);
  const check = new WrittenCheck({ workers, header, readBack: written });
  const writer = await ArchiveWriter.create({
    header,
    dataKey: sampleDataKey(header),
    workers,
    sink: async (bytes) => written.append(bytes),
    check,
  });
  await writer.add({ path: 'e', kind: 'file', metadata: {} }, chunksOf(new SeededRandom(1).bytes(1_000_000), 300_000));
  // As if a bit had flipped in memory between the hash of the source's bytes and their compression.
  check.expect = (entry) => WrittenCheck.prototype.expect.call(check, entry, 'another digest');
  await assert.rejects(async () => {
    await writer.finish();
    check.advance();
    await check.pause();
    await check.room();
  }, failed);
});

test('blocks that a copy lacks are not proven, and the rest is', async () => {
  const header = sampleHeader(5, { ...changes, codec: 'none' });
  const { check } = await writeChecked(header, entriesOf([5_000_000]), (written) => {
    written.missingFrom = 3_000_000;
  });
  assert.deepEqual([...check.provenBlocks.gaps(0, 400)], []);
  assert.ok([...check.provenBlocks.gaps(0, 1200)].length > 0);
});

test('nothing is proven once a copy that was read was given up', async () => {
  const header = sampleHeader(5, { ...changes, codec: 'none' });
  const { check, written } = await writeChecked(header, entriesOf([5_000_000]));
  assert.deepEqual([...check.provenBlocks.gaps(0, 1200)], []);
  written.isKept = false;
  assert.deepEqual([...check.provenBlocks.gaps(0, 1200)], [{ start: 0, end: 1200 }]);
});

test('an index that says something else fails the run', async () => {
  const header = sampleHeader(6, changes);
  const entries = entriesOf([100_000, 5]);
  const { written } = await writeChecked(header, entries);
  const others = [entriesOf([100_000, 6]), entriesOf([100_000]), entriesOf([5, 100_000])];
  for (const other of others) {
    const check = new WrittenCheck({ workers, header, readBack: written });
    const bytes = new Uint8Array(written.bytes.subarray(0, written.writtenBytes));
    const reader = await openSample(workers, { bytes, dataKey: sampleDataKey(header) });
    const following = new Written(20_000_000);
    const followed = new WrittenCheck({ workers, header, readBack: following });
    const dataKey = sampleDataKey(header);
    const sink = async (piece: Uint8Array) => following.append(piece);
    const writer = await ArchiveWriter.create({ header, dataKey, workers, sink, check: followed });
    for (const { path, bytes: contents } of other) {
      await writer.add({ path, kind: 'file', metadata: {} }, chunksOf(contents, 300_000));
    }
    await writer.finish();
    await followed.pause();
    await assert.rejects(followed.finish(following, reader.index, await listEntries(reader)), failed);
    // One that followed nothing knows nothing of what the index lists.
    await assert.rejects(check.finish(written, reader.index, await listEntries(reader)), failed);
  }
});

test('an index that lists as many entries, and one of them otherwise, fails the run', async () => {
  const header = sampleHeader(6, changes);
  const entries = entriesOf([100_000, 5, 0, 3000]);
  const write = (listed: (entries: IndexEntry[]) => readonly IndexEntry[]) =>
    writeChecked(header, entries, undefined, listed);
  await write((all) => all.toReversed());
  const changed: ((entry: IndexEntry) => IndexEntry)[] = [
    (entry) => ({ ...entry, sha256: 'ab'.repeat(32) }),
    ...(['segment', 'offset', 'length'] as const).map((field) => (entry: IndexEntry) => {
      return { ...entry, runs: entry.runs.map((run) => ({ ...run, [field]: run[field] + 1 })) };
    }),
  ];
  for (const change of changed) {
    await assert.rejects(
      write((all) => all.map((entry, index) => (index === 1 ? change(entry) : entry))),
      failed,
    );
  }
  await assert.rejects(
    write(([first, second, third, last]) => [first, first, second, third, last].flatMap((one) => one ?? [])),
    failed,
  );
  await assert.rejects(
    write(([first, second]) => [first, second].flatMap((one) => one ?? [])),
    failed,
  );
});

test('what cannot be read back fails the run with its own error, and nothing hangs', async () => {
  const header = sampleHeader(7, changes);
  const failure = new Error('sector');
  const prepare = (written: Written) => {
    written.read = () => Promise.reject(failure);
  };
  await assert.rejects(writeChecked(header, entriesOf([30_000_000]), prepare), (error) => error === failure);
});
