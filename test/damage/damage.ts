/**
 * `npm run damage -- [--seed N] [--trials N] [--threads N] [--only TEXT] [--json]`: the damage campaign of `docs/guarantee.md`.
 * `npm run damage -- --curves [--trials N] [--seed N] [--threads N] [--state FILE] [--no-peers] --output docs/survival.svg`: its curves. A run that was
 * stopped goes on where `--state` ends.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type LineResult, runCampaign } from './campaign.ts';
import { measureCurves } from './measure-curves.ts';
import { survivalPlot } from './survival-plot.ts';
import { survivalTable } from './survival-table.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    trials: { type: 'string', default: '20' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    curves: { type: 'boolean', default: false },
    state: { type: 'string' },
    output: { type: 'string', default: 'survival.svg' },
    peers: { type: 'boolean', default: true },
    'only-draw': { type: 'boolean', default: false },
  },
  allowNegative: true,
});

function print(result: LineResult): void {
  const { line, subject, expect, trials, recovered, refused, failures } = result;
  const mark = failures.length === 0 ? 'ok  ' : 'FAIL';
  const counts = `${trials} trials: ${recovered} recovered, ${refused} refused`;
  console.log(`${mark} ${line.padEnd(52)} ${subject.padEnd(7)} ${expect.padEnd(11)} ${counts}`);
  for (const failure of failures.slice(0, 5)) console.log(`       ${failure}`);
}

/** Measures the curves, draws them, and prints their table. A wrong byte anywhere in ours is a failure. */
async function drawCurves(): Promise<void> {
  const { contenders, points } = await measureCurves({
    seed: Number(values.seed),
    trials: values['only-draw'] ? 0 : Number(values.trials),
    threads: Number(values.threads),
    withPeers: values.peers,
    ...(values.state === undefined ? {} : { stateFile: values.state }),
    onPoint: (point) => console.log(JSON.stringify(point)),
  });
  writeFileSync(values.output, survivalPlot({ contenders, points }));
  console.log(survivalTable({ contenders, points }));
  const peers = new Set(contenders.filter(({ isPeer }) => isPeer).map(({ name }) => name));
  const own = points.filter(({ contender }) => !peers.has(contender));
  const sum = (count: (point: (typeof points)[number]) => number) =>
    own.reduce((total, each) => total + count(each), 0);
  const wrong = sum((point) => point.wrong);
  console.log(`${sum((point) => point.trials)} trials, ${wrong} with a wrong byte, seed ${values.seed}`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

async function runLines(): Promise<void> {
  const results = await runCampaign({
    seed: Number(values.seed),
    trials: Number(values.trials),
    threads: Number(values.threads),
    ...(values.only === undefined ? {} : { only: values.only }),
    ...(values.json ? {} : { onLine: print }),
  });
  const failed = results.filter((result) => result.failures.length > 0);
  const trials = results.reduce((sum, result) => sum + result.trials, 0);
  if (values.json) console.log(JSON.stringify({ seed: Number(values.seed), trials, results }));
  else console.log(`${trials} trials, ${failed.length} of ${results.length} lines failed, seed ${values.seed}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

if (values.curves) await drawCurves();
else await runLines();
