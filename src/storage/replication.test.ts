import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Replication } from './replication.ts';
import type { RandomAccess } from './storage.ts';

const pieceBytes = 100_000;

/** A file in memory whose writes wait until they are let through. */
class GatedFile {
  readonly buffers = [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)] as const;
  readonly hasHoles: boolean;
  readonly bytes: Uint8Array;
  readonly writes: number[] = [];
  readonly reads: number[] = [];
  failure: Error | undefined;
  #gate = Promise.withResolvers<void>();

  constructor(run: Uint8Array, copies: number, hasHoles = true) {
    this.hasHoles = hasHoles;
    this.bytes = new Uint8Array(run.length * copies);
    this.bytes.set(run);
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    this.reads.push(offset);
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.writes.push(offset);
    await this.#gate.promise;
    if (this.failure) throw this.failure;
    this.bytes.set(bytes, offset);
  }

  letThrough(): void {
    this.#gate.resolve();
  }

  access(): RandomAccess {
    return {
      sizeBytes: this.bytes.length,
      read: async (offset, into) => {
        const part = this.bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      close: async () => {},
    };
  }
}

function replicate(
  file: GatedFile,
  copies: number,
  hooks: { onProgress?: (doneBytes: number, totalBytes: number) => void; throwIfStopped?: () => void } = {},
) {
  const { onProgress, throwIfStopped = () => {} } = hooks;
  const runBytes = file.bytes.length / copies;
  const replication = new Replication({ file, runBytes, copies, onProgress, throwIfStopped });
  return { replication, view: replication.view(file.access()) };
}

function numbered(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index + 1);
}

