import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { listEntries, openSample, readAll, sampleDataKey, sampleHeader } from '../../test/archive/write-sample.ts';
import { memoryRandomAccess, SeededRandom } from '../testing/index.ts';
import { ArchiveReader } from './archive-reader.ts';
import { ArchiveWriter } from './archive-writer.ts';
import type { Header } from './header.ts';
import { WorkerPool } from './worker/worker-pool.ts';
import { WrittenCheck } from './written-check.ts';

const workers = new WorkerPool(2);
after(() => workers.close());
const script = join(import.meta.dirname, '../../recover/holdfast-recover.mjs');

function contents(seed: number, sizeBytes: number): Uint8Array {
  const random = new SeededRandom(seed);
  return seed % 2 === 0 ? random.bytes(sizeBytes) : Buffer.alloc(sizeBytes, random.bytes(37));
}

interface Plan {
  readonly header: Header;
  readonly sizes: readonly number[];
  readonly parallelEntries: number;
  readonly chunkBytes: number;
  readonly maximumRuns?: number;
}

/** Adds entries side by side, which wait for each other in turns as a seed has it, with the check that reads back. */
async function writeSideBySide(plan: Plan) {
  const { header, sizes, parallelEntries, chunkBytes, maximumRuns = 4_096 } = plan;
  const capacity = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0) * 2 + 4_000_000);
  let writtenBytes = 0;
  const readBack = {
    isKept: true,
    get writtenBytes() {
      return writtenBytes;
    },
    async read(_copy: number, offset: number, into: Uint8Array) {
      into.set(capacity.subarray(offset, offset + into.length));
      return true;
    },
  };
  const check = new WrittenCheck({ workers, header, readBack });
  const dataKey = sampleDataKey(header);
  const sink = async (bytes: Uint8Array) => {
    capacity.set(bytes, writtenBytes);
    writtenBytes += bytes.length;
    check.advance();
  };
  const writer = await ArchiveWriter.create({ header, dataKey, workers, sink, check, parallelEntries, maximumRuns });
  const random = new SeededRandom(sizes.length);
  const chunks = async function* (bytes: Uint8Array) {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      yield bytes.subarray(at, at + chunkBytes);
      if ((random.bytes(1)[0] ?? 0) % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const waiting = sizes.map((size, index) => ({ path: `e/${index}`, bytes: contents(index, size) }));
  const worker = async () => {
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      await writer.add({ path: entry.path, kind: 'file', metadata: { of: entry.path } }, chunks(entry.bytes));
    }
  };
  await Promise.all(Array.from({ length: parallelEntries }, worker));
  await writer.finish();
  await check.pause();
  const one = new Uint8Array(capacity.subarray(0, writtenBytes));
  const bytes = new Uint8Array(Buffer.concat(Array.from({ length: header.copies }, () => one)));
  const reader = await openSample(workers, { bytes, dataKey });
  await check.finish(readBack, reader.index, await listEntries(reader));
  return { bytes, reader };
}

const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 300_000 }));

test('entries that come side by side are read back, each whole, and proven by the check', async () => {
  const property = fc.asyncProperty(
    fc.array(size, { maxLength: 12 }),
    fc.constantFrom(500, 4_032, 30_000, 65_536),
    fc.integer({ min: 2, max: 5 }),
    fc.constantFrom(100, 7_000, 250_000),
    fc.constantFrom(1, 2, 4_096),
    async (sizes, segmentSizeBytes, parallelEntries, chunkBytes, maximumRuns) => {
      const header = sampleHeader(1, { cipher: 'aes-256-gcm', codec: 'zstd', segmentSizeBytes, copies: 2 });
      const chunk = Math.max(chunkBytes, segmentSizeBytes / 100);
      const { reader } = await writeSideBySide({ header, sizes, parallelEntries, chunkBytes: chunk, maximumRuns });
      const read = new Map((await readAll(reader)).map(({ entry, bytes }) => [entry.path, { entry, bytes }]));
      assert.equal(read.size, sizes.length);
      for (const [index, sizeBytes] of sizes.entries()) {
        const { entry, bytes } = read.get(`e/${index}`) ?? {};
        assert.ok(bytes?.equals(contents(index, sizeBytes)), `entry ${index}`);
        assert.deepEqual(entry?.metadata, { of: `e/${index}` });
        assert.ok((entry?.runs.length ?? 0) <= maximumRuns + 1);
      }
      assert.deepEqual(await reader.check(await listEntries(reader)), []);
    },
  );
  await fc.assert(property, { seed: 1, numRuns: 20 });
});

