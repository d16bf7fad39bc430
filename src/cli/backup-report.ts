import { basename } from 'node:path';
import type { BackupReport, Comparison, OutputReport } from '../operation/options.ts';
import type { PlainBackupReport } from '../operation/plain-backup.ts';
import { describeFall } from '../policy/plausibility.ts';
import type { CommandContext } from './command-context.ts';
import {
  formatCount,
  formatDuration,
  formatNumberOf,
  formatRate,
  formatSize,
  paint,
  printable,
} from './format-value.ts';
import { formatFacts, printLines, printNote } from './print-result.ts';

/** What one output of a run became: an archive or a plain dump. */
export type MadeReport = BackupReport | PlainBackupReport;

/** Names the outputs that got nothing, with the reason. */
export function printFailedOutputs(outputs: readonly OutputReport[], context: CommandContext): void {
  for (const { storage, output, error } of outputs) {
    if (error !== undefined) printNote(context, `${storage ?? output}: not written: ${error.message} [${error.code}]`);
  }
}

const verifiedTexts = {
  contents: 'every entry read back and compared',
  structure: 'every block read back; not the contents',
  none: 'no',
} as const satisfies Record<BackupReport['verified'], string>;

/** Prints what became of one archive or plain dump. */
export function printReport(report: MadeReport, copies: number, context: CommandContext): void {
  const { sizeBytes, plainSizeBytes, durationMs, problems } = report;
  const verdict = report.suspect
    ? paint(context, context.stdout, 'yellow', 'written, suspect')
    : problems.length > 0
      ? paint(context, context.stdout, 'yellow', 'written, not complete')
      : paint(context, context.stdout, 'green', 'written');
  const share = plainSizeBytes > 0 ? `, ${formatShare(sizeBytes / plainSizeBytes)} of the original` : '';
  const entries = formatNumberOf(report.entryCount, 'entry', 'entries');
  const rows = report.rowCount > 0 ? `, ${formatNumberOf(report.rowCount, 'row')}` : '';
  const rate = formatRate(plainSizeBytes, durationMs);
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(report.output))}: ${verdict}`,
    ...formatFacts(context, [
      ['entries', `${entries}${rows}, ${formatSize(plainSizeBytes)}`],
      ['storages', formatOutputs(report)],
      'format' in report
        ? ['file', `${formatSize(sizeBytes)}, ${formatLayers(report)}${share}`]
        : ['archive', `${formatSize(sizeBytes)} with ${formatNumberOf(copies, 'copy', 'copies')}${share}`],
      ['time', `${formatDuration(durationMs)}${rate === '' ? '' : ` (${rate})`}`],
      ['verified', verifiedTexts[report.verified]],
      ['compared', formatComparison(report.comparison)],
    ]),
  ]);
  printFalls(report.comparison, context);
  for (const problem of problems.slice(0, 20))
    printNote(context, `${problem.path}: ${problem.message} [${problem.code}]`);
  const notes = 'notes' in report ? (report.notes ?? []) : [];
  for (const note of notes.slice(0, 20)) printNote(context, printable(note));
  if (notes.length > 20) printNote(context, `${formatCount(notes.length - 20)} more remarks: see --json`);
  if (problems.length > 20) printNote(context, `${formatCount(problems.length - 20)} more problems: see --json`);
}

/** How a plain dump is wrapped. */
function formatLayers({ compression, encryption }: PlainBackupReport): string {
  const packed = compression === 'none' ? 'not compressed' : compression;
  return `${packed}, ${encryption === 'none' ? 'not encrypted' : 'encrypted with OpenPGP'}`;
}

/** Where there are several. */
function formatOutputs({ outputs }: MadeReport): string {
  if (outputs.length < 2) return '';
  return outputs
    .map(
      ({ storage, output, error }) => `${printable(storage ?? output)} ${error === undefined ? 'written' : 'failed'}`,
    )
    .join(', ');
}

function formatComparison({ previous, reason, falls }: Comparison): string {
  if (previous === undefined) return reason === undefined ? '' : `no: ${printable(reason)}`;
  const found = falls.length === 0 ? 'nothing fell' : `${formatNumberOf(falls.length, 'fall')}`;
  return `with ${printable(basename(previous))}: ${found}`;
}

function printFalls({ falls }: Comparison, context: CommandContext): void {
  for (const fall of falls.slice(0, 20)) printNote(context, describeFall(fall));
  if (falls.length > 20) printNote(context, `${formatCount(falls.length - 20)} more falls: see --json`);
  if (falls.length > 0) printNote(context, 'if that is right, allow it once with --allowed-fall 100');
}

function formatShare(share: number): string {
  return share < 10 ? `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %` : `${formatCount(Math.round(share))} times`;
}
