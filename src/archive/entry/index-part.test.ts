import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../errors.ts';
import type { EntryMetadata } from '../json.ts';
import type { IndexEntry } from './entry.ts';
import {
  decodeIndexEntries,
  decodeIndexHead,
  encodeIndexEntry,
  encodeIndexHead,
  type IndexPartHead,
  maximumIndexPartBytes,
} from './index-part.ts';

const counts = fc.nat(2 ** 40);
const places = fc.record({ segment: counts, offset: counts, length: counts }, { noNullPrototype: true });
const runs = fc.array(
  fc.record(
    { segment: counts, offset: counts, length: fc.integer({ min: 1, max: 2 ** 40 }) },
    { noNullPrototype: true },
  ),
  { maxLength: 5 },
);
const sha256 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const entries: fc.Arbitrary<IndexEntry> = fc
  .record(
    {
      path: fc.string({ unit: 'grapheme', minLength: 1 }),
      pathBytes: fc.uint8Array(),
      kind: fc.string(),
      sha256,
      runs,
      metadata: fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
    },
    { requiredKeys: ['path', 'kind', 'sha256', 'runs', 'metadata'], noNullPrototype: true },
  )
  .map((entry) => ({
    ...entry,
    // JSON has no -0, and a member named __proto__ is none of an object's own.
    metadata: JSON.parse(JSON.stringify(entry.metadata)) as EntryMetadata,
    sizeBytes: entry.runs.reduce((sum, run) => sum + run.length, 0),
  }));
const parts: fc.Arbitrary<IndexPart> = fc.record(
  {
    part: counts,
    previous: fc.option(places, { nil: undefined }),
    firstSegment: counts,
    segments: fc.array(fc.record({ plain: counts, sealed: counts }, { noNullPrototype: true }), { maxLength: 5 }),
    entries: fc.array(entries, { maxLength: 5 }),
  },
  { noNullPrototype: true },
);

type IndexPart = IndexPartHead & { readonly entries: readonly IndexEntry[] };

function decodeIndexPart(bytes: Uint8Array): IndexPart {
  return { ...decodeIndexHead(bytes), entries: [...decodeIndexEntries(bytes)] };
}

function encode(part: IndexPart): Buffer {
  return Buffer.from(encodeIndexHead(part) + part.entries.map(encodeIndexEntry).join(''));
}