test('where a jump is dear a check reads each copy once, from its start to its end', async () => {
  const header = sampleHeader(3, { codec: 'none', cipher: 'aes-256-gcm', segmentSizeBytes: 30_000, copies: 2 });
  const sizes = [9_000_000, 4_000_000, 8_000_000, 10];
  const { bytes } = await writeSideBySide({ header, sizes, parallelEntries: 2, chunkBytes: 250_000 });
  const jumpsOf = async (isSequential: boolean) => {
    const inner = memoryRandomAccess(bytes);
    const ends = [0, 0];
    let [jumps, readBytes] = [0, 0];
    const read = (offset: number, into: Uint8Array) => {
      const copy = offset < bytes.length / 2 ? 0 : 1;
      // Segments that follow one another share a block.
      if (offset < (ends[copy] ?? 0) - 4_096) jumps++;
      ends[copy] = offset + into.length;
      readBytes += into.length;
      return inner.read(offset, into);
    };
    const dataKey = sampleDataKey(header);
    const sources = [{ ...inner, isSequential, read }];
    const reader = await ArchiveReader.open({ sources, workers, keys: dataKey && { dataKey } });
    const entries = await listEntries(reader);
    [jumps, readBytes] = [0, 0];
    ends.fill(0);
    assert.deepEqual(await reader.check(entries), []);
    assert.ok(readBytes > 42_000_000 && readBytes < 44_000_000, `${readBytes} bytes`);
    return jumps;
  };
  assert.equal(await jumpsOf(true), 0);
  assert.ok((await jumpsOf(false)) > 2, 'elsewhere two parts are read side by side');
});

test('runs take turns until one of the entries has many of them, and then it goes on alone', async () => {
  // A batch has 64 segments.
  const batchBytes = 64 * 500;
  const header = sampleHeader(2, { codec: 'none', segmentSizeBytes: 500 });
  const plan = { header, sizes: [batchBytes * 60, batchBytes * 60], parallelEntries: 2, chunkBytes: batchBytes };
  const runsOf = async (maximumRuns: number) => {
    const { reader } = await writeSideBySide({ ...plan, maximumRuns });
    return (await listEntries(reader)).map(({ runs }) => runs.length);
  };
  const [first = 0, second = 0] = await runsOf(1_000);
  assert.ok(first > 10 && second > 10, `${first} and ${second} runs`);
  for (const count of await runsOf(5)) assert.ok(count >= 2 && count <= 6, `${count} runs`);
});

test('the recovery script reads entries that lie in turns', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-turns-'));
  try {
    const header = sampleHeader(3, { codec: 'zstd', segmentSizeBytes: 4_032 });
    const sizes = [700_000, 0, 900_001, 5, 800_000];
    const { bytes, reader } = await writeSideBySide({ header, sizes, parallelEntries: 3, chunkBytes: 50_000 });
    assert.ok((await listEntries(reader)).some(({ runs }) => runs.length > 1));
    writeFileSync(join(folder, 'a.holdfast'), bytes);
    execFileSync(process.execPath, [script, join(folder, 'a.holdfast'), join(folder, 'out')], { stdio: 'pipe' });
    for (const [index, sizeBytes] of sizes.entries()) {
      assert.ok(
        readFileSync(join(folder, 'out/e', String(index))).equals(contents(index, sizeBytes)),
        `entry ${index}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('an entry that fails lets the others end, and a sink that fails ends them all', async () => {
  const header = sampleHeader(4, { codec: 'none', segmentSizeBytes: 4_032 });
  const create = (sink: (bytes: Uint8Array) => Promise<void>) =>
    ArchiveWriter.create({ header, dataKey: undefined, workers, sink, parallelEntries: 2, maximumRuns: 1 });
  const long = async function* (turns: number) {
    for (let turn = 0; turn < turns; turn += 1) yield contents(2, 500_000);
  };
  const failing = async function* () {
    yield contents(2, 500_000);
    throw new Error('the source failed');
  };
  const add = (writer: ArchiveWriter, path: string, bytes: AsyncIterable<Uint8Array>) =>
    writer.add({ path, kind: 'file', metadata: {} }, bytes);
  const writer = await create(async () => undefined);
  const results = await Promise.allSettled([add(writer, 'a', failing()), add(writer, 'b', long(9))]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );
  const broken = await create(() => Promise.reject(new Error('the disk is full')));
  const both = await Promise.allSettled([add(broken, 'a', long(200)), add(broken, 'b', long(200))]);
  for (const result of both) assert.match(String((result as PromiseRejectedResult).reason), /the disk is full/);
});
