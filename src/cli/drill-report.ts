import type { CommandContext } from './command-context.ts';
import type { DoneDrill } from './drill-command.ts';
import { formatDuration, formatNumberOf, formatSize, paint, printable } from './format-value.ts';
import { formatFacts, printLines, printNote } from './print-result.ts';

const shownLines = 20;

/** Prints what came of drills, one below the other. */
export function printDrills(done: readonly DoneDrill[], context: CommandContext): void {
  for (const one of done) {
    printLines(context, formatDrill(one, context));
    const { report, error } = one;
    for (const line of (report?.differences ?? []).slice(0, shownLines)) printNote(context, `differs: ${line}`);
    for (const { check, message, isPassed } of report?.checks ?? []) {
      if (!isPassed) printNote(context, `check failed: ${check}: ${message}`);
    }
    for (const line of report?.leftovers ?? []) printNote(context, line);
    if (error !== undefined && report === undefined) printNote(context, `${error.message} [${error.code}]`);
    if (error !== undefined) printNote(context, `hint: ${error.hint}`);
  }
}

function formatDrill({ target, report, error }: DoneDrill, context: CommandContext): string[] {
  const { storage, name, what } = target;
  const label = name === undefined || storage === undefined ? what : `${storage}: ${name}`;
  const verdict =
    error === undefined
      ? paint(context, context.stdout, 'green', 'proven')
      : paint(context, context.stdout, 'red', report === undefined ? 'not drilled' : 'not proven');
  const head = `${paint(context, context.stdout, 'bold', printable(label))}: ${verdict}`;
  if (report === undefined) return [head];
  const { databases, fileCount, entryCount, sizeBytes, checks, restoreMs, durationMs, healedBlocks, notRestored } =
    report;
  const passedCount = checks.filter(({ isPassed }) => isPassed).length;
  const counted = databases.map(
    (one) =>
      `${printable(one.name)} (${formatNumberOf(one.tableCount, 'table')}, ${formatNumberOf(one.rowCount, 'row')})`,
  );
  return [
    head,
    ...formatFacts(context, [
      [
        'restored',
        `${formatNumberOf(entryCount - notRestored.length, 'entry', 'entries')}, ${formatSize(sizeBytes)}, in ${formatDuration(restoreMs)}`,
      ],
      ['databases', counted.join(', ')],
      ['files', fileCount > 0 ? formatNumberOf(fileCount, 'file') : ''],
      ['only read', notRestored.length > 0 ? printable(notRestored.slice(0, 5).join(', ')) : ''],
      ['checks', checks.length > 0 ? `${passedCount} of ${checks.length} passed` : ''],
      ['healed', healedBlocks > 0 ? `${formatNumberOf(healedBlocks, 'damaged block')} on the way` : ''],
      ['time', formatDuration(durationMs)],
    ]),
  ];
}
