import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { ArchiveIndex } from './archive-index.ts';
import type { IndexEntry, IndexPartPlace, Run, SegmentSize } from './entry/entry.ts';
import { encodeIndexEntry, encodeIndexHead, type IndexPartHead } from './entry/index-part.ts';
import { encodeTail, type Tail } from './entry/tail.ts';
import type { BlockStore, SegmentPlace } from './heal/block-store.ts';
import { payloadSizeBytes } from './heal/geometry.ts';
import { segmentKind } from './seal/segment-cipher.ts';

type IndexPart = IndexPartHead & { readonly entries: readonly IndexEntry[] };
type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const segmentSizeBytes = 1000;
const totalDataBlocks = 40;
/** Where the tail's number stands in the stream. */
const tailOffset = totalDataBlocks * payloadSizeBytes - 96;
/** Sealed, each part is so long. */
const partLength = 100;

/** Segments and an index without an archive around them: each can be told wrongly. */
class FakeArchive {
  readonly header = { segmentSizeBytes };
  readonly layout = { totalDataBlocks };
  readonly parts: Mutable<IndexPart>[] = [];
  readonly places: Mutable<IndexPartPlace>[] = [];
  tail: Mutable<Tail>;
  tailNumber: bigint;
  /** What was asked for. */
  readonly loaded: SegmentPlace[] = [];
  readonly payloads: unknown[] = [];

  constructor(
    parts: readonly { readonly segments: readonly SegmentSize[]; readonly entries: readonly IndexEntry[] }[],
  ) {
    let [segment, offset] = [0, 0];
    for (const [part, { segments, entries }] of parts.entries()) {
      this.parts.push({ part, previous: this.places.at(-1), firstSegment: segment, segments, entries });
      segment += segments.length;
      for (const { sealed } of segments) offset += sealed;
      this.places.push({ segment, offset, length: partLength });
      segment += 1;
      offset += partLength;
    }
    const entries = parts.flatMap((part) => part.entries);
    this.tail = {
      segmentCount: segment,
      sealedBytes: offset,
      plainBytes: entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      entryCount: entries.length,
      lastIndexPart: this.places.at(-1) as IndexPartPlace,
      indexPartCount: parts.length,
    };
    this.tailNumber = BigInt(segment);
  }

  async readPayload(block: number, offset: number, into: Buffer): Promise<void> {
    this.payloads.push([block, offset, into.length]);
    into.writeBigUInt64LE(this.tailNumber);
  }

  async load(place: SegmentPlace, into: Uint8Array): Promise<number> {
    this.loaded.push(place);
    const bytes = place.kind === segmentKind.tail ? encodeTail(this.tail) : this.#part(place.number);
    if (bytes.length > place.maximumPlainBytes)
      throw new HoldfastError('archive.corrupt', { context: { reason: 'expands' } });
    assert.ok(into.length >= place.maximumPlainBytes);
    into.set(bytes);
    return bytes.length;
  }

  #part(number: number): Buffer {
    const part = this.parts[this.places.findIndex(({ segment }) => segment === number)];
    assert.ok(part);
    return Buffer.from(encodeIndexHead(part) + part.entries.map(encodeIndexEntry).join(''));
  }

  read(): Promise<ArchiveIndex> {
    return ArchiveIndex.read(this as unknown as BlockStore);
  }
}

function entry(path: string, ...runs: (readonly [segment: number, offset: number, length: number])[]): IndexEntry {
  const all = runs.map(([segment, offset, length]): Run => ({ segment, offset, length }));
  const sizeBytes = all.reduce((sum, { length }) => sum + length, 0);
  return { path, kind: 'file', sizeBytes, sha256: 'ab'.repeat(32), runs: all, metadata: {} };
}

function segments(...sizes: (readonly [plain: number, sealed: number])[]): SegmentSize[] {
  return sizes.map(([plain, sealed]) => ({ plain, sealed }));
}

/** Data in the segments 0, 1, 4, 6 and 7; indices in 2, 3, 5, 8, 9 and 10. */
function sample(): FakeArchive {
  return new FakeArchive([
    { segments: segments([1000, 500], [10, 26]), entries: [entry('a', [0, 0, 400])] },
    { segments: [], entries: [entry('empty')] },
    { segments: segments([700, 300]), entries: [entry('b', [0, 400, 700], [4, 90, 10])] },
    { segments: segments([1000, 1016], [600, 70]), entries: [entry('c', [4, 100, 2000])] },
    { segments: [], entries: [entry('d', [7, 500, 100])] },
    { segments: [], entries: [entry('e', [1, 0, 10])] },
  ]);
}

async function pathsOf(index: ArchiveIndex): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of index.entries()) paths.push(path);
  return paths;
}

/** The place of a data segment. */
function data(number: number, offset: number, [length, maximumPlainBytes]: readonly [number, number]): SegmentPlace {
  return { number, kind: segmentKind.data, offset, length, maximumPlainBytes };
}

