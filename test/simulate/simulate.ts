/**
 * `npm run simulate -- [--seed N] [--runs K] [--drop 1,2,5] [--events] [--json]`: worlds from seeds, each with its faults, and the promises of
 * the product held after every step. A failure is cut down to what it takes, and printed with a command that plays it again. Interrupted, it
 * tells what it has seen.
 */
import { parseArgs } from 'node:util';
import { describePlan } from './describe-plan.ts';
import { product } from './mistakes.ts';
import { simulate } from './simulate-worlds.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    drop: { type: 'string' },
    events: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const dropped = values.drop === undefined ? [] : values.drop.split(',').map(Number);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const { failures, tally, runs, durationMs } = await simulate({
  seed,
  runs: Number(values.runs),
  system: product,
  signal: stop.signal,
  dropped: new Set(dropped),
  ...(values.events ? { onEvents: (lines) => console.log(lines.map((line) => `  ${line}`).join('\n')) } : {}),
  onFailure: (failure) => console.log(describePlan(failure)),
});
if (values.json) {
  console.log(JSON.stringify({ seed, runs, durationMs, failures: failures.length, tally: Object.fromEntries(tally) }));
} else {
  for (const [what, count] of [...tally].sort()) console.log(`${String(count).padStart(9)}  ${what}`);
  const each = (durationMs / runs).toFixed(1);
  console.log(`${runs} worlds from seed ${seed}, ${each} ms each: ${failures.length} broke a promise`);
}
process.exitCode = failures.length === 0 ? 0 : 1;
