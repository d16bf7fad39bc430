/** What an archive writer writes, byte for byte as the plain writer of the vectors does, and what it tells the check of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, test } from 'node:test';
import {
  batchBytes,
  type Coming,
  collect,
  entriesOf,
  headerOf,
  plainHeader,
  readIndex,
  specify,
  workers,
  write,
} from '../../test/archive/write-alike.ts';
import { chunksOf } from '../../test/archive/write-sample.ts';
import { type ReferenceEntry, type Specification, writeArchive } from '../../vectors/reference-writer.ts';
import { ArchiveWriter } from './archive-writer.ts';
import { WrittenCheck } from './written-check.ts';

after(() => workers.close());

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
