/** A short part of the survival curves: trials well within the limits and far beyond them, and how points are drawn. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { holdfastContenders, kinds, runTrial, trialSeed } from './curves.ts';
import { measureCurves } from './measure-curves.ts';
import { survivalPlot } from './survival-plot.ts';
import { survivalTable } from './survival-table.ts';

test('what is within the limits comes back, and what is far beyond them is refused', async () => {
  const pool = new WorkerPool(1);
  try {
    for (const contender of await holdfastContenders([pool], 3)) {
      for (const [index, kind] of kinds.entries()) {
        const seed = trialSeed(3, index, 1, 0);
        assert.equal(
          await runTrial(contender, kind, kind.amounts[1] ?? 0, seed),
          'recovered',
          `${contender.name} ${kind.name}`,
        );
        if (kind.name !== 'tail') continue;
        assert.equal(await runTrial(contender, kind, 0.7, seed), 'refused', contender.name);
      }
    }
  } finally {
    await pool.close();
  }
});

test('points are drawn, and told as a table', () => {
  const point = (amount: number, recovered: number) => ({
    contender: 'copy-2',
    kind: 'tail',
    amount,
    trials: 4,
    recovered,
    refused: 4 - recovered,
    wrong: 0,
  });
  const contenders = [{ name: 'copy-2', label: '2 copies', sizeBytes: 1_790_000, isPeer: false }];
  const curves = { contenders, points: [point(0.6, 0), point(0.5, 4), point(0.53, 2)] };
  assert.match(survivalTable(curves), /\| 2 copies \| 1\.79 \|.*\| all up to 50 %, none at 60 % \|$/);
  assert.match(survivalPlot(curves), /<path d="M0 0\.0L285\.7 0\.0L302\.9 105\.0L342\.9 210\.0"/);
});

test('a run that goes on sums what was measured before, and keeps a line of each point', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-curves-'));
  try {
    const stateFile = join(folder, 'state.jsonl');
    const point = { contender: 'copy-1', kind: 'tail', amount: 0.1, trials: 3, recovered: 2, refused: 1, wrong: 0 };
    const other = { ...point, amount: 0.2 };
    writeFileSync(stateFile, [point, other, point].map((each) => `${JSON.stringify(each)}\n`).join(''));
    const { points } = await measureCurves({ seed: 1, trials: 0, threads: 1, withPeers: false, stateFile });
    const sum = { ...point, trials: 6, recovered: 4, refused: 2 };
    assert.deepEqual(points, [sum, other]);
    assert.equal(readFileSync(stateFile, 'utf8'), `${JSON.stringify(sum)}\n${JSON.stringify(other)}\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
