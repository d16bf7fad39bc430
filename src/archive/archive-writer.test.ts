import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import {
  chunksOf,
  listEntries,
  openSample,
  readAll,
  type SampleEntry,
  sampleDataKey,
  sampleHeader,
  writeSample,
} from '../../test/archive/write-sample.ts';
import { SeededRandom } from '../testing/index.ts';
import { ArchiveWriter } from './archive-writer.ts';
import type { Codec, Header } from './header.ts';
import { WorkerPool } from './worker/worker-pool.ts';

const workers = new WorkerPool(2);
const lone = new WorkerPool(1);
after(async () => {
  await Promise.all([workers.close(), lone.close()]);
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Random bytes, or repeated ones, of this size. */
function contents(seed: number, sizeBytes: number): Uint8Array {
  const random = new SeededRandom(seed);
  return seed % 2 === 0 ? random.bytes(sizeBytes) : Buffer.alloc(sizeBytes, random.bytes(37));
}

const entrySizes = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 300, max: 60_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 400_000 }) },
);

const headers = fc.record({
  cipher: fc.constantFrom('none', 'aes-256-gcm'),
  codec: fc.constantFrom<Codec>('none', 'zstd', 'gzip'),
  copies: fc.integer({ min: 1, max: 3 }),
  dataBlocks: fc.constantFrom(1, 2, 5, 30, 191, 239),
  parityBlocks: fc.constantFrom(2, 3, 16),
  segmentSizeBytes: fc.constantFrom(500, 4032, 65_520, 65_536, 300_000, 1_048_576),
});

async function checkRoundTrip(
  header: Header,
  entries: readonly SampleEntry[],
  chunkBytes: number,
  inPlace = false,
): Promise<void> {
  const sample = await writeSample({ workers, header, entries, chunkBytes, inPlace });
  assert.equal(sample.bytes.length, sample.layout.totalBlocks * 4096 * header.copies);
  const reader = await openSample(workers, sample);
  const { fixedPart: _fixedPart, ...told } = reader.header;
  assert.deepEqual(told, header);
  assert.equal(reader.store.inPlace, true);
  const read = await readAll(reader);
  assert.deepEqual(
    read.map(({ entry }) => [entry.path, entry.kind, entry.sizeBytes, entry.sha256, entry.metadata]),
    entries.map(({ path, bytes, metadata }) => [path, 'file', bytes.length, sha256(bytes), metadata]),
  );
  for (const [index, { bytes }] of read.entries()) assert.ok(bytes.equals(entries[index]!.bytes));
  assert.equal(reader.index.tail.entryCount, entries.length);
  assert.equal(
    reader.index.tail.plainBytes,
    entries.reduce((sum, { bytes }) => sum + bytes.length, 0),
  );
  assert.equal(reader.store.healed.size, 0);
}

test('what is written is read back, in any shape', async () => {
  const property = fc.asyncProperty(
    headers,
    fc.array(entrySizes, { maxLength: 12 }),
    fc.integer({ min: 1000, max: 200_000 }),
    fc.nat(1000),
    fc.boolean(),
    async (changes, sizes, chunkBytes, seed, inPlace) => {
      const entries = sizes.map((sizeBytes, index) => ({
        path: `files/${index}`,
        bytes: contents(seed + index, sizeBytes),
        metadata: { index },
      }));
      await checkRoundTrip(sampleHeader(seed, changes as Partial<Header>), entries, chunkBytes, inPlace);
    },
  );
  await fc.assert(property, { seed: 1, numRuns: 80 });
});

for (const codec of ['bz2', 'xz'] as const) {
  test(`what is written with ${codec} is read back`, async () => {
    const sizes = [0, 1, 30_000, 150_000, 1];
    const entries = sizes.map((size, index) => ({ path: `e/${index}`, bytes: contents(index, size), metadata: {} }));
    await checkRoundTrip(sampleHeader(3, { codec, segmentSizeBytes: 65_536, copies: 2 }), entries, 40_000);
  });
}

