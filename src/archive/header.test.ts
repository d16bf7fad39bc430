import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampleHeader } from '../../test/archive/write-sample.ts';
import { HoldfastError } from '../errors.ts';
import { SeededRandom } from '../testing/index.ts';
import {
  checkHeaderCode,
  decodeHeader,
  encodeFixedPart,
  encodeHeader,
  fixedPartDigest,
  type Header,
  headerLength,
  type Slot,
  slotType,
} from './header.ts';

const random = new SeededRandom(1);
const macKey = random.bytes(32);

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

const slots: fc.Arbitrary<Slot[]> = fc.uniqueArray(
  fc.record({
    type: fc.nat(255),
    id: bytesOf(4),
    createdMs: fc.maxSafeNat(),
    label: fc.string({ unit: 'grapheme', maxLength: 16 }).filter((label) => Buffer.byteLength(label) <= 64),
    body: fc.uint8Array({ maxLength: 150 }),
  }),
  { minLength: 1, maxLength: 16, selector: ({ id }) => Buffer.from(id).toString('hex') },
);

const headers = fc
  .record({
    archiveId: bytesOf(16),
    createdMs: fc.maxSafeNat(),
    cipher: fc.constantFrom('none' as const, 'aes-256-gcm' as const),
    codec: fc.constantFrom('zstd' as const, 'gzip' as const, 'bz2' as const, 'xz' as const, 'none' as const),
    copies: fc.integer({ min: 1, max: 8 }),
    dataBlocks: fc.integer({ min: 1, max: 253 }),
    parityBlocks: fc.integer({ min: 2, max: 64 }),
    segmentSizeBytes: fc.integer({ min: 1, max: 16_777_216 }),
    generation: fc.nat(2 ** 32 - 1),
    slots,
  })
  .filter(({ dataBlocks, parityBlocks }) => dataBlocks + parityBlocks <= 255)
  .map((header): Header => (header.cipher === 'none' ? { ...header, slots: [] } : header));

/** The header without the bytes that it was read from, and with slots as plain objects. */
function plain({ fixedPart: _fixedPart, ...header }: Header): Omit<Header, 'fixedPart'> {
  return { ...header, slots: header.slots.map((slot) => ({ ...slot })) };
}

/** The body of a header block: the header, then zeros. */
function bodyOf(encoded: Buffer): Buffer {
  return Buffer.concat([encoded, Buffer.alloc(4048 - encoded.length)]);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
  return 'ok';
}

