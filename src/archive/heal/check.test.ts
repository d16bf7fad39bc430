import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockAt, type PlainCopy, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { compressSegment } from '../compress/codec.ts';
import { type SegmentKind, sealSegment, segmentKind } from '../seal/segment-cipher.ts';
import type { LoadTask, OpenTask, WorkerSetup } from '../worker/protocol.ts';
import { sealBlock } from './block.ts';
import { checkBlocks, loadSegment, openSegments } from './check.ts';
import { blockSizeBytes, frameSizeBytes, payloadSizeBytes } from './geometry.ts';

const random = new SeededRandom(4);
const seal = { key: random.bytes(32), fixedDigest: random.bytes(32) };
/** Text, so that it can be compressed. */
const plain = Buffer.from(Array.from({ length: 5000 }, (_, at) => `line ${at}\n`).join(''));

interface Sealed {
  readonly offset: number;
  readonly length: number;
  readonly plain: Buffer;
}

/** A stream of the plain bytes in segments of these lengths, and where these lie in it. */
function streamOf(lengths: readonly number[], codec: 'gzip' | 'none', kind: SegmentKind = segmentKind.data) {
  const stream: Buffer[] = [];
  const segments: Sealed[] = [];
  let [start, offset] = [0, 0];
  for (const [number, length] of lengths.entries()) {
    const bytes = compressSegment(codec, plain.subarray(start, start + length));
    const sealed = Buffer.alloc(bytes.length + 16);
    sealSegment(seal, { number, kind, bytes }, sealed);
    segments.push({ offset, length: sealed.length, plain: plain.subarray(start, start + length) });
    stream.push(sealed);
    start += length;
    offset += sealed.length;
  }
  return { stream: Buffer.concat(stream), segments };
}

const header = plainHeader(1, { dataBlocks: 2, parityBlocks: 2 });
const { stream, segments } = streamOf([9000, 3000, 10_000], 'none');
/** 6 data blocks, in 8 stripes of which 6 have a block: headers 0 to 2, data 3 to 8, 16 of parity from 9 on, final headers 25 to 27. */
const copy = plainCopy(6, header, stream);

function setupOf(copyOf: PlainCopy, codec: 'gzip' | 'none' = 'none'): WorkerSetup {
  const { archiveId } = copyOf.header;
  return { archiveId, shape: header, codec, seal, totalDataBlocks: copyOf.layout.totalDataBlocks };
}

function flipAt(offset: number): (block: Buffer) => void {
  return (block) => {
    block[offset]! ^= 1;
  };
}

/** The copy with bytes of the payloads at these positions wrong, or with something else made of them. */
function damaged(positions: readonly number[], change: (block: Buffer) => void = flipAt(frameSizeBytes + 1)): Buffer {
  const bytes = Buffer.from(copy.bytes);
  for (const position of positions) change(blockAt(bytes, position));
  return bytes;
}

/** Some blocks of each reading. */
function layersOf(readings: readonly Buffer[], first: number, count: number): Buffer[] {
  return readings.map((bytes) => bytes.subarray(first * blockSizeBytes, (first + count) * blockSizeBytes));
}

function check(readings: readonly Buffer[], firstPosition: number, count: number, payloads?: Uint8Array): number[] {
  const { headerBody, layout } = copy;
  const task = { layers: layersOf(readings, firstPosition, count), firstPosition, count, headerBody };
  const { archiveId } = header;
  return [...checkBlocks(payloads === undefined ? task : { ...task, payloads }, archiveId, layout).intact];
}

test('all blocks of a copy are as the layout has them', () => {
  assert.equal(copy.layout.totalBlocks, 28);
  assert.deepEqual(check([copy.bytes], 0, 28), Array(28).fill(1));
  for (let position = 0; position < 28; position++) {
    assert.deepEqual(check([copy.bytes], position, 1), [1]);
    const results = check([copy.bytes, damaged([position])], 0, 28);
    assert.deepEqual(
      results,
      Array.from({ length: 28 }, (_, at) => (at === position ? 1 : 3)),
    );
  }
});

test('a block with the frame of another is not intact', () => {
  const moved = Buffer.concat([copy.bytes.subarray(0, 3 * blockSizeBytes), copy.bytes]);
  assert.deepEqual(check([moved], 0, 6), [1, 1, 1, 0, 0, 0]);
  for (const wrong of [{ kind: 1 }, { ordinal: 9 }, { bandDataBlocks: 5 }] as const) {
    const bytes = damaged([12], (block) =>
      sealBlock(block, header.archiveId, { position: 12, kind: 2, ordinal: 0, bandDataBlocks: 6, ...wrong }),
    );
    assert.deepEqual(check([bytes], 11, 3), [1, 0, 1], JSON.stringify(wrong));
  }
});

