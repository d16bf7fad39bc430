/**
 * `npm run soak -- [--minutes N] [--seed N]`: `holdfast serve` with a backup every minute, of a PostgreSQL at work, to S3 and SFTP, while
 * servers and networks fail. In the end every due run is accounted for, every archive verifies, the newest one restores to a database in
 * which no money is lost, and `serve` has not grown. Needs the built program: `npm run build`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openHistory } from '../../src/history/history.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { median, type Sample, soakProblems } from './account.ts';
import { type FaultName, faultNames, letFail } from './faults.ts';
import { pause, startWorld, totalAmount, type World } from './world.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' } },
});
const minuteMs = 60_000;
const program = join(import.meta.dirname, '../../bin/holdfast.js');
const random = new SeededRandom(Number(values.seed));

function sampleOf(processId: number): Sample {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  const residentBytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
  return { atMs: Date.now(), residentBytes, descriptorCount: readdirSync(`/proc/${processId}/fd`).length };
}

/** Runs a command of the product; gives what it printed as JSON. */
async function holdfast<Result>(
  world: World,
  ...words: string[]
): Promise<{ exitCode: number | null; result: Result }> {
  const child = spawn(process.execPath, [program, ...words, '--json'], {
    cwd: world.folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [stdout, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (stdout === '') throw new Error(`holdfast ${words.join(' ')} ended with ${exitCode}, and said nothing`);
  return { exitCode, result: JSON.parse(stdout) };
}

/** Lets it run for so long, with a fault for most minutes. */
async function run(world: World, minutes: number) {
  const child = spawn(process.execPath, [program, 'serve', '--json'], {
    cwd: world.folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { pid: processId = 0 } = child;
  const failedAtMs: number[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { event, timeMs } = JSON.parse(line);
    if (event === 'failed') failedAtMs.push(timeMs);
  });
  const samples: Sample[] = [];
  const sampling = setInterval(() => samples.push(sampleOf(processId)), 2_000);
  const firstMs = Math.ceil(Date.now() / minuteMs) * minuteMs + minuteMs;
  const lastMs = firstMs + (minutes - 1) * minuteMs;
  const counts = new Map<FaultName, number>();
  for (let dueMs = firstMs; dueMs <= lastMs; dueMs += minuteMs) {
    await pause(Math.max(0, dueMs - 8_000 - Date.now()));
    // Nothing fails in the last two minutes: the end has to be good.
    const name =
      dueMs > lastMs - 2 * minuteMs ? 'nothing' : (faultNames[random.integer(faultNames.length)] ?? 'nothing');
    counts.set(name, (counts.get(name) ?? 0) + 1);
    await letFail(name, world, processId, random);
  }
  await pause(lastMs + 40_000 - Date.now());
  clearInterval(sampling);
  child.kill('SIGTERM');
  const [exitCode] = await once(child, 'exit');
  return { firstMs, lastMs, samples, failedAtMs, counts, exitCode };
}

interface Listed {
  readonly archives: readonly { readonly name: string }[];
  readonly catalogue?: { readonly findings: readonly { readonly kind: string; readonly message: string }[] };
}

/** Every archive is whole, the catalogue knows of it, and the newest one restores to all the money there is. */
async function lookAt(world: World): Promise<{ archives: Record<string, string[]>; problems: string[] }> {
  const problems: string[] = [];
  const archives: Record<string, string[]> = {};
  for (const storage of ['cloud', 'host']) {
    const { result } = await holdfast<Listed>(world, 'list', '--storage', storage);
    archives[storage] = result.archives.map(({ name }) => name).sort();
    for (const { kind, message } of result.catalogue?.findings ?? []) problems.push(`${storage}: ${kind}: ${message}`);
    for (const name of archives[storage]) {
      const { exitCode } = await holdfast(world, 'verify', name, '--storage', storage, '--level', 'contents');
      if (exitCode !== 0) problems.push(`${storage}: ${name} does not verify (${exitCode})`);
    }
    const newest = archives[storage].at(-1);
    if (newest === undefined) {
      problems.push(`${storage} has no archive`);
      continue;
    }
    const target = await world.postgres.createDatabase(`restored_${storage}`);
    const { exitCode } = await holdfast(world, 'restore', newest, '--storage', storage, '--to', target, '--yes');
    const client = new pg.Client({ connectionString: target });
    await client.connect();
    const { rows } = await client.query('SELECT sum(amount) AS total FROM account');
    await client.end();
    if (exitCode !== 0 || Number(rows[0].total) !== totalAmount) {
      problems.push(`${storage}: ${newest} restores (${exitCode}) to an amount of ${rows[0].total}`);
    }
  }
  return { archives, problems };
}

const world = await startWorld();
try {
  const seen = await run(world, Number(values.minutes));
  const { archives, problems } = await lookAt(world);
  const history = await openHistory({ path: join(world.folder, '.holdfast', 'history.db') });
  const runs = await history.runs();
  await history.close();
  problems.push(...soakProblems({ ...seen, runs, messages: world.messages, archives }));
  if (seen.exitCode !== 0) problems.push(`serve ended with ${seen.exitCode}`);
  const states = Object.groupBy(runs, ({ kind, state }) => `${kind} ${state}`);
  const sizes = seen.samples.map(({ residentBytes }) => residentBytes / 2 ** 20);
  console.log(`faults: ${[...seen.counts].map(([name, count]) => `${name} ${count}`).join(', ')}`);
  console.log(`connections harmed: S3 ${world.cloudProxy.faultCount}, SFTP ${world.hostProxy.faultCount}`);
  console.log(
    `runs: ${Object.entries(states)
      .map(([name, list]) => `${name} ${list?.length}`)
      .join(', ')}`,
  );
  console.log(`messages: ${world.messages.length}; transfers meanwhile: ${world.transferCount}`);
  console.log(
    `serve: ${median(sizes).toFixed(1)} MiB (${Math.min(...sizes).toFixed(1)} to ${Math.max(...sizes).toFixed(1)}), ${median(seen.samples.map(({ descriptorCount }) => descriptorCount))} descriptors`,
  );
  for (const problem of problems) console.error(`FAIL ${problem}`);
  console.log(
    problems.length === 0 ? `all held, seed ${values.seed}` : `${problems.length} problems, seed ${values.seed}`,
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await world.stop();
}