test('a header is read as it was written', () => {
  const property = fc.property(headers, (header) => {
    const key = header.cipher === 'none' ? undefined : macKey;
    const encoded = encodeHeader(header, key);
    const body = bodyOf(encoded);
    assert.equal(headerLength(body), encoded.length);
    assert.deepEqual(plain(decodeHeader(body)), plain(header));
    checkHeaderCode(body, key);
    assert.ok(encodeFixedPart(header).equals(encoded.subarray(0, 48)));
    assert.ok(fixedPartDigest(header).equals(createHash('sha256').update(encoded.subarray(0, 48)).digest()));
    assert.ok(encodeHeader(decodeHeader(body), key).equals(encoded));
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

/** Each field's bytes, a value that is accepted at its limit, and one that is not. */
const limits: [string, number, number[], string][] = [
  ['magic', 0, [0x69], 'archive.not_an_archive'],
  ['magic', 7, [0x54], 'ok'],
  ['version 0', 8, [0, 0], 'archive.version_unsupported'],
  ['version 2', 8, [2, 0], 'archive.version_unsupported'],
  ['version 257', 8, [1, 1], 'archive.version_unsupported'],
  ['reserved', 10, [1, 0], 'archive.corrupt'],
  ['reserved', 11, [1], 'archive.corrupt'],
  ['cipher 0 with slots', 36, [0], 'archive.corrupt'],
  ['cipher 2', 36, [2], 'archive.corrupt'],
  ['codec 4', 37, [4], 'ok'],
  ['codec 5', 37, [5], 'archive.corrupt'],
  ['copies 0', 38, [0], 'archive.corrupt'],
  ['copies 1', 38, [1], 'ok'],
  ['copies 8', 38, [8], 'ok'],
  ['copies 9', 38, [9], 'archive.corrupt'],
  ['K 0', 39, [0, 2], 'archive.corrupt'],
  ['K 1', 39, [1, 2], 'ok'],
  ['K 253', 39, [253, 2], 'ok'],
  ['K 254', 39, [254, 2], 'archive.corrupt'],
  ['M 1', 39, [10, 1], 'archive.corrupt'],
  ['M 64', 39, [191, 64], 'ok'],
  ['M 65', 39, [100, 65], 'archive.corrupt'],
  ['K + M 256', 39, [192, 64], 'archive.corrupt'],
  ['reserved', 41, [1], 'archive.corrupt'],
  ['reserved', 43, [1], 'archive.corrupt'],
  ['segment size 0', 44, [0, 0, 0, 0], 'archive.corrupt'],
  ['segment size 1', 44, [1, 0, 0, 0], 'ok'],
  ['segment size 16 MiB', 44, [0, 0, 0, 1], 'ok'],
  ['segment size 16 MiB + 1', 44, [1, 0, 0, 1], 'archive.corrupt'],
  ['length 0', 48, [0, 0], 'archive.corrupt'],
  ['length 87', 48, [87, 0], 'archive.corrupt'],
  ['length 4,049', 48, [0xd1, 0x0f], 'archive.corrupt'],
  ['length 65,535', 48, [255, 255], 'archive.corrupt'],
  ['slots 0', 50, [0, 0], 'archive.corrupt'],
  ['slots 2 of 1', 50, [2, 0], 'archive.corrupt'],
  ['slots 17', 50, [17, 0], 'archive.corrupt'],
  ['generation', 52, [255, 255, 255, 255], 'ok'],
  ['label length 65', 57, [65], 'archive.corrupt'],
  ['body longer than the header', 58, [255, 255], 'archive.corrupt'],
  [
    'a body that ends behind the header, before another slot',
    50,
    [2, 0, 0, 0, 0, 0, 1, 0, 255, 255],
    'archive.corrupt',
  ],
  ['body one byte longer', 58, [9, 0], 'archive.corrupt'],
  ['body one byte shorter', 58, [7, 0], 'archive.corrupt'],
  ['created 2^64 - 1', 28, Array(8).fill(255), 'ok'],
];

test('each field is refused out of its range, and accepted at its limit', () => {
  const encoded = encodeHeader(sampleHeader(1, { cipher: 'aes-256-gcm' }), macKey);
  for (const [name, offset, value, expected] of limits) {
    const body = bodyOf(encoded);
    body.set(value, offset);
    assert.equal(
      codeOf(() => decodeHeader(body)),
      expected,
      name,
    );
  }
});

test('a length that no header has is none', () => {
  const body = bodyOf(encodeHeader(sampleHeader(1), undefined));
  for (const [length, expected] of [
    [0, 0],
    [56, 0],
    [87, 0],
    [88, 88],
    [4048, 4048],
    [4049, 0],
  ] as const) {
    body.writeUInt16LE(length, 48);
    assert.equal(headerLength(body), expected);
    if (expected !== 0) continue;
    assert.throws(() => decodeHeader(body), /not valid: length/);
    assert.throws(() => checkHeaderCode(body, undefined), /not valid: length/);
  }
  assert.equal(headerLength(body.subarray(0, 55)), 0);
});

test('slots have the types of the format', () => {
  assert.deepEqual(slotType, { passphrase: 1, age: 2 });
});

test('a header is bound to its fixed part as it was read', () => {
  const body = bodyOf(encodeHeader(sampleHeader(1), undefined));
  body.fill(0xff, 28, 36);
  const digest = createHash('sha256').update(body.subarray(0, 48)).digest();
  assert.ok(fixedPartDigest(decodeHeader(body)).equals(digest));
});

test('a header cut short anywhere is refused', () => {
  const encoded = encodeHeader(sampleHeader(1, { cipher: 'aes-256-gcm' }), macKey);
  for (let length = 0; length < encoded.length; length++) {
    const expected = length < 56 ? 'archive.not_an_archive' : 'archive.corrupt';
    const cut = encoded.subarray(0, length);
    assert.equal(
      codeOf(() => decodeHeader(cut)),
      expected,
    );
  }
});

for (const key of [macKey, undefined]) {
  test(`any byte that differs makes the code wrong, ${key === undefined ? 'without' : 'with'} a key`, () => {
    const header = sampleHeader(2, key === undefined ? {} : { cipher: 'aes-256-gcm' });
    const encoded = encodeHeader(header, key);
    checkHeaderCode(encoded, key);
    for (let offset = 0; offset < encoded.length; offset++) {
      const changed = bodyOf(encoded);
      changed[offset] = (changed[offset] ?? 0) ^ 1;
      assert.equal(
        codeOf(() => checkHeaderCode(changed, key)),
        'archive.corrupt',
        `byte ${offset}`,
      );
    }
    assert.equal(
      codeOf(() => checkHeaderCode(encoded, random.bytes(32))),
      'archive.corrupt',
    );
  });
}

function slotOf(index: number, bodyBytes: number, label = ''): Slot {
  return { type: 1, id: Uint8Array.of(index, 0, 0, 1), createdMs: 0, label, body: new Uint8Array(bodyBytes) };
}

test('slots fill a header to its last byte, and no further', () => {
  // 56 + 32 bytes are the header's own, 16 each slot's.
  const free = 4048 - 56 - 32 - 2 * 16;
  const header = (first: number, second: number) =>
    sampleHeader(1, { cipher: 'aes-256-gcm', slots: [slotOf(1, first), slotOf(2, second)] });
  const encoded = encodeHeader(header(1000, free - 1000), macKey);
  assert.equal(encoded.length, 4048);
  assert.equal(decodeHeader(encoded).slots.length, 2);
  assert.equal(
    codeOf(() => encodeHeader(header(1000, free - 999), macKey)),
    'key.slots_full',
  );
});

test('16 slots are written, and 17 are not', () => {
  const header = (count: number) =>
    sampleHeader(1, { cipher: 'aes-256-gcm', slots: Array.from({ length: count }, (_, index) => slotOf(index, 8)) });
  assert.equal(decodeHeader(bodyOf(encodeHeader(header(16), macKey))).slots.length, 16);
  assert.equal(
    codeOf(() => encodeHeader(header(17), macKey)),
    'key.slots_full',
  );
});

test('a label has 64 bytes at most', () => {
  const header = (label: string) => sampleHeader(1, { cipher: 'aes-256-gcm', slots: [slotOf(1, 8, label)] });
  assert.equal(decodeHeader(bodyOf(encodeHeader(header('ü'.repeat(32)), macKey))).slots[0]?.label, 'ü'.repeat(32));
  assert.equal(
    codeOf(() => encodeHeader(header(`${'ü'.repeat(32)}a`), macKey)),
    'key.invalid',
  );
});

test('two slots with one id are refused', () => {
  const header = sampleHeader(1, { cipher: 'aes-256-gcm', slots: [slotOf(1, 8), slotOf(1, 9)] });
  assert.equal(
    codeOf(() => decodeHeader(bodyOf(encodeHeader(header, macKey)))),
    'archive.corrupt',
  );
});
