import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockAt, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { blockKind, sealBlock } from './block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes } from './geometry.ts';
import { scanBlocks } from './scan.ts';

const { bytes: copy, header, headerBody, layout } = plainCopy(2);
const { archiveId } = header;
const filler = new SeededRandom(5);

/** Offsets at which blocks of the archive are found. */
function offsetsIn(bytes: Uint8Array, limit = bytes.length, id: Uint8Array | undefined = archiveId): number[] {
  return scanBlocks({ bytes, limit, archiveId: id }).map(({ offset }) => offset);
}

function joined(...parts: Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

test('all blocks of a copy are found, as they are', () => {
  // Headers 0 to 2, data 3 and 4, parity 5 and 6, final headers 7 to 9.
  assert.equal(layout.totalBlocks, 10);
  const found = scanBlocks({ bytes: copy, limit: copy.length, archiveId });
  const frame = (position: number, kind: number, ordinal: number, bandDataBlocks: number) => {
    return { offset: position * blockSizeBytes, position, kind, ordinal, bandDataBlocks };
  };
  assert.deepEqual(
    found.map(({ body: _, ...rest }) => rest),
    [
      ...[0, 1, 2].map((at) => frame(at, blockKind.header, at, 0)),
      ...[3, 4].map((at) => frame(at, blockKind.data, 0, 0)),
      ...[5, 6].map((at) => frame(at, blockKind.parity, at - 5, 2)),
      ...[7, 8, 9].map((at) => frame(at, blockKind.final, at - 7, 2)),
    ],
  );
  for (const { kind, body } of found) {
    const isHeader = kind === blockKind.header || kind === blockKind.final;
    assert.deepEqual(body, isHeader ? Uint8Array.from(headerBody) : undefined);
  }
});

test('bodies that are found do not share memory with what was scanned', () => {
  const bytes = Buffer.from(copy);
  const [first] = scanBlocks({ bytes, limit: 1, archiveId });
  bytes.fill(0);
  assert.equal(first?.body?.length, bodySizeBytes);
  assert.deepEqual(first.body, Uint8Array.from(headerBody));
});

test('blocks are found at any offset, beside one another or beside other bytes', () => {
  const [data, parity] = [blockAt(copy, 3), blockAt(copy, 5)];
  const bytes = joined(filler.bytes(1), data, parity, filler.bytes(777), data);
  assert.deepEqual(offsetsIn(bytes), [1, 1 + blockSizeBytes, 778 + 2 * blockSizeBytes]);
});

test('a block behind what only began like one is found', () => {
  const torn = blockAt(copy, 3).subarray(0, 100);
  const spoilt = Buffer.from(blockAt(copy, 3));
  spoilt[2000]! ^= 1;
  assert.deepEqual(offsetsIn(joined(torn, blockAt(copy, 4))), [100]);
  assert.deepEqual(offsetsIn(joined(spoilt, blockAt(copy, 4))), [blockSizeBytes]);
  // One that begins within the bytes of a whole one is not looked for.
  const nested = Buffer.from(blockAt(copy, 3));
  nested.set(archiveId, 1000);
  sealBlock(nested, archiveId, { position: 3, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
  assert.deepEqual(offsetsIn(joined(nested, blockAt(copy, 4))), [0, blockSizeBytes]);
});

test('blocks begin below the limit, and are whole', () => {
  for (const id of [archiveId, undefined]) {
    const block = blockAt(copy, 1);
    const bytes = joined(block, filler.bytes(10), block);
    const second = blockSizeBytes + 10;
    assert.deepEqual(offsetsIn(bytes, second + 1, id), [0, second]);
    assert.deepEqual(offsetsIn(bytes, second, id), [0]);
    assert.deepEqual(offsetsIn(bytes, 0, id), []);
    assert.deepEqual(offsetsIn(bytes.subarray(0, -1), bytes.length, id), [0]);
  }
});

test('without an id the header blocks of any archive are found, and nothing else', () => {
  const other = plainCopy(1, plainHeader(2));
  const bytes = joined(filler.bytes(50), copy, other.bytes);
  const starts = [50, 50 + copy.length];
  const places = [
    [0, 1, 2, 7, 8, 9],
    [0, 1, 2, other.layout.totalBlocks - 3, other.layout.totalBlocks - 2, other.layout.totalBlocks - 1],
  ];
  const expected = places.flatMap((positions, index) => positions.map((at) => starts[index]! + at * blockSizeBytes));
  const scanned = (id: Uint8Array | undefined) => scanBlocks({ bytes, limit: bytes.length, archiveId: id });
  assert.deepEqual(
    scanned(undefined).map(({ offset }) => offset),
    expected,
  );
  assert.equal(scanned(archiveId).length, 10);
  assert.ok(scanned(archiveId).every(({ offset }) => offset >= 50 && offset < 50 + copy.length));
});

test('the magic where no block can begin before it is passed over', () => {
  const bytes = joined(Buffer.from('HOLDFAST'), filler.bytes(20), blockAt(copy, 0));
  assert.deepEqual(
    scanBlocks({ bytes, limit: bytes.length, archiveId: undefined }).map(({ offset }) => offset),
    [28],
  );
});

test('header blocks without a header are none', () => {
  for (const kind of [blockKind.header, blockKind.final]) {
    const block = Buffer.alloc(blockSizeBytes);
    block.write('HOLDFASU', frameSizeBytes);
    sealBlock(block, archiveId, { position: 0, bandDataBlocks: 0, kind, ordinal: 0 });
    assert.deepEqual(offsetsIn(block), []);
    block.write('HOLDFAST', frameSizeBytes);
    sealBlock(block, archiveId, { position: 0, bandDataBlocks: 0, kind, ordinal: 0 });
    assert.deepEqual(offsetsIn(block), [0]);
  }
  // A block of parity may hold anything there.
  const parity = Buffer.alloc(blockSizeBytes);
  sealBlock(parity, archiveId, { position: 0, bandDataBlocks: 0, kind: blockKind.parity, ordinal: 0 });
  assert.deepEqual(offsetsIn(parity), [0]);
});

test('a frame that cannot be one is no block, whatever its hash', () => {
  const block = Buffer.alloc(blockSizeBytes);
  sealBlock(block, archiveId, { position: 2 ** 48, bandDataBlocks: 0, kind: blockKind.parity, ordinal: 0 });
  assert.deepEqual(offsetsIn(block), []);
  sealBlock(block, archiveId, { position: 2 ** 48 - 1, bandDataBlocks: 0, kind: blockKind.parity, ordinal: 0 });
  assert.deepEqual(offsetsIn(block), [0]);
});

test('where nothing is, nothing is found', () => {
  for (const id of [archiveId, undefined]) {
    assert.deepEqual(offsetsIn(filler.bytes(2 * blockSizeBytes), 2 * blockSizeBytes, id), []);
    assert.deepEqual(offsetsIn(new Uint8Array(2 * blockSizeBytes), 2 * blockSizeBytes, id), []);
  }
});

test('a block of an archive whose id is zeros is found behind a zero', () => {
  const zeros = plainCopy(1, { ...header, archiveId: new Uint8Array(16) });
  const block = blockAt(zeros.bytes, 3);
  assert.deepEqual(offsetsIn(joined(new Uint8Array(1), block), 10, new Uint8Array(16)), [1]);
});
