import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { RunArchive } from '../history/run-record.ts';
import type { BackupReport, Comparison, OutputReport, SealKeys } from '../operation/options.ts';
import { describeFall } from '../policy/plausibility.ts';
import type { Secret } from '../secret.ts';
import type { Source, SourceDescription } from '../source/source.ts';
import { type BackupCommandOptions, type BackupRequest, completeRequest, type OutputGroup } from './backup-request.ts';
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
import { addSealKeyOptions, gather, readIdentities, sealKeys } from './key-options.ts';
import { addThreadsOption, wholeNumber } from './number-options.ts';
import { toHoldfastError } from './print-error.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';
import type { GivenRun } from './progress-line.ts';
import { findHistory, noteProblem, recordIn } from './record.ts';
import { addSourceOptions } from './source-options.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Adds `holdfast backup`. */
export function addBackupCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('backup')
    .description('back up databases and files into one archive, read back before it appears');
  addSourceOptions(command)
    .option('--output <path>', 'the archive to write (without sources: named by holdfast.config.ts)')
    .option('--storage <name>', 'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)', gather)
    .option('--job <name>', 'only what one job of the schedule backs up (`holdfast schedule list` names them)')
    .addOption(new Option('--compression <codec>', 'zstd unless given').choices(['zstd', 'gzip', 'bz2', 'xz', 'none']))
    .option('--copies <n>', 'how often the archive holds everything, 1 to 8 (2 unless given)', wholeNumber(1, 8))
    .addOption(new Option('--encryption <cipher>', 'aes-256-gcm unless given').choices(['aes-256-gcm', 'none']))
    .addOption(
      new Option('--verify <level>', 'what is read back before the archive appears (contents unless given)').choices([
        'contents',
        'structure',
        'none',
      ]),
    )
    .option('--temporary-folder <path>', "folder for temporary copies of databases (the system's unless given)")
    .option('--previous <archive>', 'the archive to compare with (the newest one beside the output unless given)')
    .option('--identity-file <path>', 'file with age identities, to open that archive (repeatable)', gather)
    .option(
      '--allowed-fall <percent>',
      'how much of a table may be gone since then before the archive is suspect (50 unless given)',
      wholeNumber(0, 100),
    )
    .option('--dry-run', 'say what would be backed up, and write nothing')
    .option('--json', 'print the result as JSON');
  addThreadsOption(addSealKeyOptions(command)).action(async (options: BackupCommandOptions) => {
    const request = await completeRequest(options, context);
    try {
      context.exitCode = await backup(request, context);
    } finally {
      await request.close();
    }
  });
}

async function backup(request: BackupRequest, context: CommandContext): Promise<number> {
  const { options } = request;
  const { collectSources } = await import('./collect-sources.ts');
  for (const warning of request.warnings) printNote(context, warning);
  if (options.dryRun) {
    await printPlan(await collectSources(request.sources, request.localPaths), request, context);
    return 0;
  }
  // Where no configuration was read there is nothing to record in.
  const history = request.loaded && (await findHistory(request.loaded, context));
  let result: MadeArchives;
  try {
    result = await holdingJob(history, request, context, () => makeRecorded(history, request, context));
  } finally {
    await history?.close();
  }
  const { made, lost } = result;
  const [first, ...others] = made;
  const outputs = [...made.flatMap(({ report }) => report.outputs), ...lost];
  if (options.json) {
    const more = others.length > 0 ? { others: others.map(({ report }) => report) } : {};
    printJson(context, { ...first?.report, outputs, ...more });
  } else {
    for (const { report, copies } of made) printReport(report, copies, context);
    printFailedOutputs(outputs, context);
  }
  const isComplete = made.every(({ report }) => report.problems.length === 0 && !report.suspect);
  return isComplete && outputs.every(({ error }) => error === undefined) ? 0 : 3;
}

