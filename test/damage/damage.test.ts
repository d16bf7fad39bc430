/** The short part of the damage campaign, and damage of all bytes of the areas that only an archive's outline has. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { blockSizeBytes } from '../../src/archive/heal/geometry.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { runCampaign } from './campaign.ts';
import { lines } from './lines.ts';
import { spreadLines } from './spread-lines.ts';
import { judge, makeSubject, type Subject } from './subject.ts';

describe('damage', () => {
  it('of each line of the guarantee comes to what the line says', async () => {
    const results = await runCampaign({ seed: 7, trials: 1, threads: 2 });
    const failures = results.flatMap(({ line, subject, failures: found }) =>
      found.map((failure) => `${line}, ${subject}: ${failure}`),
    );
    assert.deepEqual(failures, []);
    assert.deepEqual(
      new Set(results.map(({ line }) => line)),
      new Set([...lines, ...spreadLines].map(({ name }) => name)),
    );
  });
});

/** All bytes take some minutes; unless asked for, those that are zeros or sealed bytes are a sample. */
const everyByte = process.env['SLOW'] === '1';

/** Frame, header and hash of a header block; frame, tail and hashes of a data block. */
function isOutline(offset: number, isHeader: boolean): boolean {
  return isHeader ? offset < 240 || offset >= 4080 : offset < 32 || offset >= 4096 - 32 - 96;
}

/** Ranges of one copy, in blocks, that hold its outline: headers, the last data blocks with index and tail, final headers. */
function outlineBlocks({ blocksPerCopy }: Subject, dataBlocks: number): number[] {
  const lastData = 3 + dataBlocks - 1;
  return [0, 1, 2, lastData - 1, lastData, blocksPerCopy - 3, blocksPerCopy - 2, blocksPerCopy - 1];
}

describe('every byte of header, index, tail and footer', () => {
  let workers: WorkerPool;
  let subject: Subject;
  let places: number[];

  before(async () => {
    workers = new WorkerPool(2);
    const shape = { copies: 2, dataBlocks: 6, parityBlocks: 3 };
    subject = await makeSubject(workers, { name: 'tiny', seed: 3, sizeBytes: 12_000, ...shape });
    // 3 headers, at most 6 data blocks, 3 rows of parity, 3 final headers.
    places = outlineBlocks(subject, subject.blocksPerCopy - 9).flatMap((block, index) =>
      Array.from({ length: blockSizeBytes }, (_, offset) => offset)
        .filter((offset) => everyByte || isOutline(offset, index < 3 || index > 4) || offset % 61 === block)
        .map((offset) => block * blockSizeBytes + offset),
    );
    assert.ok(subject.blocksPerCopy - 9 <= 6);
  });

  after(() => workers.close());

  /** Flips each byte in turn, with all bits by all of them, in one copy or both; several archives are read at once. */
  async function flipEach(copies: readonly number[], step: number): Promise<void> {
    const copyBytes = subject.blocksPerCopy * blockSizeBytes;
    const bytes = Uint8Array.from(subject.bytes);
    for (let index = copies.length; index < places.length; index += step) {
      const place = places[index] ?? 0;
      const change = 1 + ((index * 7) % 255);
      for (const copy of copies) bytes[copy * copyBytes + place]! ^= change;
      const outcome = await judge(workers, subject, [bytes]);
      for (const copy of copies) bytes[copy * copyBytes + place]! ^= change;
      assert.deepEqual(outcome, { kind: 'recovered' }, `byte ${place} of copies ${copies.join(' and ')}`);
    }
  }

  it('flipped in both copies is healed', () => flipEach([0, 1], 1));

  it('flipped in the first copy is healed', () => flipEach([0], 5));

  it('flipped in the second copy is healed', () => flipEach([1], 5));

  it('lost in both copies, block by block, is healed', async () => {
    const copyBytes = subject.blocksPerCopy * blockSizeBytes;
    for (const fill of [0, 0xff]) {
      for (let block = 0; block < subject.blocksPerCopy; block++) {
        const bytes = Uint8Array.from(subject.bytes);
        for (const start of [0, copyBytes]) {
          bytes.fill(fill, start + block * blockSizeBytes, start + (block + 1) * blockSizeBytes);
        }
        assert.deepEqual(await judge(workers, subject, [bytes]), { kind: 'recovered' }, `block ${block}`);
      }
    }
  });

  it('lost together, headers of one end and what parity can spare, is healed', async () => {
    const last = subject.blocksPerCopy;
    for (const lost of [
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, last - 6, last - 5, last - 4],
      [last - 9, last - 8, last - 7, last - 3, last - 2, last - 1],
    ]) {
      const bytes = Uint8Array.from(subject.bytes);
      for (const block of [...lost, ...lost.map((one) => one + last)]) {
        bytes.fill(0, block * blockSizeBytes, (block + 1) * blockSizeBytes);
      }
      assert.deepEqual(await judge(workers, subject, [bytes]), { kind: 'recovered' }, lost.join());
    }
  });
});

describe('further replicas', () => {
  const workers = new WorkerPool(2);
  after(() => workers.close());

  it('that are beyond repair each alone heal together', async () => {
    for (const copies of [1, 2]) {
      const subject = await makeSubject(workers, { name: 'replica', seed: 20 + copies, sizeBytes: 2_000_000, copies });
      const copyBytes = subject.blocksPerCopy * blockSizeBytes;
      const without = (from: number, to: number): Uint8Array => {
        const bytes = Uint8Array.from(subject.bytes);
        for (let start = 0; start < bytes.length; start += copyBytes) {
          bytes.fill(0, start + Math.floor(copyBytes * from), start + Math.floor(copyBytes * to));
        }
        return bytes;
      };
      const replicas = [without(0.05, 0.45), without(0.5, 0.95)];
      for (const replica of replicas) {
        const alone = await judge(workers, subject, [replica]);
        assert.equal(alone.kind, 'refused');
      }
      assert.deepEqual(await judge(workers, subject, replicas), { kind: 'recovered' });
      assert.deepEqual(await judge(workers, subject, [...replicas].reverse()), { kind: 'recovered' });
    }
  });

  it('that were cut, moved or have bytes put in heal together', async () => {
    const subject = await makeSubject(workers, { name: 'replica', seed: 30, sizeBytes: 2_000_000, copies: 1 });
    const { bytes } = subject;
    const random = new SeededRandom(1);
    const head = bytes.slice(0, Math.floor(bytes.length * 0.6));
    const tail = Buffer.concat([random.bytes(777), bytes.subarray(Math.floor(bytes.length * 0.5))]);
    assert.equal((await judge(workers, subject, [head])).kind, 'refused');
    assert.equal((await judge(workers, subject, [new Uint8Array(tail)])).kind, 'refused');
    assert.deepEqual(await judge(workers, subject, [head, new Uint8Array(tail)]), { kind: 'recovered' });
  });

  it('that lack the same blocks do not heal', async () => {
    const subject = await makeSubject(workers, { name: 'replica', seed: 31, sizeBytes: 2_000_000, copies: 1 });
    const bytes = Uint8Array.from(subject.bytes).fill(0, 200_000, 1_000_000);
    assert.equal((await judge(workers, subject, [bytes, bytes.slice()])).kind, 'refused');
  });
});
