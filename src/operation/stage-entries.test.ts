import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openSample, sampleHeader, writeSample } from '../../test/archive/write-sample.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { WorkerPool } from '../archive/worker/worker-pool.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../source/target.ts';
import { ProgressMeter } from './run.ts';
import { stageEntries } from './stage-entries.ts';

const workers = new WorkerPool(0);
after(() => workers.close());

/** Writes down what it is called for, and compares every byte. */
class NotingTarget implements RestoreTarget {
  readonly calls: string[] = [];
  readonly #bytes: ReadonlyMap<string, Uint8Array>;
  isStagedTogether?: (entry: RestorableEntry) => boolean;

  constructor(bytes: ReadonlyMap<string, Uint8Array>, isSmall?: (entry: RestorableEntry) => boolean) {
    this.#bytes = bytes;
    if (isSmall !== undefined) this.isStagedTogether = isSmall;
  }

  async plan(): Promise<TargetChange> {
    return { target: 'none', action: 'create' };
  }

  async stage(entry: RestorableEntry, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const read: Buffer[] = [];
    for await (const chunk of chunks) read.push(Buffer.from(chunk));
    this.#note([entry], Buffer.concat(read));
  }

  async stageTogether(entries: readonly RestorableEntry[], bytes: Uint8Array): Promise<void> {
    this.#note(entries, bytes);
  }

  #note(entries: readonly RestorableEntry[], bytes: Uint8Array): void {
    const expected = Buffer.concat(entries.map(({ path }) => this.#bytes.get(path) ?? assert.fail(path)));
    assert.ok(expected.equals(bytes));
    this.calls.push(entries.map(({ path }) => path).join(' '));
  }

  commit = () => this.plan();
  async abort(): Promise<void> {}
}

async function callsFor(sizes: readonly number[], isSmall?: (entry: RestorableEntry) => boolean): Promise<string[]> {
  const entries = sizes.map((sizeBytes, index) => ({ path: `${index}`, bytes: Buffer.alloc(sizeBytes, `${index} `) }));
  const reader = await openSample(workers, await writeSample({ workers, header: sampleHeader(5), entries }));
  const all: IndexEntry[] = [];
  for await (const entry of reader.entries()) all.push(entry);
  const target = new NotingTarget(new Map(entries.map(({ path, bytes }) => [path, bytes])), isSmall);
  const seen: number[] = [];
  const meter = new ProgressMeter({ onProgress: ({ doneBytes }) => void seen.push(doneBytes) });
  await stageEntries({
    reader,
    groups: [{ kind: 'files', target, entries: all, place: '/', prefix: '' }],
    meter,
    signal: undefined,
  });
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > 0) assert.equal(seen.at(-1), total);
  return target.calls;
}

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index).join(' ');
const small = 64 * 1024;

test('small entries that a target takes together are given together, 64 at most', async () => {
  assert.deepEqual(await callsFor(Array(130).fill(10), () => true), [
    numbers(0, 63),
    numbers(64, 127),
    numbers(128, 129),
  ]);
});

test('larger ones, and those that it does not take, are given by themselves, in their order', async () => {
  assert.deepEqual(await callsFor([1, small, small + 1, 2, 3], () => true), ['0 1', '2', '3 4']);
  assert.deepEqual(await callsFor([1, 2, 3, 4], ({ path }) => path !== '1'), ['0', '1', '2 3']);
  // What is empty lies nowhere in the archive, and comes first.
  assert.deepEqual(await callsFor([1, 0, 3]), ['1', '0', '2']);
});

test('together they have 1 MiB at most', async () => {
  assert.deepEqual(await callsFor(Array(17).fill(small), () => true), [numbers(0, 15), '16']);
  assert.deepEqual(await callsFor([...Array(15).fill(small), small - 1, 1, 1], () => true), [numbers(0, 16), '17']);
});