test('all entries are found, in order, and where each segment lies', async () => {
  const archive = sample();
  const index = await archive.read();
  assert.deepEqual(archive.payloads, [[39, payloadSizeBytes - 96, 8]]);
  const [tail, ...parts] = archive.loaded;
  assert.deepEqual(tail, {
    number: 11,
    kind: segmentKind.tail,
    offset: tailOffset + 8,
    length: 88,
    maximumPlainBytes: 88,
  });
  assert.deepEqual(
    parts.map(({ number }) => number),
    [10, 9, 8, 5, 3, 2],
  );
  const first = { number: 2, kind: segmentKind.index, offset: 526, length: 100, maximumPlainBytes: 65_536 + 3200 };
  assert.deepEqual(parts.at(-1), first);
  assert.deepEqual(await pathsOf(index), ['a', 'empty', 'b', 'c', 'd', 'e']);
  assert.deepEqual(
    archive.loaded.slice(7).map(({ number }) => number),
    [9, 10],
    'the first four parts are kept',
  );
  const places = [
    data(0, 0, [500, 1000]),
    data(1, 500, [26, 10]),
    data(4, 726, [300, 700]),
    data(6, 1126, [1016, 1000]),
    data(7, 2142, [70, 600]),
  ];
  assert.deepEqual([...index.dataSegments()], places);
  for (const place of places) assert.deepEqual(index.place(place.number), place);
  for (const number of [2, 3, 5, 8, 9, 10, 11, 100])
    assert.throws(() => index.place(number), { code: 'archive.corrupt' });
});

test('a run goes on in the next segment of data, wherever that is', async () => {
  const index = await sample().read();
  const piecesOf = (...runs: [number, number, number][]) =>
    [...index.pieces(entry('any', ...runs))].map(({ segment, offset, length }) => [segment, offset, length]);
  assert.deepEqual(piecesOf([0, 400, 600]), [[0, 400, 600]]);
  assert.deepEqual(piecesOf([0, 400, 620], [7, 0, 600]), [
    [0, 400, 600],
    [1, 0, 10],
    [4, 0, 10],
    [7, 0, 600],
  ]);
  assert.deepEqual(piecesOf([4, 699, 1002]), [
    [4, 699, 1],
    [6, 0, 1000],
    [7, 0, 1],
  ]);
  assert.deepEqual(piecesOf(), []);
  for (const run of [
    [0, 1000, 1],
    [7, 599, 2],
    [6, 0, 1601],
    [2, 0, 1],
    [11, 0, 1],
  ] as const) {
    assert.throws(() => piecesOf([...run]), { code: 'archive.corrupt' }, run.join());
  }
  assert.deepEqual(piecesOf([7, 599, 1]), [[7, 599, 1]]);
});

/** What is told wrongly, and what is said of it. */
const contradictions: readonly [string, (archive: FakeArchive) => void, RegExp][] = [
  ['the number of the tail', (archive) => Object.assign(archive, { tailNumber: 12n }), /contradicts its number/],
  ['more bytes than there are', (archive) => claim(archive, tailOffset + 1), /more bytes than there are/],
  ['one part less', ({ tail }) => Object.assign(tail, { indexPartCount: 5 }), /out of order/],
  ['one part more', ({ tail }) => Object.assign(tail, { indexPartCount: 7 }), /out of order/],
  ['another number of a part', ({ parts }) => change(parts[2], { part: 3 }), /out of order/],
  ['no part before', ({ parts }) => change(parts[1], { previous: undefined }), /segments are missing/],
  ['parts that are not counted', renumber, /more parts than the tail says/],
  ['an end before the first part', cutShort, /a part is missing/],
  ['a first segment too high', ({ parts }) => change(parts[0], { firstSegment: 1 }), /segments are missing/],
  ['a later segment too high', ({ parts }) => change(parts[3], { firstSegment: 7 }), /segments are missing/],
  ['a later segment too low', ({ parts }) => change(parts[3], { firstSegment: 5 }), /segments are missing/],
  ['a segment less', ({ parts }) => change(parts[3], { segments: segments([1000, 1086]) }), /counts its segments/],
  ['a segment without bytes', ({ parts }) => change(parts[2], { segments: segments([0, 300]) }), /impossible length/],
  ['a segment too long', ({ parts }) => change(parts[2], { segments: segments([1001, 300]) }), /impossible length/],
  [
    'a sealed segment too long',
    ({ parts }) => change(parts[2], { segments: segments([1, 66_537]) }),
    /impossible length/,
  ],
  ['segments that end too early', ({ parts }) => change(parts[2], { segments: segments([700, 299]) }), /do not reach/],
  ['segments that end too late', ({ parts }) => change(parts[2], { segments: segments([700, 301]) }), /do not reach/],
];

function change(part: Mutable<IndexPart> | undefined, by: Partial<IndexPart>): void {
  assert.ok(part);
  Object.assign(part, by);
}

