/** `npm run damage -- [--seed N] [--trials N] [--threads N] [--only TEXT] [--json]`: the damage campaign of `docs/guarantee.md`. */
import { parseArgs } from 'node:util';
import { type LineResult, runCampaign } from './campaign.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    trials: { type: 'string', default: '20' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

function print(result: LineResult): void {
  const { line, subject, expect, trials, recovered, refused, failures } = result;
  const mark = failures.length === 0 ? 'ok  ' : 'FAIL';
  const counts = `${trials} trials: ${recovered} recovered, ${refused} refused`;
  console.log(`${mark} ${line.padEnd(52)} ${subject.padEnd(7)} ${expect.padEnd(11)} ${counts}`);
  for (const failure of failures.slice(0, 5)) console.log(`       ${failure}`);
}

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