test('an index part is read as it was written', () => {
  const property = fc.property(parts, (part) => {
    assert.deepEqual(decodeIndexPart(encode(part)), part);
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

test('a part has the members of the format', () => {
  const entry: IndexEntry = {
    path: 'files/a',
    pathBytes: Uint8Array.of(255),
    kind: 'file',
    sizeBytes: 5,
    sha256: 'ab'.repeat(32),
    runs: [{ segment: 1, offset: 2, length: 5 }],
    metadata: { mode: 420 },
  };
  assert.deepEqual(JSON.parse(encodeIndexEntry(entry)), {
    path: 'files/a',
    pathBytes: '/w==',
    kind: 'file',
    size: 5,
    sha256: 'ab'.repeat(32),
    runs: [[1, 2, 5]],
    metadata: { mode: 420 },
  });
  const head = { part: 1, firstSegment: 3, segments: [{ plain: 10, sealed: 26 }] };
  assert.equal(
    encodeIndexHead({ ...head, previous: { segment: 2, offset: 100, length: 50 } }),
    '{"part":1,"previous":{"segment":2,"offset":100,"length":50},"firstSegment":3,"segments":[[10,26]]}\n',
  );
  assert.match(encodeIndexHead({ ...head, previous: undefined }), /"previous":null/);
});

const goodHead = { part: 0, previous: null, firstSegment: 0, segments: [[10, 26]] };
const goodEntry = {
  path: 'a',
  kind: 'file',
  size: 7,
  sha256: 'ab'.repeat(32),
  runs: [
    [0, 1, 3],
    [0, 5, 4],
  ],
  metadata: {},
};

function bytesOf(...lines: unknown[]): Buffer {
  return Buffer.from(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
}

function isCorrupt(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'archive.corrupt';
}

test('members that are not known are ignored', () => {
  const part = decodeIndexPart(bytesOf({ ...goodHead, later: 1 }, { ...goodEntry, later: [1] }));
  assert.deepEqual(part, decodeIndexPart(bytesOf(goodHead, goodEntry)));
  assert.equal(part.entries[0]?.sizeBytes, 7);
});

const notCounts = [-1, 0.5, 2 ** 53, '1', null, [], true, undefined];

test('a head with any member that is not right is refused', () => {
  decodeIndexPart(bytesOf(goodHead));
  const place = { segment: 1, offset: 1, length: 1 };
  const heads: unknown[] = [
    ...notCounts.flatMap((value) => [
      { ...goodHead, part: value },
      { ...goodHead, firstSegment: value },
      { ...goodHead, segments: [[value, 26]] },
      { ...goodHead, segments: [[10, value]] },
      { ...goodHead, previous: { ...place, segment: value } },
      { ...goodHead, previous: { ...place, offset: value } },
      { ...goodHead, previous: { ...place, length: value } },
    ]),
    ...[undefined, 5, 'x', true, []].map((previous) => ({ ...goodHead, previous })),
    ...[undefined, null, {}, 5, [10, 26], [[10]], [[10, 26, 1]], [{}]].map((segments) => ({ ...goodHead, segments })),
  ];
  for (const head of heads) assert.throws(() => decodeIndexPart(bytesOf(head)), isCorrupt, JSON.stringify(head));
});

test('an entry with any member that is not right is refused', () => {
  decodeIndexPart(bytesOf(goodHead, goodEntry));
  const hash = goodEntry.sha256;
  const lines: unknown[] = [
    ...notCounts.flatMap((value) => [
      { ...goodEntry, size: value },
      { ...goodEntry, runs: [[value, 0, 7]] },
      { ...goodEntry, runs: [[0, value, 7]] },
      { ...goodEntry, runs: [[0, 0, value]] },
    ]),
    ...[undefined, null, '', 5, []].map((path) => ({ ...goodEntry, path })),
    ...[null, 5, []].map((pathBytes) => ({ ...goodEntry, pathBytes })),
    ...[undefined, null, 5].map((kind) => ({ ...goodEntry, kind })),
    ...[undefined, null, 5, '', hash.slice(1), `${hash}a`, hash.toUpperCase(), `${hash.slice(1)}g`, `${hash}\n`].map(
      (sha256) => ({ ...goodEntry, sha256 }),
    ),
    ...[undefined, null, 5, 'x', []].map((metadata) => ({ ...goodEntry, metadata })),
    ...[
      undefined,
      null,
      {},
      [5],
      [[0, 7]],
      [[0, 0, 7, 0]],
      [
        [0, 0, 7],
        [0, 7, 0],
      ],
    ].map((runs) => ({ ...goodEntry, runs })),
    { ...goodEntry, size: 6 },
    { ...goodEntry, size: 8 },
    { ...goodEntry, runs: [] },
  ];
  for (const line of lines) {
    assert.throws(() => decodeIndexPart(bytesOf(goodHead, line)), isCorrupt, JSON.stringify(line));
  }
});

test('a part has 16 MiB at most', () => {
  assert.equal(maximumIndexPartBytes, 2 ** 24);
});

test('a byte that is not UTF-8 is refused where JSON would take it', () => {
  const bytes = bytesOf(goodHead, { ...goodEntry, path: 'files/a' });
  bytes[bytes.indexOf('files/a') + 6] = 0xff;
  assert.throws(() => decodeIndexPart(bytes), isCorrupt);
});

test('what is not lines of JSON objects is refused', () => {
  const whole = bytesOf(goodHead, goodEntry);
  const refused = [
    Buffer.alloc(0),
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.from('\n')]),
    Buffer.concat([Buffer.from([0xff]), whole]),
    bytesOf(goodHead, '{'),
    bytesOf(goodHead, '[]'),
    bytesOf(goodHead, '5'),
    bytesOf(goodHead, 'null'),
    bytesOf(goodEntry),
  ];
  for (const bytes of refused) assert.throws(() => decodeIndexPart(bytes), isCorrupt, bytes.toString('latin1'));
  for (const cut of [whole.subarray(0, -1), bytesOf(goodHead).subarray(0, -1)]) {
    assert.throws(() => decodeIndexHead(cut), /its last line is not ended/);
  }
});
