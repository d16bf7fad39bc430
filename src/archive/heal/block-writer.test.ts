import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { blockAt, type PlainCopy, plainCopy, plainHeader } from '../../../test/archive/plain-copy.ts';
import type { Tasks, WorkerSetup } from '../worker/protocol.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import { BlockWriter } from './block-writer.ts';
import { blockSizeBytes, payloadSizeBytes, type StripeShape } from './geometry.ts';
import { ParityAccumulator } from './parity-accumulator.ts';

const pool = new WorkerPool(0);
after(() => pool.close());

/** Of 9 data blocks and 9 of parity, so that the data and the parity of a band (576 blocks each) are more than a window (544). */
const wide = plainHeader(1, { dataBlocks: 9, parityBlocks: 9 });
const narrow = plainHeader(2, { dataBlocks: 1, parityBlocks: 2 });
const copies = [1, 64, 65, 130].map((count) => plainCopy(count, narrow));
const wideCopy = plainCopy(577, wide);

interface Written {
  readonly writer: BlockWriter;
  readonly chunks: Buffer[];
  /** Tasks in the order in which they were sent. */
  readonly tasks: (keyof Tasks)[];
}

/** A writer of copies like this one, into chunks as they come. */
function writerFor(
  { header, headerBody }: PlainCopy,
  options: {
    readonly sink?: (bytes: Uint8Array) => Promise<void>;
    readonly header?: Promise<Uint8Array>;
    readonly onTask?: (name: keyof Tasks) => void;
  } = {},
): Written {
  const chunks: Buffer[] = [];
  const tasks: (keyof Tasks)[] = [];
  const workers = {
    forArchive: (setup: WorkerSetup) => {
      const real = pool.forArchive(setup);
      const runInOrder = async (name: keyof Tasks, task: never) => {
        tasks.push(name);
        options.onTask?.(name);
        return await real.runInOrder(name, task);
      };
      return { memory: real.memory, threadCount: 1, runInOrder };
    },
  } as unknown as WorkerPool;
  const sink = async (bytes: Uint8Array) => {
    await options.sink?.(bytes);
    chunks.push(Buffer.from(bytes));
  };
  const { archiveId } = header;
  const shape: StripeShape = header;
  const writer = new BlockWriter({ workers, archiveId, shape, header: options.header ?? headerBody, sink });
  return { writer, chunks, tasks };
}

/** Appends the stream in pieces of this size, each in memory that is overwritten once it was taken. */
async function appendAll(writer: BlockWriter, stream: Buffer, pieceBytes: number): Promise<void> {
  for (let at = 0; at < stream.length; at += pieceBytes) {
    const piece = Buffer.from(stream.subarray(at, at + pieceBytes));
    await writer.append(piece);
    piece.fill(0xee);
  }
}

test('a copy is the same however the stream is cut up', async () => {
  for (const copy of copies) {
    for (const pieceBytes of [payloadSizeBytes, 1000, 3 * payloadSizeBytes + 1, copy.stream.length]) {
      const { writer, chunks, tasks } = writerFor(copy);
      await appendAll(writer, copy.stream, pieceBytes);
      const layout = await writer.finish();
      assert.equal(layout.totalDataBlocks, copy.layout.totalDataBlocks);
      assert.ok(
        Buffer.concat(chunks).equals(copy.bytes),
        `${copy.layout.totalDataBlocks} blocks of ${pieceBytes} bytes`,
      );
      assert.equal(tasks.at(-1), 'resetParity');
    }
  }
});

test('nothing is written twice, and nothing too early: what is less than a payload waits', async () => {
  const [copy] = copies as [PlainCopy];
  const { writer, chunks, tasks } = writerFor(copy);
  await writer.append(copy.stream.subarray(0, payloadSizeBytes - 1));
  await writer.append(new Uint8Array(0));
  assert.deepEqual([chunks, tasks], [[], []]);
  await assert.rejects(writer.finish(), /within a payload/);
});

test('what is appended before the last appending has ended comes behind it', async () => {
  const copy = copies[3]!;
  const { writer, chunks } = writerFor(copy);
  const appended: Promise<void>[] = [];
  for (let at = 0; at < copy.stream.length; at += 10_000)
    appended.push(writer.append(copy.stream.subarray(at, at + 10_000)));
  // The end waits for all of it by itself.
  assert.equal((await writer.finish()).totalDataBlocks, copy.layout.totalDataBlocks);
  await Promise.all(appended);
  assert.ok(Buffer.concat(chunks).equals(copy.bytes));
});