test('a large entry begins with a segment of its own, behind entries that fill their batch exactly or not', async () => {
  const segmentSizeBytes = 100_000;
  const header = sampleHeader(4, { cipher: 'aes-256-gcm', codec: 'zstd', segmentSizeBytes });
  // Twenty segments are a batch of 2 MiB.
  const batchBytes = 20 * segmentSizeBytes;
  for (const inPlace of [true, false]) {
    for (const firstBytes of [1, batchBytes - 1, batchBytes, batchBytes + 1]) {
      const sizes = [firstBytes, batchBytes, batchBytes - 1, 5, batchBytes + 1, 0];
      const entries = sizes.map((size, index) => ({ path: `e/${index}`, bytes: contents(index, size), metadata: {} }));
      await checkRoundTrip(header, entries, 1_000_000, inPlace);
      if (!inPlace) continue;
      const reader = await openSample(workers, await writeSample({ workers, header, entries, inPlace }));
      const large = (await listEntries(reader)).filter(({ sizeBytes }) => sizeBytes >= batchBytes);
      assert.ok(large.length >= 2);
      for (const { runs } of large) assert.equal(runs[0]?.offset, 0);
    }
  }
});

test('an archive without entries, and one with a single byte', async () => {
  await checkRoundTrip(sampleHeader(1), [], 1);
  await checkRoundTrip(sampleHeader(2), [{ path: 'e', bytes: Buffer.from('x'), metadata: {} }], 1);
});

test('entries of many segments and index parts', async () => {
  // 60 bytes of data, and a line of some 260 in the index, each.
  const entries = Array.from({ length: 9000 }, (_, index) => ({
    path: `files/${'long'.repeat(10)}/${index}`,
    bytes: contents(2 * index, index % 3 === 0 ? 0 : 60),
    metadata: { index },
  }));
  const header = sampleHeader(5, { cipher: 'aes-256-gcm', codec: 'zstd', segmentSizeBytes: 16_384 });
  await checkRoundTrip(header, entries, 1000);
  const sample = await writeSample({ workers, header, entries });
  const reader = await openSample(workers, sample);
  assert.ok(reader.index.tail.indexPartCount >= 4, `${reader.index.tail.indexPartCount} parts`);
});

test('an index of entries without bytes is written in parts, however many there are', async () => {
  const nothing = new Uint8Array(0);
  const metadata = { target: 'x'.repeat(1000) };
  // Some 20 MiB of index lines, more than one part may have.
  const entries = Array.from({ length: 18_000 }, (_, index) => ({ path: `files/${index}`, bytes: nothing, metadata }));
  const sample = await writeSample({ workers, header: sampleHeader(6, { codec: 'zstd' }), entries });
  const reader = await openSample(workers, sample);
  assert.ok(reader.index.tail.indexPartCount > 20);
  const paths = (await listEntries(reader)).map(({ path }) => path);
  assert.deepEqual(
    paths,
    entries.map(({ path }) => path),
  );
});

test('the same input gives the same bytes, however many threads write it', async () => {
  const entries = Array.from({ length: 4000 }, (_, index) => ({
    path: `files/${index}/${'deep/'.repeat(20)}`,
    bytes: contents(index, index % 4 === 0 ? 0 : (index * 37) % 700),
    metadata: { index },
  }));
  const header = sampleHeader(7, { cipher: 'aes-256-gcm', codec: 'zstd', segmentSizeBytes: 20_000, dataBlocks: 3 });
  const first = await writeSample({ workers, header, entries });
  for (const pool of [workers, lone, workers]) {
    const again = await writeSample({ workers: pool, header, entries, chunkBytes: 333 });
    assert.ok(Buffer.from(again.bytes).equals(first.bytes));
  }
});

test('segments of any size pass one thread, though a window of blocks gathers many of them', async () => {
  for (const segmentSizeBytes of [1, 70, 4032, 65_535, 65_536, 100_000, 262_144, 1_500_000]) {
    const sizeBytes = Math.min(3_000_000, segmentSizeBytes * 400);
    for (const codec of ['none', 'zstd'] as const) {
      const header = sampleHeader(8, { codec, segmentSizeBytes, dataBlocks: 239, parityBlocks: 16 });
      const sample = await writeSample({
        workers: lone,
        header,
        entries: [{ path: 'e', bytes: contents(2, sizeBytes) }],
      });
      const [read] = await readAll(await openSample(lone, sample));
      assert.ok(read?.bytes.equals(contents(2, sizeBytes)));
    }
  }
});