/** Lets everything that can go on do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
}

test('what a read reaches is made before it is read, in any order, and all at the end', async () => {
  const reads = fc.array(fc.tuple(fc.nat(400), fc.nat(60)), { maxLength: 20 });
  const property = fc.asyncProperty(
    fc.nat(90),
    fc.integer({ min: 1, max: 5 }),
    fc.boolean(),
    reads,
    async (...given) => {
      const [units, copies, hasHoles, ranges] = given;
      // Units of 10 KiB, so that some reads are long enough to be copied on, some not.
      const unit = 10_240;
      const run = numbered(units * unit + (units % 3));
      const whole = Buffer.concat(new Array(copies).fill(run));
      const file = new GatedFile(run, copies, hasHoles);
      const progress: number[] = [];
      const { replication, view } = replicate(file, copies, { onProgress: (done) => progress.push(done) });
      file.letThrough();
      await Promise.all(
        ranges.map(async ([offset, size]) => {
          const into = new Uint8Array(size * unit);
          const count = await view.read(offset * unit, into);
          const expected = whole.subarray(offset * unit, (offset + size) * unit);
          assert.ok(expected.equals(into.subarray(0, count)));
        }),
      );
      await replication.finish();
      assert.ok(whole.equals(file.bytes));
      assert.equal(new Set(file.writes).size, file.writes.length);
      assert.equal(progress.at(-1) ?? 0, run.length * (copies - 1));
      assert.deepEqual(
        progress,
        [...new Set(progress)].sort((a, b) => a - b),
      );
    },
  );
  await fc.assert(property, { seed: 1, numRuns: 60 });
});

test('what is read of the first run is written behind it from the memory of the reader, once', async () => {
  const run = numbered(1_000_000);
  const file = new GatedFile(run, 3);
  file.letThrough();
  const { replication, view } = replicate(file, 3);
  const into = new Uint8Array(300_000);
  await view.read(4096, into);
  await view.read(4096, into);
  assert.deepEqual(file.writes, [1_004_096, 2_004_096]);
  assert.deepEqual(file.reads, []);
  // A short read is not worth a write.
  await view.read(0, new Uint8Array(4096));
  assert.equal(file.writes.length, 2);
  await view.read(1_000_000, new Uint8Array(1));
  assert.deepEqual(file.writes.slice(2), [1_000_000, 2_000_000]);
  await replication.finish();
  assert.deepEqual(file.bytes, Uint8Array.from(Buffer.concat([run, run, run])));
});

test('a read of the first run that fails or comes short copies nothing, and what waits for it is made otherwise', async () => {
  const run = numbered(400_000);
  const file = new GatedFile(run, 2);
  file.letThrough();
  const failure = new Error('sector');
  const failing = { ...file.access(), read: () => Promise.reject(failure) };
  const short = { ...file.access(), read: async () => 399_999 };
  for (const access of [failing, short]) {
    const { replication } = replicate(file, 2);
    const reading = replication.view(access).read(0, new Uint8Array(400_000));
    const waiting = replication.view(file.access()).read(400_000, new Uint8Array(9));
    if (access === failing) await assert.rejects(reading, (error) => error === failure);
    else assert.equal(await reading, 399_999);
    assert.equal(await waiting, 9);
    await replication.finish();
    assert.deepEqual(file.bytes, Uint8Array.from(Buffer.concat([run, run])));
    assert.ok(file.reads.length > 0);
  }
});

test('a read behind the first run waits for what is being written there', async () => {
  const file = new GatedFile(numbered(400_000), 2);
  const { view } = replicate(file, 2);
  const first = view.read(0, new Uint8Array(400_000));
  let hasRead = false;
  const into = new Uint8Array(3);
  const reading = view.read(399_999, into).then(() => {
    hasRead = true;
  });
  await settle();
  assert.equal(hasRead, false);
  file.letThrough();
  await Promise.all([first, reading]);
  assert.deepEqual([...into], [...file.bytes.subarray(399_999, 400_002)]);
  assert.equal(file.writes.length, 1);
});

test('where a hole would be filled with zeros, the copies grow from their start', async () => {
  for (const hasHoles of [true, false]) {
    const file = new GatedFile(numbered(1_000_000), 2, hasHoles);
    file.letThrough();
    const { replication, view } = replicate(file, 2);
    await view.read(500_000, new Uint8Array(300_000));
    await view.read(1_999_999, new Uint8Array(1));
    await replication.finish();
    const ascending = [...file.writes].sort((a, b) => a - b);
    assert.equal(
      file.writes.every((offset, index) => offset === ascending[index]),
      !hasHoles,
    );
  }
});

test('a write that fails ends the run with its error, and those who read', async () => {
  const file = new GatedFile(numbered(400_000), 2);
  const { replication, view } = replicate(file, 2);
  const reading = view.read(0, new Uint8Array(400_000));
  const waiting = view.read(400_000, new Uint8Array(60));
  const failure = new Error('full');
  file.failure = failure;
  file.letThrough();
  const refused = { code: 'operation.interrupted', cause: failure };
  await Promise.all([assert.rejects(reading, refused), assert.rejects(waiting, refused)]);
  await assert.rejects(replication.finish(), (error) => error === failure);
  await assert.rejects(view.read(0, new Uint8Array(1)), refused);
  assert.equal(file.writes.length, 1);
});

test('a stop in the middle writes nothing more', async () => {
  const file = new GatedFile(numbered(80 * pieceBytes), 3);
  const { replication } = replicate(file, 3);
  const running = replication.finish();
  await settle();
  const failure = new Error('check');
  replication.stop(failure);
  file.letThrough();
  await assert.rejects(running, (error) => error === failure);
  assert.equal(file.writes.length, 2);
});

test('a writer that was stopped ends copying and reads with its reason', async () => {
  const file = new GatedFile(numbered(80 * pieceBytes), 2);
  const failure = new Error('aborted');
  let isStopped = false;
  const throwIfStopped = () => {
    if (isStopped) throw failure;
  };
  const { replication, view } = replicate(file, 2, { throwIfStopped });
  const running = replication.finish();
  await settle();
  isStopped = true;
  file.letThrough();
  const reading = view.read(80 * pieceBytes, new Uint8Array(1));
  await assert.rejects(reading, { code: 'operation.interrupted', cause: failure });
  await assert.rejects(running, (error) => error === failure);
  assert.equal(file.writes.length, 2);
});
