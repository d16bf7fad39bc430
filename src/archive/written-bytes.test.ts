/** What an archive writer writes, byte for byte as the plain writer of the vectors does, and what it tells the check of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, type TestContext, test } from 'node:test';
import { chunksOf, listEntries, openSample, readableOf } from '../../test/archive/write-sample.ts';
import { bytes as seededBytes } from '../../vectors/generators/vector.ts';
import {
  type ReferenceEntry,
  SeededBytes,
  type Specification,
  type Written,
  writeArchive,
} from '../../vectors/reference-writer.ts';
import { ArchiveWriter, type ArchiveWriterOptions, type WriterResult } from './archive-writer.ts';
import { maximumIndexPartBytes } from './entry/index-part.ts';
import { decodeHeader, type Header } from './header.ts';
import type { EntryMetadata } from './json.ts';
import { sealedOverheadBytes } from './seal/segment-cipher.ts';
import { ArchiveWorkers, WorkerPool } from './worker/worker-pool.ts';
import { WrittenCheck } from './written-check.ts';

const workers = new WorkerPool(0);
after(() => workers.close());

/** Segments of 16 bytes: a batch of 64 of them is 1 KiB. */
const segmentSize = 16;
const batchBytes = 1024;

function entriesOf(sizes: readonly number[]): ReferenceEntry[] {
  return sizes.map((size, index) => {
    const bytes = seededBytes(`entry ${index}`, size);
    return { path: `e/${index}`, kind: 'file', bytes, metadata: { index } };
  });
}

function specify(sizes: readonly number[], more: Partial<Specification> = {}): Specification {
  return { seed: 'written', entries: entriesOf(sizes), segmentSize, dataBlocks: 3, ...more };
}

/** The header that the plain writer made, and the key of its segments. */
function headerOf({ file }: Written, { seed }: Specification): Pick<ArchiveWriterOptions, 'header' | 'dataKey'> {
  const { fixedPart: _, ...header } = decodeHeader(file.subarray(32, 4080));
  const random = new SeededBytes(seed);
  random.next(16);
  return { header, dataKey: header.cipher === 'none' ? undefined : random.next(32) };
}

/** How entries come in. */
interface Coming {
  readonly chunkBytes?: number;
  /** Read to where the writer wants them. */
  readonly isReadInto?: boolean;
  readonly isSizeKnown?: boolean;
  readonly check?: WrittenCheck;
}

/** Keeps what is written. */
function collect(): { readonly sink: ArchiveWriterOptions['sink']; readonly bytes: () => Buffer } {
  const chunks: Uint8Array[] = [];
  const sink = async (bytes: Uint8Array) => {
    chunks.push(bytes.slice());
  };
  return { sink, bytes: () => Buffer.concat(chunks) };
}

async function write(
  options: Pick<ArchiveWriterOptions, 'header' | 'dataKey'>,
  entries: readonly ReferenceEntry[],
  coming: Coming = {},
): Promise<WriterResult & { readonly bytes: Buffer }> {
  const { chunkBytes = 1 << 20, isReadInto = false, isSizeKnown = false, check } = coming;
  const { sink, bytes: written } = collect();
  const writer = await ArchiveWriter.create({ ...options, workers, sink, check });
  for (const { path, pathBytes, kind, bytes, metadata = {} } of entries) {
    const size = isSizeKnown ? { expectedSizeBytes: bytes.length } : {};
    const input = { path, ...(pathBytes && { pathBytes }), kind, metadata: metadata as EntryMetadata, ...size };
    const contents = isReadInto ? readableOf(bytes, chunkBytes) : chunksOf(bytes, chunkBytes);
    await writer.add(input, kind === 'directory' ? undefined : contents);
  }
  return { ...(await writer.finish()), bytes: written() };
}