/** Of two runs of one job at once the later is refused. */
async function holdingJob<Result>(
  history: History | undefined,
  { job }: BackupRequest,
  context: CommandContext,
  work: () => Promise<Result>,
): Promise<Result> {
  if (job === undefined || history === undefined) return await work();
  const { holdLease } = await import('../operation/lease.ts');
  const lease = await orNoted(context, () => holdLease({ store: history, job, clock: context.clock }));
  if (lease === 'held') throw new HoldfastError('job.running', { context: { job } });
  try {
    return await work();
  } finally {
    await orNoted(context, async () => lease?.release());
  }
}

/** A history that fails stops no backup. */
async function orNoted<Value>(context: CommandContext, work: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await work();
  } catch (error) {
    noteProblem(error, context);
    return undefined;
  }
}

/** The archives of a run, and the outputs that got none; one at least was made. */
interface MadeArchives {
  readonly made: readonly { readonly report: BackupReport; readonly copies: number }[];
  readonly lost: readonly OutputReport[];
}

async function makeRecorded(
  history: History | undefined,
  request: BackupRequest,
  context: CommandContext,
): Promise<MadeArchives> {
  const { job, database, options } = request;
  const { backupOutcome } = await import('../operation/run-outcomes.ts');
  const archives = request.groups.flatMap(({ output }): RunArchive[] => {
    if (typeof output === 'string') return [{ url: resolve(output), state: 'pending' }];
    return output.map(({ storage, name, label }) => {
      return { url: storage.url(name), name, ...withoutUndefined({ storage: label }), state: 'pending' };
    });
  });
  return await recordIn(
    history,
    context,
    { kind: 'backup', archives, json: options.json, ...withoutUndefined({ job, database }) },
    (run) => makeAll(request, run, context),
    ({ made, lost }) =>
      backupOutcome(
        made.map(({ report }) => report),
        lost,
      ),
  );
}

async function makeAll(request: BackupRequest, run: GivenRun, context: CommandContext): Promise<MadeArchives> {
  const { groups, options } = request;
  const { collectSources } = await import('./collect-sources.ts');
  const keys = await keysFor(options, context);
  const identities = await readIdentities(options.identityFile ?? []);
  const made: { readonly report: BackupReport; readonly copies: number }[] = [];
  const failed: { readonly group: OutputGroup; readonly error: unknown }[] = [];
  for (const group of groups) {
    try {
      // A source is read once: another archive takes new ones.
      const sources = await collectSources(request.sources, request.localPaths);
      const report = await makeArchive({ sources, group, keys, identities, options }, run);
      made.push({ report, copies: group.copies ?? 2 });
    } catch (error) {
      // Another archive of this run may still succeed, unless it is the run that ended.
      if (groups.length === 1 || context.signal.aborted || typeof group.output === 'string') throw error;
      failed.push({ group, error });
    }
  }
  if (made.length === 0) throw failed[0]?.error;
  return { made, lost: failed.flatMap(({ group, error }) => failedOutputs(group, error)) };
}

async function makeArchive(
  archive: {
    readonly sources: readonly Source[];
    readonly group: OutputGroup;
    readonly keys: SealKeys | undefined;
    readonly identities: readonly Secret[];
    readonly options: BackupCommandOptions;
  },
  run: GivenRun,
): Promise<BackupReport> {
  const { sources, keys, identities } = archive;
  const { output, copies, parityBlocks } = archive.group;
  // A stripe has 255 blocks at most.
  const dataBlocks = parityBlocks === undefined ? undefined : Math.min(239, 255 - parityBlocks);
  const { compression, encryption, verify, threads, temporaryFolder, previous, allowedFall } = archive.options;
  const { createBackup } = await import('../operation/backup.ts');
  return await createBackup({
    sources,
    output,
    ...withoutUndefined({ keys, compression, copies, dataBlocks, parityBlocks, encryption, verify, threads }),
    ...withoutUndefined({ temporaryFolder, previous }),
    ...withoutUndefined({ allowedFall: allowedFall === undefined ? undefined : allowedFall / 100 }),
    previousKeys: { identities },
    ...run,
  });
}

/** The outputs of an archive that no storage took. */
function failedOutputs({ output }: OutputGroup, error: unknown): OutputReport[] {
  if (typeof output === 'string') return [];
  const { code, message, hint } = toHoldfastError(error);
  return output.map(({ storage, name, label }) => ({
    ...withoutUndefined({ storage: label }),
    output: storage.url(name),
    error: { code, message, hint },
  }));
}

