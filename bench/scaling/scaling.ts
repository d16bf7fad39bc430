/**
 * `npm run bench:scaling`: what a backup, its check and its restore cost as data grow: with one processor and all, with 1 GiB and 8, with 100,000 small
 * files, with 5,000 tables of SQLite and PostgreSQL. Writes bench/RESULTS-scaling.md; takes about ten minutes and 34 GiB of disk.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../test/services/start-postgres.ts';
import { type Command, type Measurement, measure, syncDisk } from '../measure.ts';
import { holdfast } from '../programs.ts';
import { describeMachine } from '../report.ts';
import { type ScalingCase, scalingCases } from './cases.ts';
import { formatScaling, type ScalingResult } from './format-scaling.ts';

const usage = `usage: npm run bench:scaling -- [--size MIB] [--times N] [--files N] [--tables N] [--only TEXT] [--no-page]
  --size    data in MiB (1024 unless set)
  --times   the larger tree is so many times that large (8 unless set)
  --files   small files, and a tenth of them (100000 unless set)
  --tables  tables of each database, and a tenth of them (5000 unless set)
  --only    cases whose name holds this text
  --no-page leave bench/RESULTS-scaling.md as it is
Data is kept in $HOLDFAST_BENCH_FOLDER (a folder under the system's temporary one unless set).
`;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1024' },
    times: { type: 'string', default: '8' },
    files: { type: 'string', default: '100000' },
    tables: { type: 'string', default: '5000' },
    only: { type: 'string', default: '' },
    page: { type: 'boolean', default: true },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowNegative: true,
});

const say = (text: string) => void process.stderr.write(`${text}\n`);

/** The command, kept on one processor: it sees no other, and starts threads for one. */
function pinned(command: Command, processor: number | undefined): Command {
  if (processor === undefined) return command;
  return { ...command, program: 'taskset', args: ['-c', String(processor), command.program, ...command.args] };
}

async function runCase(one: ScalingCase, cacheFolder: string): Promise<ScalingResult> {
  const { name, group, units, onProcessor } = one;
  const { bavail, bsize } = statfsSync(cacheFolder);
  if (bavail * bsize < one.diskBytes) {
    const missing = `not measured: it takes ${Math.ceil(one.diskBytes / 2 ** 30)} GiB of disk`;
    say(`${name}: ${missing}`);
    return { name, group, units, missing };
  }
  const archive = join(mkdtempSync(join(cacheFolder, 'scaling-')), 'scaling.holdfast');
  try {
    const { from, to } = await one.prepare(cacheFolder);
    const step = async (what: string, ...args: string[]): Promise<Measurement> => {
      syncDisk();
      const measured = await measure(pinned(holdfast(...args, '--json'), onProcessor));
      say(`${name}: ${what} ${(measured.durationMs / 1000).toFixed(1)} s`);
      return measured;
    };
    const backup = await step('backup', 'backup', ...from, '--output', archive);
    const verify = await step('verify', 'verify', archive);
    const restore = await step('restore', 'restore', archive, ...to, '--yes');
    return { name, group, units, steps: { backup, verify, restore } };
  } finally {
    rmSync(join(archive, '..'), { recursive: true, force: true });
    await one.clear(cacheFolder);
  }
}

async function main(): Promise<void> {
  const cacheFolder = process.env['HOLDFAST_BENCH_FOLDER'] ?? join(tmpdir(), 'holdfast-bench');
  mkdirSync(cacheFolder, { recursive: true });
  say(`data: ${cacheFolder}`);
  const server = await startPostgres({});
  const results: ScalingResult[] = [];
  try {
    const sizeBytes = Number(values.size) * 2 ** 20;
    const counts = { timesLarger: Number(values.times), files: Number(values.files), tables: Number(values.tables) };
    const cases = scalingCases({ sizeBytes, ...counts }, server).filter(({ name }) => name.includes(values.only));
    for (const one of cases) results.push(await runCase(one, cacheFolder));
  } finally {
    await server.stop();
  }
  const date = new Date().toISOString().slice(0, 10);
  const page = formatScaling({ date, machine: describeMachine(), results });
  process.stdout.write(page);
  if (!values.page) return;
  const path = join(import.meta.dirname, '../RESULTS-scaling.md');
  writeFileSync(`${path}.partial`, page);
  renameSync(`${path}.partial`, path);
}

if (values.help) process.stdout.write(usage);
else await main();