/** Writes entries, and compares with what the plain writer makes of them. */
async function compare(specification: Specification, coming: Coming = {}, expected = writeArchive(specification)) {
  const options = headerOf(expected, specification);
  const { bytes, layout, entryCount, plainBytes } = await write(options, specification.entries, coming);
  const sizes = specification.entries.map((entry) => entry.bytes.length);
  assert.ok(bytes.equals(expected.file), `sizes ${sizes}, ${JSON.stringify(coming)}`);
  assert.equal(layout.totalBlocks, expected.blocks.length);
  assert.equal(entryCount, sizes.length);
  assert.equal(
    plainBytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
}

describe('archives are those of the plain writer', () => {
  test('whatever the sizes of entries, and however their bytes come', async () => {
    const allSizes = [
      [],
      [0],
      [1],
      [0, 5, 0, 0, 1],
      // Entries that fill a segment or a batch, or end one byte before or behind.
      [15, 1, 16, 17],
      [batchBytes],
      [batchBytes, 3],
      [batchBytes - 1, 1, 2],
      [batchBytes - 1, 0, 2],
      [batchBytes + 1, batchBytes - 1, 0],
      [300, 3 * batchBytes, batchBytes - 300, 0, 7],
    ];
    for (const sizes of allSizes) {
      const specification = specify(sizes);
      const expected = writeArchive(specification);
      for (const chunkBytes of [5000, 333]) {
        for (const isReadInto of [true, false]) await compare(specification, { chunkBytes, isReadInto }, expected);
      }
    }
  });

  test('sealed with a key too', async () => {
    const slots = [{ type: 'unknown', key: '' }] as const;
    await compare(specify([100, 0, 2000], { slots, seed: 'sealed' }));
  });

  test('with other kinds, and paths that are no text', async () => {
    const entries: ReferenceEntry[] = [
      { path: 'd', kind: 'directory', bytes: Buffer.alloc(0), metadata: { mode: 1 } },
      {
        path: 'f\ufffd',
        pathBytes: Buffer.from('f\xff', 'latin1'),
        kind: 'file',
        bytes: Buffer.from('abc'),
        metadata: {},
      },
    ];
    await compare(specify([], { entries }));
  });

  test('whether their last payload is full or not', async () => {
    const payloadBytes = 4032;
    const filled = (filler: number) => {
      const [entry] = entriesOf([10]) as [ReferenceEntry];
      return specify([], { entries: [{ ...entry, metadata: { filler: 'x'.repeat(filler) } }] });
    };
    const sealedBytes = writeArchive(filled(0)).sealed.reduce((sum, segment) => sum + segment.length, 0);
    const exactly = payloadBytes - 96 - sealedBytes;
    for (const filler of [exactly - 1, exactly, exactly + 1]) await compare(filled(filler));
    assert.equal(writeArchive(filled(exactly)).geometry.dataCount, 1);
    assert.equal(writeArchive(filled(exactly + 1)).geometry.dataCount, 2);
  });
});

/** The header of an archive without a cipher. */
function plainHeader(changes: Partial<Header> = {}): Pick<ArchiveWriterOptions, 'header' | 'dataKey'> {
  const specification = specify([]);
  const { header } = headerOf(writeArchive(specification), specification);
  return { header: { ...header, dataBlocks: 200, ...changes }, dataKey: undefined };
}

async function readIndex(bytes: Buffer) {
  const reader = await openSample(workers, { bytes: new Uint8Array(bytes), dataKey: undefined });
  return { entries: await listEntries(reader), tail: reader.index.tail };
}

describe('a large entry', () => {
  const runsOf = async (sizes: readonly number[], coming: Coming) => {
    const { bytes } = await write(plainHeader(), entriesOf(sizes), coming);
    const { entries } = await readIndex(bytes);
    return entries.map(({ runs }) => runs.map(({ segment, offset, length }) => [segment, offset, length]));
  };

  test('begins with a segment of its own: one that is a batch at least, as far as is known', async () => {
    const small = [[0, 0, 5]];
    for (const isReadInto of [true, false]) {
      const known = { isReadInto, isSizeKnown: true };
      assert.deepEqual(await runsOf([5, batchBytes], known), [small, [[1, 0, batchBytes]]]);
      assert.deepEqual(await runsOf([5, batchBytes - 1], known), [small, [[0, 5, batchBytes - 1]]]);
      assert.deepEqual(await runsOf([5, batchBytes], { isReadInto }), [small, [[0, 5, batchBytes]]]);
      // What follows goes on behind it.
      const behind = [small, [[1, 0, batchBytes + 2]], [[65, 2, 3]]];
      assert.deepEqual(await runsOf([5, batchBytes + 2, 3], known), behind);
      // Where nothing was begun before there is nothing to leave behind.
      const whole = (first: number) => [[first, 0, batchBytes]];
      const sizes = [0, batchBytes, 0, batchBytes, 0, batchBytes];
      assert.deepEqual(await runsOf(sizes, known), [[], whole(0), [], whole(64), [], whole(128)]);
      const four = [0, 64, 128, 192];
      assert.deepEqual(
        await runsOf(
          four.map(() => batchBytes),
          known,
        ),
        four.map(whole),
      );
    }
  });
});

describe('entries side by side', () => {
  test('take turns, until one of them has as many runs as it may', async () => {
    const { sink, bytes } = collect();
    const options = { ...plainHeader(), workers, sink, parallelEntries: 2, maximumRuns: 3 };
    const writer = await ArchiveWriter.create(options);
    const entries = entriesOf([20 * batchBytes, 20 * batchBytes]);
    await Promise.all(
      entries.map(({ path, bytes: contents }) =>
        writer.add({ path, kind: 'file', metadata: {} }, chunksOf(contents, batchBytes)),
      ),
    );
    await writer.finish();
    const runs = (await readIndex(bytes())).entries.map((entry) => entry.runs.length);
    assert.equal(runs.length, 2);
    for (const count of runs) assert.ok(count >= 3 && count <= 4, `${runs} runs`);
  });
});

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

/** Keeps what a check is told. */
class Told extends WrittenCheck {
  readonly told: unknown[] = [];
  readonly rooms: (() => void)[] = [];

  override begin(): void {
    this.told.push('begin');
  }

  override add({ segments, spans }: Parameters<WrittenCheck['add']>[0]): void {
    const places = segments.map(({ number, offset, length, plainLength }) => [number, offset, length, plainLength]);
    this.told.push({ segments: places, spans: spans.map((span) => ({ ...span, entry: span.entry - this.first })) });
  }

  override expect(entry: number, sha256: string): void {
    this.told.push([entry - this.first, sha256]);
  }

  override async room(): Promise<void> {
    this.told.push('room');
  }

  /** Hashes are numbered over all archives. */
  first = workers.newHash() + 1;
}

describe('a check is told', () => {
  const readBack = { writtenBytes: 0, isKept: true, read: async () => false };
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  async function tell(sizes: readonly number[], coming: Coming = {}): Promise<unknown[]> {
    const options = plainHeader({ segmentSizeBytes: 1000 });
    const check = new Told({ workers, header: options.header, readBack });
    await write(options, entriesOf(sizes), { ...coming, check });
    return check.told;
  }

  test('of each batch, its segments, and the pieces of entries in it', async () => {
    // A batch holds 64 segments of 1,000 bytes, each of which is sealed with 16 more.
    const entries = entriesOf([1500, 0, 300]);
    assert.deepEqual(await tell([1500, 0, 300]), [
      'begin',
      'room',
      [0, sha256(entries[0]?.bytes as Uint8Array)],
      [2, sha256(entries[2]?.bytes as Uint8Array)],
      {
        segments: [
          [0, 0, 1016, 1000],
          [1, 1016, 816, 800],
        ],
        spans: [
          { entry: 0, offset: 0, length: 1500, last: true },
          { entry: 2, offset: 1500, length: 300, last: true },
        ],
      },
    ]);
  });

  test('of entries that go over several batches, and of those that end with one', async () => {
    const told = await tell([64_000, 64_001]);
    const batches = told.filter((one) => typeof one === 'object' && one !== null && 'spans' in one);
    const spansOf = (batch: unknown) => (batch as { spans: unknown[] }).spans;
    assert.deepEqual(batches.map(spansOf), [
      [{ entry: 0, offset: 0, length: 64_000, last: false }],
      [{ entry: 0, offset: 0, length: 0, last: true }],
      [{ entry: 1, offset: 0, length: 64_000, last: false }],
      [{ entry: 1, offset: 0, length: 1, last: true }],
    ]);
    const segmentsOf = (batch: unknown) => (batch as { segments: unknown[][] }).segments;
    assert.deepEqual(segmentsOf(batches[1]), []);
    assert.deepEqual(segmentsOf(batches[2])[0], [64, 64 * 1016, 1016, 1000]);
    assert.deepEqual(segmentsOf(batches[3]), [[128, 128 * 1016, 17, 1]]);
    assert.equal(told.filter((one) => one === 'room').length, 3);
  });

  test('of the end of an entry beside the bytes of the next, where they were read to their place', async () => {
    const told = await tell([64_000, 0, 5], { isReadInto: true });
    assert.deepEqual((told.at(-1) as { spans: unknown }).spans, [
      { entry: 0, offset: 0, length: 0, last: true },
      { entry: 2, offset: 0, length: 5, last: true },
    ]);
    const alone = { segments: [], spans: [{ entry: 0, offset: 0, length: 0, last: true }] };
    assert.deepEqual((await tell([64_000], { isReadInto: true })).at(-1), alone);
    // Of an entry without bytes nothing is told.
    assert.deepEqual(await tell([0], { isReadInto: true }), ['begin']);
  });

  test('what is read in several pieces as one', async () => {
    for (const isReadInto of [true, false]) {
      const told = await tell([1000, 500], { chunkBytes: 99, isReadInto });
      assert.deepEqual((told.at(-1) as { spans: unknown }).spans, [
        { entry: 0, offset: 0, length: 1000, last: true },
        { entry: 1, offset: 1000, length: 500, last: true },
      ]);
    }
  });

  test('and asked for room: what it throws ends the writing', async () => {
    const options = plainHeader();
    const check = new Told({ workers, header: options.header, readBack });
    const failure = new Error('what was written differs');
    check.room = () => Promise.reject(failure);
    await assert.rejects(write(options, entriesOf([batchBytes]), { check }), (error) => error === failure);
  });
});

describe('memory', () => {
  /** Counts what is lent at once, by size. */
  function observe(t: TestContext, pool: WorkerPool): Map<number, number> {
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
    return most;
  }

  test('is two buffers of sealed segments for one thread, and one of plain ones more than entries at once', async (t) => {
    const pool = new WorkerPool(0);
    const most = observe(t, pool);
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