test('the metadata is read when the bytes have ended', async () => {
  const chunks: Uint8Array[] = [];
  const header = sampleHeader(9);
  const writer = await ArchiveWriter.create({
    header,
    dataKey: undefined,
    workers,
    sink: async (bytes) => {
      chunks.push(bytes.slice());
    },
  });
  const metadata: Record<string, string> = {};
  const stream = async function* () {
    yield Buffer.from('abc');
    metadata['changed'] = 'yes';
  };
  await writer.add({ path: 'e', kind: 'file', metadata }, stream());
  await writer.finish();
  const reader = await openSample(workers, { bytes: new Uint8Array(Buffer.concat(chunks)), dataKey: undefined });
  assert.deepEqual((await listEntries(reader))[0]?.metadata, { changed: 'yes' });
});

test('a source that fails throws its error out of add', async () => {
  const header = sampleHeader(10);
  const writer = await ArchiveWriter.create({ header, dataKey: undefined, workers, sink: async () => undefined });
  const stream = async function* () {
    yield new Uint8Array(2_000_000);
    throw new Error('the source failed');
  };
  await assert.rejects(writer.add({ path: 'e', kind: 'file', metadata: {} }, stream()), /the source failed/);
});

/** Writes until something fails; says what. */
async function writeInto(
  pool: WorkerPool,
  header: Header,
  sink: (bytes: Uint8Array) => Promise<void>,
  more: { readonly slots?: Promise<Header['slots']> } = {},
): Promise<unknown> {
  const dataKey = sampleDataKey(header);
  const writer = await ArchiveWriter.create({ header, dataKey, workers: pool, sink, ...more });
  try {
    for (let index = 0; index < 6; index++) {
      await writer.add({ path: `e/${index}`, kind: 'file', metadata: {} }, chunksOf(contents(0, 700_000), 50_000));
    }
    await writer.finish();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('a sink that fails at any of its calls fails the run, and nothing hangs or stays unhandled', async () => {
  const header = sampleHeader(11, { codec: 'none', segmentSizeBytes: 100_000, dataBlocks: 2, parityBlocks: 2 });
  let calls = 0;
  const counting = async () => {
    calls++;
  };
  assert.equal(await writeInto(workers, header, counting), undefined);
  assert.ok(calls > 20);
  const failure = new Error('the disk is full');
  for (let failing = 0; failing < calls; failing++) {
    let call = 0;
    const sink = async () => {
      if (call++ === failing) throw failure;
    };
    assert.equal(await writeInto(workers, header, sink), failure, `call ${failing}`);
  }
});

test('what is written first waits for slots that are still being made, and a slot that fails fails the run', async () => {
  const header = sampleHeader(14, { cipher: 'aes-256-gcm', segmentSizeBytes: 100_000, dataBlocks: 2, parityBlocks: 2 });
  const bare = { ...header, slots: [] };
  const written = async (more: { readonly slots?: Promise<Header['slots']> }, shape: Header) => {
    const chunks: Uint8Array[] = [];
    const sink = async (bytes: Uint8Array) => {
      chunks.push(bytes.slice());
    };
    return { failure: await writeInto(workers, shape, sink, more), bytes: Buffer.concat(chunks) };
  };
  const atOnce = await written({}, header);
  const { promise, resolve } = Promise.withResolvers<Header['slots']>();
  const later = written({ slots: promise }, bare);
  assert.equal(await Promise.race([later, setImmediate('waiting')]), 'waiting');
  resolve(header.slots);
  assert.equal((await later).failure, undefined);
  assert.ok((await later).bytes.equals(atOnce.bytes));
  const failure = new Error('the key could not be derived');
  const refused = await written({ slots: Promise.reject(failure) }, bare);
  assert.equal(refused.failure, failure);
  assert.equal(refused.bytes.length, 0);
});

test('threads that are stopped midway fail the run', async () => {
  for (const stopAt of [0, 1, 5, 20]) {
    const pool = new WorkerPool(2);
    let call = 0;
    const header = sampleHeader(12, { codec: 'zstd', segmentSizeBytes: 100_000, dataBlocks: 2, parityBlocks: 2 });
    const outcome = await writeInto(pool, header, async () => {
      if (call++ === stopAt) await pool.close();
    });
    assert.ok(outcome instanceof Error);
    assert.match(outcome.message, /threads were stopped/);
  }
});