function printFailedOutputs(outputs: readonly OutputReport[], context: CommandContext): void {
  for (const { storage, output, error } of outputs) {
    if (error !== undefined) printNote(context, `${storage ?? output}: not written: ${error.message} [${error.code}]`);
  }
}

async function keysFor(options: BackupCommandOptions, context: CommandContext): Promise<SealKeys | undefined> {
  if (options.encryption !== 'none') return sealKeys(options, context);
  const { passphrase, passphraseFile, recipient, recipientsFile } = options;
  if ([passphrase, passphraseFile, recipient, recipientsFile].every((key) => key === undefined)) return undefined;
  throw new HoldfastError('usage.invalid', {
    message: 'a key is given, and the encryption is none',
    hint: 'leave out --encryption none, or the key',
  });
}

async function printPlan(sources: readonly Source[], request: BackupRequest, context: CommandContext): Promise<void> {
  const { temporaryFolder = tmpdir(), json } = request.options;
  const folder = await mkdtemp(join(temporaryFolder, 'holdfast-'));
  const plan: (SourceDescription & { name: string })[] = [];
  try {
    for (const source of sources) {
      const description = await source.describe({
        signal: context.signal,
        report: (problem) => printNote(context, `${problem.path}: ${problem.message} [${problem.code}]`),
        temporaryFolder: folder,
      });
      plan.push({ name: source.name, ...description });
    }
  } finally {
    for (const source of sources) await source.close();
    await rm(folder, { recursive: true, force: true });
  }
  const { labels } = request;
  if (json) return printJson(context, { dryRun: true, output: labels[0], outputs: labels, sources: plan });
  const size = (sizeBytes: number) => (sizeBytes > 0 ? formatSize(sizeBytes) : '');
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(labels.join(', ')))}: would be written from`,
    ...formatTable(
      context,
      ['type', 'name', '>size', 'source'],
      plan.map(({ type, name, label, expectedSizeBytes }) => [
        type,
        printable(name),
        size(expectedSizeBytes),
        printable(label),
      ]),
    ),
    ...plan.flatMap((source) => formatTables(source, context)),
  ]);
}

/** The tables of a source, with the estimates of its server. */
function formatTables(source: SourceDescription & { readonly name: string }, context: CommandContext): string[] {
  const { tables = [], name, type, version } = source;
  if (tables.length === 0) return [];
  const title = `${name}: ${type}${version === undefined ? '' : ` ${version}`}, ${formatNumberOf(tables.length, 'table')}`;
  return [
    '',
    paint(context, context.stdout, 'bold', printable(title)),
    ...formatTable(
      context,
      ['table', '>rows, about', '>size, about'],
      tables.map(({ name: table, expectedRows, expectedSizeBytes }) => [
        printable(table),
        expectedRows === undefined ? '' : formatCount(expectedRows),
        formatSize(expectedSizeBytes),
      ]),
    ),
  ];
}

const verifiedTexts = {
  contents: 'every entry read back and compared',
  structure: 'every block read back; not the contents',
  none: 'no',
} as const satisfies Record<BackupReport['verified'], string>;

function printReport(report: BackupReport, copies: number, context: CommandContext): void {
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
      ['archive', `${formatSize(sizeBytes)} with ${formatNumberOf(copies, 'copy', 'copies')}${share}`],
      ['time', `${formatDuration(durationMs)}${rate === '' ? '' : ` (${rate})`}`],
      ['verified', verifiedTexts[report.verified]],
      ['compared', formatComparison(report.comparison)],
    ]),
  ]);
  printFalls(report.comparison, context);
  for (const problem of problems.slice(0, 20))
    printNote(context, `${problem.path}: ${problem.message} [${problem.code}]`);
  if (problems.length > 20) printNote(context, `${formatCount(problems.length - 20)} more problems: see --json`);
}

/** Where there are several. */
function formatOutputs({ outputs }: BackupReport): string {
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