test('data and parity come in windows of at most 544 blocks', async () => {
  const { writer, chunks, tasks } = writerFor(wideCopy);
  await writer.append(wideCopy.stream);
  await writer.finish();
  assert.ok(Buffer.concat(chunks).equals(wideCopy.bytes));
  // The second band has one data block, and 6 of parity.
  assert.deepEqual(
    chunks.map((chunk) => chunk.length / blockSizeBytes),
    [3, 544, 32, 544, 32, 3, 1, 6 - 1, 3],
  );
  assert.deepEqual(tasks, ['frame', 'frame', 'parity', 'parity', 'frame', 'parity', 'resetParity']);
});

test('parity that fills its windows to the last block ends there', async () => {
  const copy = plainCopy(64, plainHeader(3, { dataBlocks: 1, parityBlocks: 17 }));
  const { writer, chunks } = writerFor(copy);
  await writer.append(copy.stream);
  await writer.finish();
  assert.ok(Buffer.concat(chunks).equals(copy.bytes));
  assert.deepEqual(
    chunks.map((chunk) => chunk.length / blockSizeBytes),
    [3, 64, 544, 544, 3],
  );
});

test('three windows are filled while the sink takes its time, and what is written waits for its turn', async () => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { writer, chunks, tasks } = writerFor(wideCopy, { sink: () => opened });
  const appended = writer.append(wideCopy.stream);
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  assert.deepEqual([tasks, chunks], [['frame', 'frame', 'parity'], []]);
  open();
  await appended;
  await writer.finish();
  assert.ok(Buffer.concat(chunks).equals(wideCopy.bytes));
});

test('what is written first waits for the header', async () => {
  const { promise: header, resolve: tell } = Promise.withResolvers<Uint8Array>();
  const copy = copies[2]!;
  const { writer, chunks } = writerFor(copy, { header });
  await writer.append(copy.stream);
  for (let turn = 0; turn < 5; turn++) await setImmediate();
  assert.deepEqual(chunks, []);
  tell(copy.headerBody);
  await writer.finish();
  assert.ok(Buffer.concat(chunks).equals(copy.bytes));
});

test('lost payloads are blocks of zeros, and count as such in the parity', async () => {
  const copy = copies[2]!;
  const { layout, stream } = copy;
  const { writer, chunks } = writerFor(copy);
  const lost = [0, 1, 40, 63, 64];
  for (let number = 0; number < 65; number++) {
    if (lost.includes(number)) await writer.appendLost();
    else await writer.append(stream.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes));
  }
  assert.equal((await writer.finish()).totalDataBlocks, 65);
  const bytes = Buffer.concat(chunks);
  const expected = Buffer.from(copy.bytes);
  for (const number of lost) blockAt(expected, layout.dataPosition(number)).fill(0);
  const parity = new ParityAccumulator(narrow);
  for (let number = 0; number < 64; number++) parity.add(blockAt(expected, layout.dataPosition(number)), number, 1);
  parity.solve(64);
  for (let number = 0; number < 65; number++) {
    const position = layout.dataPosition(number);
    assert.ok(blockAt(bytes, position).equals(blockAt(expected, position)), `data block ${number}`);
  }
  for (let index = 0; index < 128; index++) {
    const body = blockAt(bytes, layout.parityPosition(0, index)).subarray(32, 4080);
    assert.ok(body.equals(parity.parityBody(64, index)), `parity block ${index}`);
  }
  const { writer: torn } = writerFor(copy);
  await torn.append(new Uint8Array(5));
  await assert.rejects(torn.appendLost(), /whole one/);
});

test('what fails ends whoever waits, with its error', async () => {
  const broken = new Error('no room');
  const failing = { sink: () => Promise.reject(broken) };
  const bySink = writerFor(wideCopy, failing).writer;
  await assert.rejects(bySink.append(wideCopy.stream), broken);
  const [copy] = copies as [PlainCopy];
  const short = writerFor(copy, failing).writer;
  await short.append(copy.stream);
  await assert.rejects(short.finish(), broken);
  const byHeader = writerFor(copy, { header: Promise.reject(broken) }).writer;
  await byHeader.append(copy.stream);
  await assert.rejects(byHeader.finish(), broken);
  const byTask = writerFor(copy, {
    onTask: () => {
      throw broken;
    },
  }).writer;
  await assert.rejects(byTask.append(copy.stream), broken);
  // A task that fails behind a sink that has failed is no failure of the process.
  const byBoth = writerFor(copy, {
    ...failing,
    onTask: () => {
      throw broken;
    },
  }).writer;
  await assert.rejects(byBoth.append(copy.stream), broken);
  await setImmediate();
  const fromOutside = writerFor(wideCopy, { sink: () => new Promise(() => undefined) }).writer;
  const waiting = fromOutside.append(wideCopy.stream);
  await setImmediate();
  fromOutside.fail(broken);
  await assert.rejects(waiting, broken);
});