test('a header of another generation is whole, and does not count', () => {
  const other = plainCopy(6, { ...header, generation: 1 }, stream);
  assert.deepEqual(check([other.bytes, copy.bytes], 0, 28), [...[2, 2, 2], ...Array(22).fill(3), ...[2, 2, 2]]);
  assert.deepEqual(check([copy.bytes, other.bytes], 2, 2), [1, 3]);
  assert.deepEqual(check([copy.bytes, damaged([1, 26]), other.bytes], 0, 28), [
    ...[3, 1, 3],
    ...Array(22).fill(7),
    ...[3, 1, 3],
  ]);
});

test('payloads of data blocks come from the first reading that has them, and others stay as they are', () => {
  const payloads = Buffer.alloc(8 * payloadSizeBytes, 0xee);
  // Of position 4 the first reading is damaged, of 5 both.
  check([damaged([4, 5]), damaged([5, 6])], 2, 8, payloads);
  const expected = Buffer.alloc(8 * payloadSizeBytes, 0xee);
  copy.stream.copy(expected, payloadSizeBytes);
  expected.fill(0xee, 3 * payloadSizeBytes, 4 * payloadSizeBytes);
  assert.ok(payloads.equals(expected));
});

/** Loads a segment from readings of its blocks. */
function load(index: number, readings: readonly Buffer[], changes: Partial<LoadTask> = {}) {
  const { offset, length, plain: content } = segments[index]!;
  const firstData = Math.floor(offset / payloadSizeBytes);
  const count = Math.floor((offset + length - 1) / payloadSizeBytes) - firstData + 1;
  const into = Buffer.alloc(content.length, 0xee);
  const task: LoadTask = {
    layers: layersOf(readings, 3 + firstData, count),
    firstData,
    count,
    patches: [],
    offset: offset - firstData * payloadSizeBytes,
    length,
    number: index,
    kind: segmentKind.data,
    maximumPlainBytes: content.length,
    compressed: true,
    into,
    ...changes,
  };
  const result = loadSegment(task, setupOf(copy), copy.layout);
  return { ...result, isRight: into.equals(content), isUntouched: into.every((byte) => byte === 0xee) };
}

const right = (index: number) => {
  return { missing: [], plainLength: segments[index]!.plain.length, isRight: true, isUntouched: false };
};
const missing = (...indexes: number[]) => ({ missing: indexes, plainLength: 0, isRight: false, isUntouched: true });

test('a segment is loaded from the readings that have its blocks', () => {
  // The first lies in data blocks 0 to 2, the second in 2, the third in 2 to 5.
  for (const index of [0, 1, 2]) assert.deepEqual(load(index, [copy.bytes]), right(index));
  assert.deepEqual(load(0, [damaged([3, 5]), damaged([4])]), right(0));
  assert.deepEqual(load(2, [damaged([5, 8]), damaged([6, 7])]), right(2));
  assert.deepEqual(load(0, [damaged([3, 4, 5]), damaged([4])]), missing(1));
  assert.deepEqual(load(2, [damaged([3, 5, 8])]), missing(0, 3));
  assert.deepEqual(load(0, []), missing(0, 1, 2));
});

test('what was healed elsewhere stands in for what no reading has', () => {
  const payload = (number: number) => copy.stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes);
  const patches = [
    { index: 2, payload: payload(4) },
    { index: 0, payload: payload(2) },
  ];
  // What another segment leaves in memory is no help.
  load(0, [copy.bytes]);
  assert.deepEqual(load(2, [damaged([5, 7])], { patches }), right(2));
  assert.deepEqual(load(2, [damaged([5, 6, 7])], { patches }), missing(1));
  // A patch for a block that is intact changes nothing.
  assert.deepEqual(load(2, [damaged([7])], { patches: [patches[0]!, { index: 1, payload: payload(0) }] }), right(2));
});

test('the tag alone is asked where the first reading authenticates', () => {
  // Hashes of blocks that are wrong do no harm to the segment in them.
  const wrongHash = damaged([3, 4, 5], flipAt(blockSizeBytes - 1));
  assert.deepEqual(load(0, [wrongHash]), right(0));
  assert.deepEqual(load(0, [copy.bytes, damaged([3])]), right(0));
});

test('whole blocks that do not authenticate are refused', () => {
  const forged = damaged([4], (block) => {
    block[frameSizeBytes + 5]! ^= 1;
    sealBlock(block, header.archiveId, { position: 4, bandDataBlocks: 0, kind: 1, ordinal: 0 });
  });
  assert.throws(() => load(0, [forged]), { code: 'archive.damaged' });
  for (const changes of [{ number: 1 }, { kind: segmentKind.index }]) {
    assert.throws(() => load(0, [copy.bytes], changes), { code: 'archive.damaged' });
  }
});

