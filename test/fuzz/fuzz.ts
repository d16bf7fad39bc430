/** `node test/fuzz/fuzz.ts [--seed N] [--runs N] [--path P]`: reads mutated archives; a failure prints what repeats it. */
import { parseArgs } from 'node:util';
import { runFuzz } from './run-fuzz.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1000' },
    path: { type: 'string' },
  },
});
const { path } = values;
const outcomes = await runFuzz({
  seed: Number(values.seed),
  runs: Number(values.runs),
  ...(path === undefined ? {} : { path }),
});
for (const [outcome, count] of [...outcomes].sort(([, a], [, b]) => b - a)) console.log(`${count} ${outcome}`);
console.log(`${values.runs} runs, seed ${values.seed}: nothing but bytes and typed errors`);
