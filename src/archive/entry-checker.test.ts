import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { SeededRandom } from '../testing/index.ts';
import type { ArchiveIndex } from './archive-index.ts';
import type { IndexEntry, Run } from './entry/entry.ts';
import { EntryChecker, hashedAtOnce } from './entry-checker.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { HashSpan } from './worker/protocol.ts';
import type { WorkerPool } from './worker/worker-pool.ts';

const segmentBytes = [0, 1, 2, 3, 4, 5, 6, 7].map((number) => Buffer.alloc(100, number));

/** Segments that are lent, and threads that hash, as far as a checker asks for them. */
class FakeArchive {
  readonly asked: number[] = [];
  /** Leases that are out now, and most of them at once. */
  lent = 0;
  mostLent = 0;
  readonly failing = new Map<number, Error>();
  hashFailure: Error | undefined;
  /** Hashing waits for this many turns, and so does a segment that is asked for. */
  turns = 0;
  getTurns = 0;
  readonly #hashes = new Map<number, Hash>();

  newHash(): number {
    const number = this.#hashes.size;
    this.#hashes.set(number, createHash('sha256'));
    return number;
  }

  async hash({ bytes, spans }: { readonly bytes: Uint8Array; readonly spans: readonly HashSpan[] }) {
    assert.ok(spans.length > 0, 'nothing is sent for nothing');
    const digests = spans.flatMap(({ entry, offset, length, last }) => {
      const hash = this.#hashes.get(entry)?.update(bytes.subarray(offset, offset + length));
      return last && hash !== undefined ? [{ entry, sha256: hash.digest('hex') }] : [];
    });
    for (let turn = 0; turn < this.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (this.hashFailure !== undefined) throw this.hashFailure;
    return digests;
  }

  async get(number: number) {
    this.asked.push(number);
    for (let turn = 0; turn < this.getTurns; turn++) await new Promise((resolve) => setImmediate(resolve));
    const failure = this.failing.get(number);
    if (failure !== undefined) throw failure;
    this.lent += 1;
    this.mostLent = Math.max(this.mostLent, this.lent);
    const release = () => {
      this.lent -= 1;
    };
    return { bytes: segmentBytes[number] as Buffer, release };
  }

  /** Runs lie in one segment each. */
  *pieces(entry: IndexEntry): Generator<Run> {
    yield* entry.runs;
  }

  async check(
    entries: readonly IndexEntry[],
    options: { signal?: AbortSignal; onBytes?: (entry: IndexEntry, bytes: number) => void } = {},
  ) {
    const checker = new EntryChecker({
      index: this as unknown as ArchiveIndex,
      segments: this as unknown as SegmentReader,
      workers: this as unknown as WorkerPool,
      signal: options.signal,
    });
    return (await checker.check(entries, options.onBytes)).map(({ entry, error }) => `${entry.path} ${error.code}`);
  }
}

function entry(path: string, ...runs: (readonly [segment: number, offset: number, length: number])[]): IndexEntry {
  const hash = createHash('sha256');
  for (const [segment, offset, length] of runs)
    hash.update((segmentBytes[segment] as Buffer).subarray(offset, offset + length));
  const all = runs.map(([segment, offset, length]): Run => ({ segment, offset, length }));
  const sizeBytes = all.reduce((sum, { length }) => sum + length, 0);
  return { path, kind: 'file', sizeBytes, sha256: hash.digest('hex'), runs: all, metadata: {} };
}

const entries = [
  entry('a', [0, 0, 30]),
  entry('b', [0, 30, 70], [1, 0, 100], [2, 0, 10]),
  entry('empty'),
  entry('c', [2, 10, 90], [3, 0, 5]),
  entry('d', [4, 0, 100]),
];

test('what is as it was has no failure; each segment is asked for once, and few are lent at once', async () => {
  const archive = new FakeArchive();
  archive.turns = 20;
  const told: [string, number][] = [];
  assert.deepEqual(await archive.check(entries, { onBytes: ({ path }, bytes) => told.push([path, bytes]) }), []);
  assert.deepEqual(archive.asked, [0, 1, 2, 3, 4]);
  assert.deepEqual([archive.lent, archive.mostLent], [0, hashedAtOnce]);
  const expected = [
    ['a', 30],
    ['b', 70],
    ['b', 100],
    ['b', 10],
    ['c', 90],
    ['c', 5],
    ['d', 100],
  ];
  assert.deepEqual(told, expected);
});

test('each entry with another digest is told, the empty one too', async () => {
  for (const wrong of entries) {
    const given = entries.map((one) => (one === wrong ? { ...one, sha256: 'ab'.repeat(32) } : one));
    assert.deepEqual(await new FakeArchive().check(given), [`${wrong.path} archive.corrupt`]);
  }
});

test('a segment that cannot be had fails the entries in it, each once, and no other', async () => {
  for (const code of ['archive.damaged', 'archive.corrupt'] as const) {
    const archive = new FakeArchive();
    archive.failing.set(2, new HoldfastError(code));
    const failures = await archive.check(entries);
    assert.deepEqual(failures, [`b ${code}`, `c ${code}`]);
    assert.equal(archive.lent, 0);
  }
});

const interleaved = [
  // In the order in which they ended.
  entry('short', [1, 0, 100], [3, 0, 20]),
  entry('late', [3, 20, 80], [5, 0, 10]),
  entry('long', [0, 0, 100], [2, 0, 100], [4, 0, 100], [5, 10, 5]),
  entry('last', [5, 15, 85], [6, 0, 1]),
  entry('empty'),
];

test('of entries that lie between one another each segment is asked for once, in the order of the archive', async () => {
  const archive = new FakeArchive();
  const told: string[] = [];
  assert.deepEqual(
    await archive.check(interleaved, { onBytes: ({ path }, bytes) => told.push(`${path} ${bytes}`) }),
    [],
  );
  assert.deepEqual(archive.asked, [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(told.length, 10);
  for (const { path, runs } of interleaved) {
    assert.deepEqual(
      told.filter((one) => one.startsWith(path)),
      runs.map(({ length }) => `${path} ${length}`),
    );
  }
  for (const wrong of interleaved) {
    const given = interleaved.map((one) => (one === wrong ? { ...one, sha256: 'ab'.repeat(32) } : one));
    assert.deepEqual(await new FakeArchive().check(given), [`${wrong.path} archive.corrupt`]);
  }
});

test('however many entries lie between one another, each segment is asked for once', async () => {
  const random = new SeededRandom(4);
  for (let round = 0; round < 50; round++) {
    const some = Array.from({ length: 12 }, (_, index) => {
      const segments = segmentBytes.flatMap((_bytes, number) => (random.integer(3) > 0 ? [number] : []));
      return entry(`${index}`, ...segments.map((segment): [number, number, number] => [segment, index, 5]));
    });
    const archive = new FakeArchive();
    assert.deepEqual(await archive.check(some), []);
    const all = new Set(some.flatMap(({ runs }) => runs.map(({ segment }) => segment)));
    assert.deepEqual(archive.asked, [...all].sort());
  }
});

test('an entry that fails fails once, and those between its runs are compared all the same', async () => {
  const archive = new FakeArchive();
  archive.failing.set(2, new HoldfastError('archive.damaged'));
  const wrong = interleaved.map((one) => (one.path === 'late' ? { ...one, sha256: 'ab'.repeat(32) } : one));
  assert.deepEqual(await archive.check(wrong), ['long archive.damaged', 'late archive.corrupt']);
  assert.deepEqual(archive.asked, [0, 1, 2, 3, 5, 6]);
});

test('an entry whose places are wrong fails, at its first one or later, and no other', async () => {
  for (const good of [0, 1, 3]) {
    const archive = new FakeArchive();
    archive.pieces = function* ({ path, runs }: IndexEntry) {
      yield* path === 'long' ? runs.slice(0, good) : runs;
      if (path === 'long') throw new HoldfastError('archive.corrupt');
    };
    assert.deepEqual(await archive.check(interleaved), ['long archive.corrupt']);
  }
});

test('what says nothing of the archive is thrown, and all leases are given back', async () => {
  for (const failure of [new HoldfastError('storage.unavailable'), new TypeError('a mistake')]) {
    const reading = new FakeArchive();
    reading.turns = 20;
    reading.failing.set(3, failure);
    await assert.rejects(reading.check(entries), failure);
    assert.equal(reading.lent, 0);
    for (const last of [1, entries.length]) {
      const hashing = new FakeArchive();
      hashing.hashFailure = failure;
      await assert.rejects(hashing.check(entries.slice(0, last)), failure);
      assert.equal(hashing.lent, 0);
    }
  }
});

test('a hash that fails while a segment is waited for is thrown when its turn comes', async () => {
  const archive = new FakeArchive();
  archive.getTurns = 5;
  archive.hashFailure = new HoldfastError('operation.interrupted');
  await assert.rejects(archive.check(entries), { code: 'operation.interrupted' });
  assert.equal(archive.lent, 0);
});

test('whoever is told of bytes may end it, and no lease stays out', async () => {
  const archive = new FakeArchive();
  const onBytes = () => {
    throw new RangeError('enough');
  };
  await assert.rejects(archive.check(entries, { onBytes }), /enough/);
  assert.equal(archive.lent, 0);
});

test('an abort ends it', async () => {
  const archive = new FakeArchive();
  await assert.rejects(archive.check(entries, { signal: AbortSignal.abort() }), { code: 'operation.interrupted' });
  assert.deepEqual(archive.asked, []);
});
