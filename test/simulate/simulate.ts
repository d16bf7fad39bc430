/**
 * `npm run simulate -- [--seed N] [--runs K] [--processes P] [--drop 1,2,5] [--events] [--json]`: worlds from seeds, each with its faults, and
 * the promises of the product held after every step. A failure is cut down to what it takes, and printed with a command that plays it again.
 * Interrupted, it tells what it has seen. All processors are used; with `--events` the worlds are told in order, by one.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { describePlan } from './describe-plan.ts';
import { product } from './mistakes.ts';
import { type Summary, simulateInProcesses } from './simulate-processes.ts';
import { simulate } from './simulate-worlds.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    processes: { type: 'string', default: String(availableParallelism()) },
    drop: { type: 'string' },
    events: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const seed = Number(values.seed);
const dropped = values.drop === undefined ? [] : values.drop.split(',').map(Number);
const worlds = { seed, runs: Number(values.runs), dropped };

async function tellEvents(): Promise<Summary> {
  const { failures, tally, runs } = await simulate({
    ...worlds,
    dropped: new Set(dropped),
    system: product,
    signal: stop.signal,
    onEvents: (lines) => console.log(lines.map((line) => `  ${line}`).join('\n')),
    onFailure: (failure) => console.log(describePlan(failure)),
  });
  return { runs, failures: failures.length, tally: [...tally] };
}

const startMs = performance.now();
const { runs, failures, tally } = values.events
  ? await tellEvents()
  : await simulateInProcesses(worlds, {
      processes: Number(values.processes),
      signal: stop.signal,
      onFailure: (text) => console.log(text),
    });
const durationMs = performance.now() - startMs;
const sorted = tally.toSorted(([one], [other]) => (one < other ? -1 : 1));
if (values.json) {
  console.log(JSON.stringify({ seed, runs, durationMs, failures, tally: Object.fromEntries(sorted) }));
} else {
  for (const [what, count] of sorted) console.log(`${String(count).padStart(9)}  ${what}`);
  const each = (durationMs / runs).toFixed(1);
  console.log(`${runs} worlds from seed ${seed}, ${each} ms each: ${failures} broke a promise`);
}
process.exitCode = failures === 0 ? 0 : 1;
