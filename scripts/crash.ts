/**
 * `npm run crash -- [--what restores|backup|prune|scrub|repair|key|restore|…|all] [--seed N] [--states N]`. Without `--what`, or with `restores`: kills
 * restores into servers at 50 seeded points of each mode. With a command: crashes the built command line after each change that it makes
 * to the disk, with what was not synced kept, lost, or anything between, and looks at what is left. The suite does both at a few points.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { crashEverywhere } from '../test/crash/crash-points.ts';
import { scenarios } from '../test/crash/scenarios.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    what: { type: 'string', default: 'restores' },
    seed: { type: 'string', default: '1' },
    states: { type: 'string' },
  },
});

/** Restores into PostgreSQL and MariaDB, killed. */
function killRestores(): number {
  const files = [
    'src/source/postgres/postgres-crash.test.ts',
    'src/source/mysql/mysql-crash.test.ts',
    'src/source/model/restore/restore-crash.test.ts',
  ];
  const env = { HOLDFAST_KILL_POINTS: '50', ...process.env };
  const args = [join(import.meta.dirname, 'test.ts'), ...files, ...positionals];
  return spawnSync(process.execPath, args, { stdio: 'inherit', env }).status ?? 1;
}

/** Gives the number of states after which a promise did not hold. */
async function crashCommand(name: string): Promise<number> {
  const scenario = scenarios[name];
  if (scenario === undefined) {
    throw new Error(`--what is all, restores, or one of ${Object.keys(scenarios).join(', ')}; not ${name}`);
  }
  const maximumStates = values.states === undefined ? Number.POSITIVE_INFINITY : Number(values.states);
  const seed = Number(values.seed);
  const found = await crashEverywhere({ scenario, seed, maximumStates, commandLine: 'built' });
  const { changes, syncs, states, checked, failures } = found;
  console.log(
    `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${name.padEnd(10)} ${changes} changes, ${syncs} of them syncs; ${checked} of ${states} states of the disk looked at`,
  );
  for (const { after, loss, draw, last, message } of failures.slice(0, 5)) {
    console.log(`     after ${after} changes (${last}), names ${loss.names}, contents ${loss.contents}, draw ${draw}:`);
    console.log(`     ${message.split('\n')[0]}`);
  }
  return failures.length;
}

if (values.what === 'restores') process.exitCode = killRestores();
else {
  let failed = 0;
  for (const name of values.what === 'all' ? Object.keys(scenarios) : values.what.split(',')) {
    failed += await crashCommand(name);
  }
  if (values.what === 'all') failed += killRestores();
  process.exitCode = failed === 0 ? 0 : 1;
}