/** The last part is as long as the tail claims that all is. */
function claim({ tail }: FakeArchive, sealedBytes: number): void {
  const { segment, offset } = tail.lastIndexPart;
  tail.sealedBytes = sealedBytes;
  tail.lastIndexPart = { segment, offset, length: sealedBytes - offset };
}

function renumber({ parts, tail }: FakeArchive): void {
  for (const part of parts) part.part = Math.max(0, part.part - 1);
  tail.indexPartCount = 5;
}

/** The second part says that it is the first one's successor, and that it begins where the archive does. */
function cutShort({ parts, places }: FakeArchive): void {
  change(parts[1], { previous: undefined, firstSegment: 0, segments: segments([1, 300], [1, 226], [1, 100]) });
  assert.equal(places[1]?.segment, 3);
}

for (const [name, tell, message] of contradictions) {
  test(`an index that tells of ${name} is refused`, async () => {
    const archive = sample();
    tell(archive);
    await assert.rejects(archive.read(), (error) => {
      assert.ok(error instanceof HoldfastError && error.code === 'archive.corrupt');
      assert.match(error.message, message);
      return true;
    });
  });
}

test('each length is accepted at its limit', async () => {
  const archive = sample();
  claim(archive, tailOffset);
  await archive.read();
  const sizes = segments([1, 66_536], [1000, 1]);
  await new FakeArchive([{ segments: sizes, entries: [entry('a', [0, 0, 1])] }]).read();
});

test('a tail whose number is none does not authenticate', async () => {
  const archive = sample();
  archive.tailNumber = 2n ** 53n;
  await assert.rejects(archive.read(), { code: 'archive.damaged' });
  archive.tailNumber = 2n ** 53n - 1n;
  await assert.rejects(archive.read(), /contradicts its number/);
});

test('entries that are more, fewer, or other than the tail says are refused at the end', async () => {
  for (const [name, by, message] of [
    ['entryCount', 1, /number of entries/],
    ['entryCount', -1, /number of entries/],
    ['plainBytes', 1, /bytes of the entries/],
    ['plainBytes', -1, /bytes of the entries/],
  ] as const) {
    const archive = sample();
    archive.tail[name] += by;
    await assert.rejects(pathsOf(await archive.read()), message);
  }
});

test('a path stands once; bytes that are no UTF-8 tell names apart', async () => {
  const read = async (...entries: IndexEntry[]) => {
    const one = { segments: segments([10, 26]), entries };
    return await pathsOf(await new FakeArchive([one]).read());
  };
  await assert.rejects(read(entry('a'), entry('b'), entry('a')), /the path a stands twice/);
  const named = (byte: number) => ({ ...entry('files/?'), pathBytes: Uint8Array.of(byte) });
  assert.deepEqual(await read(named(0xff), named(0xfe)), ['files/?', 'files/?']);
  await assert.rejects(read(named(0xff), named(0xff)), /stands twice/);
});

test('a part is taken for a short one first, and has 16 MiB at most', async () => {
  const limitsOf = async (pathBytes: number, length = partLength) => {
    const archive = new FakeArchive([{ segments: [], entries: [entry('x'.repeat(pathBytes))] }]);
    claim(archive, length);
    const read = archive.read();
    await read.catch(() => undefined);
    const limits = archive.loaded.slice(1).map(({ maximumPlainBytes }) => maximumPlainBytes);
    return { limits, read };
  };
  const kibibyte = 1024;
  assert.deepEqual((await limitsOf(60 * kibibyte)).limits, [65_536 + 3200]);
  assert.deepEqual((await limitsOf(70 * kibibyte)).limits, [65_536 + 3200, 2 ** 24]);
  assert.deepEqual((await limitsOf(10, 100_000)).limits, [2 ** 21]);
  const tooLong = await limitsOf(2 ** 24);
  await assert.rejects(tooLong.read, ({ context }: HoldfastError) => context['reason'] === 'expands');
  assert.equal(tooLong.limits.length, 2);
});

test('a part that is sealed too long is not read', async () => {
  const longest = 2 ** 24 + 65_536;
  for (const [length, isRead] of [
    [longest, true],
    [longest + 1, false],
  ] as const) {
    const archive = sample();
    // As long as it may be in a stream that has room for it.
    Object.assign(archive.layout, { totalDataBlocks: 5000 });
    claim(archive, archive.tail.lastIndexPart.offset + length);
    const read = archive.read();
    if (isRead) await read;
    else await assert.rejects(read, /a part is too long/);
  }
});

test('damage of a part is told as it is, and nothing is read again', async () => {
  const archive = sample();
  const load = archive.load.bind(archive);
  let asked = 0;
  archive.load = async (place, into) => {
    if (place.number !== 8) return await load(place, into);
    asked += 1;
    throw new HoldfastError('archive.damaged');
  };
  await assert.rejects(archive.read(), { code: 'archive.damaged' });
  assert.equal(asked, 1);
});
