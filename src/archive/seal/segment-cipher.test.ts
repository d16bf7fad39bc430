import assert from 'node:assert/strict';
import { createDecipheriv, createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../errors.ts';
import { SeededRandom } from '../../testing/index.ts';
import { deriveKeys } from './key-schedule.ts';
import {
  openSegment,
  type SegmentKind,
  type SegmentSeal,
  sealedOverheadBytes,
  sealSegment,
  segmentKind,
} from './segment-cipher.ts';

const random = new SeededRandom(1);
const fixedDigest = random.bytes(32);
const seals: [string, SegmentSeal][] = [
  ['AES-256-GCM', { key: random.bytes(32), fixedDigest }],
  ['no cipher', { key: undefined, fixedDigest }],
];

function sealed(seal: SegmentSeal, number: number, kind: SegmentKind, bytes: Uint8Array): Buffer {
  const into = Buffer.alloc(bytes.length + 16);
  assert.equal(sealSegment(seal, { number, kind, bytes }, into), into.length);
  return into;
}

function isRefused(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'archive.damaged';
}

for (const [name, seal] of seals) {
  test(`${name}: a segment opens as it was sealed`, () => {
    const numbers = fc.oneof(fc.nat(10), fc.constantFrom(2 ** 32, 2 ** 53 - 1));
    const kinds = fc.constantFrom<SegmentKind>(0, 1, 2);
    const property = fc.property(numbers, kinds, fc.uint8Array({ maxLength: 5000 }), (number, kind, bytes) => {
      const opened = openSegment(seal, { number, kind, bytes: sealed(seal, number, kind, bytes) });
      assert.ok(opened.equals(bytes));
    });
    fc.assert(property, { seed: 1, numRuns: 100 });
  });

  test(`${name}: a segment with any byte changed is refused`, () => {
    const bytes = sealed(seal, 7, 0, random.bytes(300));
    for (let offset = 0; offset < bytes.length; offset++) {
      for (const change of [1, 0x80]) {
        bytes[offset] = (bytes[offset] ?? 0) ^ change;
        assert.throws(() => openSegment(seal, { number: 7, kind: 0, bytes }), isRefused, `byte ${offset}`);
        bytes[offset] = (bytes[offset] ?? 0) ^ change;
      }
    }
    openSegment(seal, { number: 7, kind: 0, bytes });
  });

  test(`${name}: a segment that is cut, extended, or sealed as another is refused`, () => {
    const bytes = sealed(seal, 7, 0, random.bytes(100));
    const refuse = (segment: { number?: number; kind?: SegmentKind; bytes?: Uint8Array }, by = seal) =>
      assert.throws(() => openSegment(by, { number: 7, kind: 0, bytes, ...segment }), isRefused);
    for (let length = 0; length < bytes.length; length++) refuse({ bytes: bytes.subarray(0, length) });
    refuse({ bytes: bytes.subarray(1) });
    refuse({ bytes: Buffer.concat([bytes, Buffer.alloc(1)]) });
    for (const number of [0, 6, 8, 7 + 2 ** 32]) refuse({ number });
    for (const kind of [1, 2] as const) refuse({ kind });
    refuse({}, { ...seal, fixedDigest: random.bytes(32) });
    if (seal.key !== undefined) refuse({}, { ...seal, key: random.bytes(32) });
  });
}

test('a segment is sealed with its number for a nonce, as the format says', () => {
  const key = random.bytes(32);
  for (const [number, kind] of [
    [0, segmentKind.data],
    [261, segmentKind.index],
    [2 ** 40 + 3, segmentKind.tail],
  ] as const) {
    const bytes = random.bytes(100);
    const into = sealed({ key, fixedDigest }, number, kind, bytes);
    const place = Buffer.alloc(8);
    place.writeBigUInt64LE(BigInt(number));
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.concat([Buffer.alloc(4), place]));
    decipher.setAAD(Buffer.concat([fixedDigest, place, Buffer.of(kind)]));
    decipher.setAuthTag(into.subarray(100));
    assert.ok(Buffer.concat([decipher.update(into.subarray(0, 100)), decipher.final()]).equals(bytes));
  }
  assert.deepEqual(segmentKind, { data: 0, index: 1, tail: 2 });
  assert.equal(sealedOverheadBytes, 65_536);
});

test('without a cipher the bytes stand as they are, before a digest of what they are bound to', () => {
  const bytes = Buffer.from('plain');
  const associated = Buffer.concat([fixedDigest, Buffer.from([5, 1, 0, 0, 0, 0, 0, 0]), Buffer.from([1])]);
  const digest = createHash('sha256').update(associated).update(bytes).digest().subarray(0, 16);
  assert.ok(sealed({ key: undefined, fixedDigest }, 261, 1, bytes).equals(Buffer.concat([bytes, digest])));
});

test('the keys of an archive differ from each other and from those of other archives', () => {
  const dataKey = random.bytes(32);
  const ids = [random.bytes(16), random.bytes(16)];
  const keys = ids.flatMap((id) =>
    Object.values(deriveKeys(dataKey, id)).map((key) => Buffer.from(key).toString('hex')),
  );
  assert.equal(new Set(keys).size, 4);
  assert.ok(keys.every((key) => key.length === 64));
});