test('a segment is expanded, to no more than it may be', () => {
  const packed = streamOf([20_000, 20_000], 'gzip');
  const gzipped = plainCopy(4, header, packed.stream);
  const { offset, length, plain: content } = packed.segments[1]!;
  const firstData = Math.floor(offset / payloadSizeBytes);
  const count = 4 - firstData;
  const into = Buffer.alloc(content.length);
  const task = {
    layers: layersOf([gzipped.bytes], 3 + firstData, count),
    ...{ firstData, count, patches: [], offset: offset - firstData * payloadSizeBytes, length, number: 1 },
    ...{ kind: segmentKind.data, maximumPlainBytes: content.length, compressed: true, into },
  };
  assert.deepEqual(loadSegment(task, setupOf(gzipped, 'gzip'), gzipped.layout), { missing: [], plainLength: 20_000 });
  assert.ok(into.equals(content));
  const tooLong = { ...task, maximumPlainBytes: content.length - 1 };
  assert.throws(() => loadSegment(tooLong, setupOf(gzipped, 'gzip'), gzipped.layout), { code: 'archive.corrupt' });
  const asItIs = { ...task, compressed: false };
  assert.equal(loadSegment(asItIs, setupOf(gzipped, 'gzip'), gzipped.layout).plainLength, length - 16);
});

/** Opens all segments from readings of all data blocks. */
function open(readings: readonly Buffer[], checkBlocksToo: boolean, changes: Partial<OpenTask> = {}) {
  const into = Buffer.alloc(22_000);
  const task: OpenTask = {
    layers: layersOf(readings, 3, 6),
    checkBlocks: checkBlocksToo,
    firstData: 0,
    count: 6,
    segments: segments.map(({ offset, length, plain: { length: plainLength } }, number) => {
      return { number, offset, length, plainLength };
    }),
    into,
    ...changes,
  };
  const isOpened = openSegments(task, setupOf(copy), copy.layout);
  if (isOpened) assert.ok(into.equals(plain.subarray(0, 22_000)));
  return isOpened;
}

test('segments are opened together, joined', () => {
  assert.equal(open([copy.bytes], false), true);
  assert.equal(open([copy.bytes, copy.bytes], true), true);
  for (const position of [3, 5, 8]) assert.equal(open([damaged([position])], false), false);
});

test('with their blocks checked they open only where every reading has all of these', () => {
  const wrongHash = damaged([8], flipAt(blockSizeBytes - 1));
  assert.equal(open([wrongHash], false), true);
  assert.equal(open([wrongHash], true), false);
  assert.equal(open([copy.bytes, wrongHash], false), true);
  assert.equal(open([copy.bytes, wrongHash], true), false);
  assert.equal(open([wrongHash, copy.bytes], true), false);
  const three = [copy.bytes, copy.bytes, copy.bytes];
  assert.equal(open(three, true), true);
  for (const index of three.keys()) assert.equal(open(three.with(index, wrongHash), true), false);
});

test('one that has another length than the index says does not open', () => {
  const told = (plainLength: number) => {
    const [first] = segments;
    return [{ number: 0, offset: first!.offset, length: first!.length, plainLength }];
  };
  assert.throws(() => open([copy.bytes], false, { segments: told(8999) }), { code: 'archive.corrupt' });
  assert.equal(open([copy.bytes], false, { segments: told(9001) }), false);
});

test('a key that is none is not taken for damage', () => {
  const setup = { ...setupOf(copy), seal: { ...seal, key: random.bytes(31) } };
  const [{ offset, length }] = segments as [Sealed];
  const layers = layersOf([copy.bytes], 3, 3);
  const into = Buffer.alloc(9000);
  const task = { layers, firstData: 0, count: 3, checkBlocks: false, into };
  const opening = () =>
    openSegments({ ...task, segments: [{ number: 0, offset, length, plainLength: 9000 }] }, setup, copy.layout);
  assert.throws(opening, { code: 'ERR_CRYPTO_INVALID_KEYLEN' });
});

test('data blocks are checked across the border of two bands', () => {
  // Bands of 64 data blocks.
  const narrow = plainHeader(1, { dataBlocks: 1, parityBlocks: 2 });
  const long = plainCopy(70, narrow, streamOf([9000], 'none').stream);
  const { layout, bytes } = long;
  const layer = Buffer.concat(Array.from({ length: 8 }, (_, at) => blockAt(bytes, layout.dataPosition(60 + at))));
  const task = {
    layers: [layer, layer],
    checkBlocks: true,
    firstData: 60,
    count: 8,
    segments: [],
    into: Buffer.alloc(0),
  };
  const setup = { ...setupOf(long), shape: narrow };
  assert.equal(openSegments(task, setup, layout), true);
  assert.equal(openSegments({ ...task, firstData: 59 }, setup, layout), false);
});

test('a run of blocks ends with its kind, and may come again in the next band', () => {
  const narrow = plainHeader(1, { dataBlocks: 1, parityBlocks: 2 });
  const { layout, bytes, headerBody } = plainCopy(70, narrow);
  for (const first of [0, 3, 60, 67, 70, 130, 194]) {
    const count = layout.totalBlocks - first;
    const task = { layers: layersOf([bytes], first, count), firstPosition: first, count, headerBody };
    assert.deepEqual([...checkBlocks(task, narrow.archiveId, layout).intact], Array(count).fill(1), `from ${first}`);
  }
});
