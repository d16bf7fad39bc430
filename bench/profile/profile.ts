/**
 * `npm run bench:profile`: what the processors are busy with during a backup, its check and its restore, for each source and each storage. Writes
 * bench/RESULTS-profile.md. Needs `perf` of Linux, and the rights for it.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, measure, syncDisk } from '../measure.ts';
import { holdfast } from '../programs.ts';
import { describeMachine } from '../report.ts';
import { kindNames, timesOf } from './shares.ts';
import type { Subject } from './subject.ts';
import { subjects } from './subjects.ts';

const usage = `usage: npm run bench:profile -- [--size MIB] [--only TEXT] [--no-page]
  --size     data of each source in MiB (512 unless set)
  --only     subjects whose name holds this text: ${Object.keys(subjects).join(', ')}
  --no-page  leave bench/RESULTS-profile.md as it is
Data is kept in $HOLDFAST_BENCH_FOLDER (a folder under the system's temporary one unless set).
`;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '512' },
    only: { type: 'string', default: '' },
    page: { type: 'boolean', default: true },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowNegative: true,
});

const samplesPerSecond = 499;
const say = (text: string) => void process.stderr.write(`${text}\n`);

interface Step {
  readonly name: string;
  /** The processor's time by kind, in milliseconds. */
  readonly times: ReadonlyMap<string, number>;
}

/** Runs a command under `perf`; code that V8 makes is named for it. */
async function profile(name: string, command: Command, folder: string): Promise<Step & { readonly stdout: string }> {
  const recording = join(folder, 'perf.data');
  syncDisk();
  const { durationMs, stdout } = await measure({
    ...command,
    folder,
    program: 'perf',
    args: [
      ...['record', '-q', '-e', 'cpu-clock', '-F', `${samplesPerSecond}`, '-o', recording, '--'],
      ...[command.program, '--perf-basic-prof', ...command.args],
    ],
  });
  const times = timesOf(recording);
  rmSync(recording);
  say(`${name}: ${(durationMs / 1000).toFixed(1)} s`);
  return { name, times, stdout };
}

async function profileSubject(name: string, subject: Subject, folder: string): Promise<Step[]> {
  const { from, to, storage } = subject;
  const output = storage === undefined ? ['--output', join(folder, 'out.holdfast')] : [];
  const backup = await profile(`${name}, backup`, holdfast('backup', ...from, ...output, '--json'), folder);
  const { output: written } = JSON.parse(backup.stdout) as { readonly output: string };
  const archive = storage === undefined ? [written] : [basename(written), '--storage', storage];
  return [
    backup,
    await profile(`${name}, verify`, holdfast('verify', ...archive, '--json'), folder),
    await profile(`${name}, restore`, holdfast('restore', ...archive, ...to, '--yes', '--json'), folder),
  ];
}

function pageOf(steps: readonly Step[], sizeMebibytes: number): string {
  const date = new Date().toISOString().slice(0, 10);
  const percent = (share: number) => (share >= 0.005 ? `${Math.round(share * 100)}` : '');
  const rows = steps.map(({ name, times }) => {
    const processorMs = [...times.values()].reduce((sum, ms) => sum + ms, 0);
    return [
      name,
      `${(processorMs / 1000).toFixed(1)} s`,
      ...kindNames.map((kind) => percent((times.get(kind) ?? 0) / processorMs)),
    ];
  });
  const columns = ['step', 'of the processors', ...kindNames.map((kind) => `${kind}, %`)];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return `# What the processors are busy with
\`npm run bench:profile\` on ${date}: ${describeMachine()}. Each step once, of the command line with the settings as they are, under \`perf\` with
${samplesPerSecond} samples a second, which slows it a little; ${sizeMebibytes} MiB of each source, on a local disk unless a storage is named. The time of the processors is that of the
process, without database servers and those of storages, which share the same processors here.

${line(columns)}
${line(columns.map(() => '---'))}
${rows.map(line).join('\n')}
`;
}

async function main(): Promise<void> {
  const cacheFolder = process.env['HOLDFAST_BENCH_FOLDER'] ?? join(tmpdir(), 'holdfast-bench');
  mkdirSync(cacheFolder, { recursive: true });
  const steps: Step[] = [];
  const chosen = Object.entries(subjects).filter(([name]) => name.includes(values.only));
  for (const [name, make] of chosen) {
    const folder = mkdtempSync(join(cacheFolder, 'profile-'));
    let subject: Subject | undefined;
    try {
      subject = await make(folder, Number(values.size) * 2 ** 20);
      steps.push(...(await profileSubject(name, subject, folder)));
    } finally {
      await subject?.stop?.();
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const page = pageOf(steps, Number(values.size));
  process.stdout.write(page);
  if (!values.page) return;
  const path = join(import.meta.dirname, '../RESULTS-profile.md');
  writeFileSync(`${path}.partial`, page);
  renameSync(`${path}.partial`, path);
}

if (values.help) process.stdout.write(usage);
else await main();
