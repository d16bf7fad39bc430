import { cpus, release, totalmem } from 'node:os';
import type { JudgedRow, Unit } from './row.ts';

/** What a sitting may be about instead of files. */
export type BenchGroup = 'databases' | 'models';

/** What was measured, on what, with what. */
export interface BenchReport {
  readonly date: string;
  readonly machine: string;
  readonly dataSizeBytes: number;
  /** Databases, or the models in them; files unless set. */
  readonly group?: BenchGroup;
  /** Program → version; `not installed` where it is absent. */
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly JudgedRow[];
  /** Benchmark → what went wrong. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Processor, cores, memory and system, without names. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() || 'unknown processor';
  const gibibytes = Math.round(totalmem() / 1_073_741_824);
  return `${model}, ${cpus().length} cores, ${gibibytes} GiB of memory, ${process.platform} ${release().split('-')[0]}`;
}

function formatValue(value: number, unit: Unit): string {
  return `${Number.isFinite(value) ? Number(value.toPrecision(3)) : '?'} ${unit}`;
}

function formatTarget({ target, unit }: JudgedRow): string {
  if (target === undefined) return '';
  const bound = Number(target.bound.toPrecision(3));
  return target.ratioTo === undefined
    ? `${target.kind} ${bound} ${unit}`
    : `${target.kind} ${bound} × ${target.ratioTo}`;
}

function formatPeers(row: JudgedRow): string {
  return Object.entries(row.peerMedians)
    .map(([name, value]) => `${name} ${formatValue(value, row.unit)}`)
    .join(', ');
}

function verdict(row: JudgedRow): string {
  if (row.target === undefined) return '';
  return row.met === undefined ? 'not measured' : row.met ? 'met' : 'missed';
}

const columns = ['benchmark', 'holdfast', 'peers', 'ratio', 'target', 'verdict'];

function cells(row: JudgedRow): string[] {
  const ratio = row.ratio === undefined ? '' : row.ratio.toFixed(2);
  return [row.title, formatValue(row.median, row.unit), formatPeers(row), ratio, formatTarget(row), verdict(row)];
}

/** The table for a terminal. */
export function formatTable(report: BenchReport): string {
  const table = [columns, ...report.rows.map(cells)];
  const widths = columns.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  const lines = table.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const failures = Object.entries(report.failures).map(
    ([name, message]) => `${name} failed: ${message.split('\n').slice(0, 6).join('\n  ')}`,
  );
  return [...lines, ...failures, ''].join('\n');
}

/** Part by part, what the least is that the work of a row takes. */
function limitLines({ limit }: JudgedRow): string[] {
  if (limit === undefined) return [];
  const { parts, seconds } = limit;
  const sum = (isOfDisk: boolean) =>
    parts.filter((part) => (part.isOfDisk === true) === isOfDisk).reduce((total, part) => total + part.seconds, 0);
  return [
    '## The least that a backup needs here',
    'Each part of the work, as long as the fastest program for it takes of one processor while the others are as busy with the same: beside others each gets less',
    'done than alone. What Node, JavaScript and moving bytes from one part to the next cost is not in it, nor any waiting of one part for another.',
    '',
    '| part | found by | of one processor | of the disk |',
    '| --- | --- | --- | --- |',
    ...parts.map(({ title, foundBy, seconds: time, isOfDisk }) => {
      const shown = `${time.toFixed(2)} s`;
      return `| ${title} | ${foundBy} | ${isOfDisk ? '' : shown} | ${isOfDisk ? shown : ''} |`;
    }),
    `| together | | ${sum(false).toFixed(2)} s | ${sum(true).toFixed(2)} s |`,
    '',
    `With all processors busy to the end and the disk beside them that is ${seconds.toFixed(2)} s.`,
    '',
  ];
}

/** The page `bench/RESULTS.md`. */
export function formatPage(report: BenchReport): string {
  const size = `${Math.round(report.dataSizeBytes / 1_048_576)} MiB`;
  const line = (values: readonly string[]) => `| ${values.join(' | ')} |`;
  const notes = report.rows.flatMap((row) => (row.note === undefined ? [] : [`- ${row.title}: ${row.note}.`]));
  const failures = Object.entries(report.failures).map(([name]) => `- ${name} failed and has no row.`);
  const values = report.rows.map((row) => {
    const series = [row.own, ...row.peers].map(
      ({ name, values }) => `${name} ${values.map((value) => Number(value.toPrecision(3))).join(' ')}`,
    );
    return `- ${row.title} (${row.unit}): ${series.join('; ')}`;
  });
  return `# Results of the benchmarks

Written by \`npm run bench${report.group === undefined ? '' : ` -- ${report.group}`}\`; do not edit. ${report.date}, ${report.machine}.

Data: ${report.group === undefined ? `${size} in 16 files, half noise, half text like a database dump` : 'databases, made for it, on servers of their own that wait for the disk'}. Every program runs in turn, in one sitting; a value is the
median of its runs. Times are of the whole process, from start to end. The disk is synced before each run. The page cache is not
dropped: sources and archives are read from memory where they fit, by all programs alike. Peak memory is the kernel's high-water mark
of the process with all of its threads.

${line(columns)}
${line(columns.map(() => '---'))}
${report.rows.map((row) => line(cells(row))).join('\n')}

${[...notes, ...failures].join('\n')}

${[...report.rows.flatMap(limitLines), '## Versions'].join('\n')}
${Object.entries(report.versions)
  .map(([name, version]) => `- ${name}: ${version}`)
  .join('\n')}

## Every run
${values.join('\n')}
`;
}
