/**
 * `npm run fuzz -- --target header|index|blocks|config|cron|url|upload|record|listing|shards|shares [--seconds N] [--seed N]`: changes inputs, guided by what they reach
 * in the code. What is answered wrongly is written to test/fuzz/regressions, where the suite reads it ever after.
 *
 * `npm run fuzz [-- --seed N --runs N --path P]`: reads archives with structured changes; a failure prints what repeats it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inputName, runGuided } from './guided.ts';
import { runFuzz } from './run-fuzz.ts';
import { fuzzTargets } from './targets/index.ts';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1000' },
    path: { type: 'string' },
  },
});

async function guided(name: string): Promise<void> {
  const make = fuzzTargets[name];
  if (make === undefined)
    throw new Error(`there is no target ${name}: there are ${Object.keys(fuzzTargets).join(', ')}`);
  const target = await make();
  const endMs = performance.now() + Number(values.seconds) * 1000;
  const report = await runGuided(target, {
    seed: Number(values.seed),
    maximumInputs: Number.POSITIVE_INFINITY,
    isOver: () => performance.now() > endMs,
  });
  await target.close?.();
  const folder = join(import.meta.dirname, 'regressions');
  mkdirSync(folder, { recursive: true });
  for (const { bytes, error } of report.finds) {
    const file = join(folder, inputName(name, bytes));
    writeFileSync(file, bytes);
    console.error(`${file}:\n${error instanceof Error ? error.stack : String(error)}\n`);
  }
  const { inputs, places, corpus, finds } = report;
  console.log(
    `${name}: ${inputs} inputs, seed ${values.seed}: ${places} places, ${corpus.length} inputs that reached new ones, ${finds.length} wrong answers`,
  );
  process.exitCode = finds.length > 0 ? 1 : 0;
}

async function structured(): Promise<void> {
  const { path } = values;
  const outcomes = await runFuzz({
    seed: Number(values.seed),
    runs: Number(values.runs),
    ...(path === undefined ? {} : { path }),
  });
  for (const [outcome, count] of [...outcomes].sort(([, a], [, b]) => b - a)) console.log(`${count} ${outcome}`);
  console.log(`${values.runs} runs, seed ${values.seed}: nothing but bytes and typed errors`);
}

if (values.target === undefined) await structured();
else await guided(values.target);
