import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { sampleHeader, writeSample } from '../../test/archive/write-sample.ts';
import { WorkerPool } from '../archive/worker/worker-pool.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { MemoryStorage, memoryRandomAccess, SeededRandom } from '../testing/index.ts';
import { putBytes } from '../testing/storage-case.ts';
import type { BlockStep } from './options.ts';
import { scrubStorages } from './scrub.ts';
import { validateBackup } from './verify.ts';

const block = 4096;

/** What somebody sees who takes in all steps of a reading. */
function draw(steps: readonly BlockStep[]): string[] {
  const rows: string[] = [];
  for (const { blocks, cellCount, changes } of steps) {
    for (let copy = 0; copy < blocks.copies; copy++) rows[copy] ??= '.'.repeat(cellCount);
    for (const { copy, from, cells } of changes) {
      const row = rows[copy] ?? '';
      rows[copy] = row.slice(0, from) + cells + row.slice(from + cells.length);
    }
  }
  return rows;
}

/** A clock by which it is always time to tell something. */
class HastyClock extends FakeClock {
  override monotonicMs(): number {
    this.advance(1000);
    return super.monotonicMs();
  }
}

describe('blocks are told of while they are read', () => {
  const workers = new WorkerPool(2);
  after(() => workers.close());

  /** Some bands, two copies, unencrypted. */
  async function makeSample(): Promise<Uint8Array<ArrayBuffer>> {
    const header = sampleHeader(5, { copies: 2, dataBlocks: 10, parityBlocks: 3 });
    const entries = [{ path: 'e', bytes: new SeededRandom(2).bytes(3_000_000) }];
    return (await writeSample({ workers, header, entries })).bytes;
  }

  for (const level of ['structure', 'contents'] as const) {
    test(`by a check of the ${level}, in many steps that come to the whole`, async () => {
      const bytes = await makeSample();
      const perCopy = bytes.length / block / 2;
      for (const position of [700, 701, 702]) bytes.fill(0xa5, position * block, (position + 1) * block);
      const steps: BlockStep[] = [];
      const report = await validateBackup({
        archive: memoryRandomAccess(bytes),
        level,
        threads: 2,
        clock: new HastyClock(0),
        onBlocks: (step) => steps.push(step),
      });
      assert.equal(report.state, 'repairable');
      assert.ok(steps.length >= 3, `${steps.length} steps`);
      assert.deepEqual(
        draw(steps),
        [`${'='.repeat(700)}+++${'='.repeat(perCopy - 703)}`, '='.repeat(perCopy)],
        'cell by cell',
      );
      assert.ok(
        draw(steps.slice(0, 1)).some((row) => row.includes('.')),
        'the first is not all',
      );
      assert.deepEqual(
        steps.map(({ isDone }) => isDone),
        steps.map((_, index) => index === steps.length - 1),
      );
      assert.deepEqual(steps.at(-1)?.blocks, report.blocks);
      assert.ok(steps.every(({ blocks }) => blocks.damaged <= 3 && blocks.lost === 0));
    });
  }

  test('by a scrub, for each archive on each storage, and again for what it has mended', async () => {
    const [left, right] = [new MemoryStorage(), new MemoryStorage()];
    const bytes = await makeSample();
    const damaged = bytes.slice();
    damaged.fill(0xa5, 10 * block, 12 * block);
    for (const [storage, content] of [
      [left, damaged],
      [right, bytes],
    ] as const) {
      await putBytes(storage, 'a.holdfast', content);
    }
    const steps: BlockStep[] = [];
    const storages = [
      { name: 'left', storage: left },
      { name: 'right', storage: right },
    ];
    const { archives } = await scrubStorages({ storages, threads: 2, onBlocks: (step) => steps.push(step) });
    assert.deepEqual(
      archives.map(({ state }) => state),
      ['repaired', 'intact'],
    );
    const ends = steps.filter(({ isDone }) => isDone);
    assert.deepEqual(
      ends.map(({ storage, archive, blocks }) => `${storage} ${archive} ${blocks.damaged}`),
      ['left a.holdfast 2', 'right a.holdfast 0', 'left a.holdfast 0'],
    );
  });
});
