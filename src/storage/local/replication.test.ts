import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RandomAccess } from '../storage.ts';
import { Replication } from './replication.ts';

const pieceBytes = 10;

/** A file in memory whose writes wait until they are let through. */
class GatedFile {
  readonly buffers = [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)] as const;
  readonly hasHoles: boolean;
  readonly bytes: Uint8Array;
  readonly writes: number[] = [];
  failure: Error | undefined;
  #gate = Promise.withResolvers<void>();

  constructor(run: Uint8Array, copies: number, hasHoles = true) {
    this.hasHoles = hasHoles;
    this.bytes = new Uint8Array(run.length * copies);
    this.bytes.set(run);
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
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

test('what a read reaches is made before it is read, in any order', async () => {
  const reads = fc.array(fc.tuple(fc.nat(400), fc.nat(60)), { maxLength: 20 });
  const property = fc.asyncProperty(
    fc.nat(90),
    fc.integer({ min: 1, max: 5 }),
    fc.boolean(),
    reads,
    async (...given) => {
      const [length, copies, hasHoles, ranges] = given;
      const run = numbered(length);
      const whole = Buffer.concat(new Array(copies).fill(run));
      const file = new GatedFile(run, copies, hasHoles);
      const progress: number[] = [];
      const { replication, view } = replicate(file, copies, { onProgress: (done) => progress.push(done) });
      const running = replication.run();
      const reading = ranges.map(async ([offset, size]) => {
        const into = new Uint8Array(size);
        const count = await view.read(offset, into);
        assert.deepEqual(into.subarray(0, count), Uint8Array.from(whole.subarray(offset, offset + size)));
      });
      file.letThrough();
      await Promise.all([running, ...reading]);
      assert.deepEqual(file.bytes, Uint8Array.from(whole));
      assert.equal(new Set(file.writes).size, file.writes.length);
      assert.equal(progress.at(-1) ?? 0, length * (copies - 1));
      assert.deepEqual(
        progress,
        [...new Set(progress)].sort((a, b) => a - b),
      );
    },
  );
  await fc.assert(property, { seed: 1, numRuns: 300 });
});

test('a read of the first run does not wait, one behind it does', async () => {
  const file = new GatedFile(numbered(40), 2);
  const { replication, view } = replicate(file, 2);
  const running = replication.run();
  assert.equal(await view.read(0, new Uint8Array(40)), 40);
  let hasRead = false;
  const into = new Uint8Array(3);
  const reading = view.read(38, into).then(() => {
    hasRead = true;
  });
  await settle();
  assert.equal(hasRead, false);
  file.letThrough();
  await reading;
  assert.deepEqual([...into], [39, 40, 1]);
  await running;
});

test('a piece that somebody waits for is made next, where holes cost nothing', async () => {
  for (const hasHoles of [true, false]) {
    const file = new GatedFile(numbered(80), 2, hasHoles);
    const { replication, view } = replicate(file, 2);
    const running = replication.run();
    const reading = view.read(159, new Uint8Array(1));
    await settle();
    file.letThrough();
    await Promise.all([running, reading]);
    const expected = hasHoles ? [80, 90, 150, 100, 110] : [80, 90, 100, 110, 120];
    assert.deepEqual(file.writes.slice(0, 5), expected);
    assert.equal(file.writes.length, 8);
  }
});

test('a write that fails ends the run with its error, and those who wait', async () => {
  const file = new GatedFile(numbered(80), 2);
  const { replication, view } = replicate(file, 2);
  const running = replication.run();
  const reading = view.read(100, new Uint8Array(60));
  const failure = new Error('full');
  file.failure = failure;
  file.letThrough();
  await assert.rejects(reading, (error: Error) => {
    assert.equal(error.cause, failure);
    return true;
  });
  await assert.rejects(running, (error) => error === failure);
  await assert.rejects(view.read(0, new Uint8Array(1)), { code: 'operation.interrupted', cause: failure });
  assert.equal(file.writes.length, 2);
});

test('a stop in the middle makes no further piece', async () => {
  const file = new GatedFile(numbered(80), 3);
  const { replication } = replicate(file, 3);
  const running = replication.run();
  await settle();
  const failure = new Error('check');
  replication.stop(failure);
  file.letThrough();
  await assert.rejects(running, (error) => error === failure);
  assert.equal(file.writes.length, 2);
});

test('a writer that was stopped ends run and reads with its reason', async () => {
  const file = new GatedFile(numbered(80), 2);
  const failure = new Error('aborted');
  let isStopped = false;
  const throwIfStopped = () => {
    if (isStopped) throw failure;
  };
  const { replication, view } = replicate(file, 2, { throwIfStopped });
  const running = replication.run();
  await settle();
  isStopped = true;
  file.letThrough();
  await assert.rejects(view.read(0, new Uint8Array(1)), (error) => error === failure);
  await assert.rejects(running, (error) => error === failure);
  assert.equal(file.writes.length, 2);
});
