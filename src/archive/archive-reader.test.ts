import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { listEntries, openSample, readAll, sampleHeader, writeSample } from '../../test/archive/write-sample.ts';
import { memoryRandomAccess, SeededRandom } from '../testing/index.ts';
import { ArchiveReader, readTogetherBytes } from './archive-reader.ts';
import { WorkerPool } from './worker/worker-pool.ts';

const workers = new WorkerPool(1);
after(() => workers.close());

test('entries that are read one after the other, to their end or not, use the same memory', async () => {
  const entries = Array.from({ length: 12 }, (_, index) => ({
    path: `files/${index}`,
    bytes: Buffer.alloc(5000, index),
  }));
  const reader = await openSample(workers, await writeSample({ workers, header: sampleHeader(7), entries }));
  const seen = new Set<ArrayBufferLike>();
  for (const [index, entry] of (await listEntries(reader)).entries()) {
    for await (const chunk of reader.read(entry)) {
      seen.add(chunk.buffer);
      if (index % 2 === 0) break;
    }
  }
  assert.ok(seen.size <= 2, `${seen.size} buffers`);
});

const random = new SeededRandom(3);
/** Of one segment, of many, of none, and of many again. */
const entries = [100, 90_000, 0, 150_000].map((sizeBytes, index) => ({
  path: `files/${index}`,
  bytes: random.bytes(sizeBytes),
}));

/** Segments of 10,000 bytes. */
function writeEntries(cipher: 'none' | 'aes-256-gcm' = 'none') {
  return writeSample({ workers, header: sampleHeader(8, { cipher, segmentSizeBytes: 10_000 }), entries });
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk.slice());
  return Buffer.concat(all);
}

test('all bytes come back, entry by entry or in one go, and the header and key are at hand', async () => {
  const sample = await writeEntries('aes-256-gcm');
  const reader = await openSample(workers, sample);
  assert.deepEqual(reader.header.archiveId, sample.header.archiveId);
  assert.deepEqual(reader.dataKey, sample.dataKey);
  for (const [index, { bytes }] of (await readAll(reader)).entries()) {
    assert.ok(bytes.equals(entries[index]?.bytes ?? assert.fail('there are as many')));
  }
});

test('an entry whose bytes have another digest is an error at its end, and is found by a check', async () => {
  const reader = await openSample(workers, await writeEntries());
  const all = await listEntries(reader);
  const told = new Map<string, number>();
  const onBytes = ({ path }: { path: string }, bytes: number) => told.set(path, (told.get(path) ?? 0) + bytes);
  assert.deepEqual(await reader.check(all, onBytes), []);
  assert.deepEqual(
    [...told].sort(),
    all.filter(({ sizeBytes }) => sizeBytes > 0).map(({ path, sizeBytes }) => [path, sizeBytes]),
  );
  for (const entry of all) {
    const wrong = { ...entry, sha256: 'ab'.repeat(32) };
    await assert.rejects(bytesOf(reader.read(wrong)), { code: 'archive.corrupt', context: { path: entry.path } });
    const failures = await reader.check(all.map((one) => (one === entry ? wrong : one)));
    assert.deepEqual(
      failures.map((failure) => [failure.entry, failure.error.code]),
      [[wrong, 'archive.corrupt']],
    );
  }
});

test('entries that are read together stand one behind the other, once the digest of each was compared', async () => {
  const reader = await openSample(workers, await writeEntries());
  const all = await listEntries(reader);
  const segments = reader.segmentsFor(all);
  const read = async (some: typeof all) => {
    let bytes: Buffer | undefined;
    await reader.readTogether(some, segments, async (lent) => {
      bytes = Buffer.from(lent);
    });
    return bytes ?? assert.fail('they are used');
  };
  assert.ok((await read(all)).equals(Buffer.concat(entries.map(({ bytes }) => bytes))));
  for (const entry of all) {
    const wrong = all.map((one) => (one === entry ? { ...one, sha256: 'ab'.repeat(32) } : one));
    await assert.rejects(read(wrong), { code: 'archive.corrupt', context: { path: entry.path } });
  }
  assert.equal((await read(all.filter(({ sizeBytes }) => sizeBytes === 0))).length, 0);
  segments.close();
});

test('entries that are read together have 1 MiB at most, and one of a byte is compared too', async () => {
  assert.equal(readTogetherBytes, 2 ** 20);
  const sizes = [1, 2 ** 20 - 1];
  const own = sizes.map((sizeBytes, index) => ({ path: `files/${index}`, bytes: random.bytes(sizeBytes) }));
  const reader = await openSample(workers, await writeSample({ workers, header: sampleHeader(9), entries: own }));
  const all = await listEntries(reader);
  const segments = reader.segmentsFor(all);
  await reader.readTogether(all, segments, async (bytes) => {
    assert.ok(Buffer.concat(own.map((entry) => entry.bytes)).equals(bytes));
  });
  const wrong = all.map((entry) => (entry.sizeBytes === 1 ? { ...entry, sha256: 'ab'.repeat(32) } : entry));
  await assert.rejects(
    reader.readTogether(wrong, segments, async () => assert.fail('nothing is given out')),
    { code: 'archive.corrupt' },
  );
  segments.close();
});

test('what is read together gives all of its memory back', async (context) => {
  const reader = await openSample(workers, await writeEntries());
  const all = await listEntries(reader);
  const take = context.mock.method(workers.memory, 'take');
  const giveBack = context.mock.method(workers.memory, 'giveBack');
  const segments = reader.segmentsFor(all);
  let heldLeases = 0;
  const get = segments.get.bind(segments);
  context.mock.method(segments, 'get', async (number: number) => {
    assert.equal(heldLeases, 0, 'one segment is held at a time');
    const lease = await get(number);
    heldLeases += 1;
    const release = () => {
      heldLeases -= 1;
      lease.release();
    };
    return { ...lease, release };
  });
  await reader.readTogether(all, segments, async (bytes) => assert.equal(bytes.length, 240_100));
  assert.equal(heldLeases, 0);
  segments.close();
  const [taken, given] = [() => take.mock.callCount(), () => giveBack.mock.callCount()];
  // What is read ahead ends first.
  for (let turn = 0; turn < 5000 && given() < taken(); turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(taken() > 1);
  assert.equal(given(), taken());
});

test('an abort ends what is read together', async () => {
  const { bytes } = await writeEntries();
  const abort = new AbortController();
  const reader = await ArchiveReader.open({ sources: [memoryRandomAccess(bytes)], workers, signal: abort.signal });
  const all = await listEntries(reader);
  const segments = reader.segmentsFor(all);
  abort.abort();
  const read = reader.readTogether(all, segments, async () => assert.fail('nothing is given out'));
  await assert.rejects(read, { code: 'operation.interrupted' });
  segments.close();
});

test('an abort ends a read at its next piece, and at its end', async () => {
  const { bytes } = await writeEntries();
  for (const [index, pieces] of [
    [1, 2],
    [0, 1],
  ] as const) {
    const abort = new AbortController();
    const reader = await ArchiveReader.open({ sources: [memoryRandomAccess(bytes)], workers, signal: abort.signal });
    const entry = (await listEntries(reader))[index];
    assert.ok(entry);
    let seen = 0;
    const read = async () => {
      for await (const _ of reader.read(entry)) {
        seen += 1;
        if (seen === pieces) abort.abort();
      }
    };
    await assert.rejects(read(), { code: 'operation.interrupted' });
    assert.equal(seen, pieces);
    await assert.rejects(reader.check([entry]), { code: 'operation.interrupted' });
  }
});
