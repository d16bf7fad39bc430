import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Command, Option } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { BackupReport, Comparison, OutputReport, SealKeys } from '../operation/options.ts';
import type { PlainBackupReport } from '../operation/plain-backup.ts';
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
import { addSealKeyOptions, gather, openpgpKeyOption, plainSealKeys, readIdentities, sealKeys } from './key-options.ts';
import { notifyingFailure } from './notify-run.ts';
import { addThreadsOption, wholeNumber } from './number-options.ts';
import { toHoldfastError } from './print-error.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';
import { withProgress } from './progress-line.ts';
import { runHooked } from './run-hooks.ts';
import { addSourceOptions } from './source-options.ts';
import { namesOf, tellOfBackup } from './tell-of-backup.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Adds `holdfast backup`. */
export function addBackupCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('backup')
    .description('back up databases and files into one archive, read back before it appears');
  addSourceOptions(command)
    .option('--output <path>', 'the archive to write (without sources: named by holdfast.config.ts)')
    .option('--storage <name>', 'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)', gather)
    .addOption(
      new Option(
        '--format <format>',
        'one archive, or of each database a plain dump that gpg and its own tools restore (holdfast unless given)',
      ).choices(['holdfast', 'plain']),
    )
    .addOption(
      new Option('--compression <codec>', 'zstd unless given, of plain dumps gzip').choices([
        'zstd',
        'gzip',
        'bz2',
        'xz',
        'none',
      ]),
    )
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
    .option('--no-hooks', 'do not run the hooks of holdfast.config.ts')
    .option('--dry-run', 'say what would be backed up, and write nothing')
    .option('--json', 'print the result as JSON');
  command.addOption(openpgpKeyOption('file of an OpenPGP public key that plain dumps are encrypted to'));
  addThreadsOption(addSealKeyOptions(command)).action(async (options: BackupCommandOptions) => {
    const request = await completeRequest(options, context);
    try {
      const what = `the backup of ${namesOf(request)}`;
      const { loaded } = options.dryRun ? { loaded: undefined } : request;
      const hooked = { kind: 'backup', loaded: options.hooks ? loaded : undefined, subject: namesOf(request) } as const;
      context.exitCode = await notifyingFailure(loaded, what, context, () =>
        runHooked(hooked, context, () => backup(request, context)),
      );
    } finally {
      await request.close();
    }
  });
}

/** What one output of a run became. */
type MadeReport = BackupReport | PlainBackupReport;

/** The archives and files of a run, one after the other. */
interface BackupJob {
  readonly group: Pick<OutputGroup, 'output'>;
  readonly copies: number;
  make(): Promise<MadeReport>;
}

async function backup(request: BackupRequest, context: CommandContext): Promise<number> {
  const { options } = request;
  if (options.dryRun) {
    await printPlan(request, context);
    return 0;
  }
  refuseForeignOptions(request);
  const jobs = [...(await archiveJobs(request, context)), ...(await plainJobs(request, context))];
  const made: { readonly report: MadeReport; readonly copies: number }[] = [];
  const failed: { readonly job: BackupJob; readonly error: unknown }[] = [];
  for (const job of jobs) {
    try {
      made.push({ report: await job.make(), copies: job.copies });
    } catch (error) {
      // Another archive of this run may still succeed, unless it is the run that ended.
      if (jobs.length === 1 || context.signal.aborted || typeof job.group.output === 'string') throw error;
      failed.push({ job, error });
    }
  }
  const [first, ...others] = made;
  if (first === undefined) throw failed[0]?.error;
  const lost = failed.flatMap(({ job, error }) => failedOutputs(job.group, error));
  const outputs = [...made.flatMap(({ report }) => report.outputs), ...lost];
  const reports = made.map(({ report }) => report);
  const notifications = await tellOfBackup(request, reports, outputs, context);
  if (options.json) {
    const more = {
      ...(others.length > 0 ? { others: others.map(({ report }) => report) } : {}),
      ...(notifications.length > 0 ? { notifications } : {}),
    };
    printJson(context, { ...first.report, outputs, ...more });
  } else {
    for (const { report, copies } of made) printReport(report, copies, context);
    printFailedOutputs(outputs, context);
  }
  const isComplete = made.every(({ report }) => report.problems.length === 0 && !report.suspect);
  return isComplete && outputs.every(({ error }) => error === undefined) ? 0 : 3;
}

/**
 * On a command line that says all, an option that would be passed over is a mistake: whoever gives a recipient believes that it is used.
 */
function refuseForeignOptions({ loaded, plain, options }: BackupRequest): void {
  if (loaded !== undefined) return;
  const foreign =
    plain.length > 0
      ? (['recipient', 'recipientsFile', 'copies', 'previous', 'identityFile'] as const)
      : (['openpgpKey'] as const);
  const given = foreign.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  const flag = `--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new HoldfastError('usage.invalid', {
    message: `${flag} is for ${plain.length > 0 ? 'archives, and this is a plain dump' : 'plain dumps, and this is an archive'}`,
    hint:
      plain.length > 0
        ? 'a plain dump is encrypted to a passphrase or to --openpgp-key'
        : 'see --format, or give --recipient',
  });
}

async function archiveJobs(request: BackupRequest, context: CommandContext): Promise<BackupJob[]> {
  const { groups, options } = request;
  if (groups.length === 0) return [];
  const { collectSources } = await import('./collect-sources.ts');
  const keys = await keysFor(options, context);
  const identities = await readIdentities(options.identityFile ?? []);
  return groups.map((group) => ({
    group,
    copies: group.copies ?? 2,
    make: async () => {
      // A source is read once: another archive takes new ones.
      const sources = await collectSources(request.sources, request.localPaths);
      return await makeArchive({ sources, group, keys, identities, options }, context);
    },
  }));
}

async function plainJobs({ plain, options }: BackupRequest, context: CommandContext): Promise<BackupJob[]> {
  if (plain.length === 0) return [];
  const { compression, verify, temporaryFolder, allowedFall, json } = options;
  if (verify === 'structure') {
    throw new HoldfastError('usage.invalid', {
      message: 'a plain dump has no structure of its own that could be read back',
      hint: '--verify contents, or none',
    });
  }
  const encryption = options.encryption === 'none' ? ('none' as const) : ('openpgp' as const);
  const keys = encryption === 'none' ? refuseKeys(options) : await plainSealKeys(options, context);
  const { createPlainBackup } = await import('../operation/plain-backup.ts');
  const { plainSourceFromUrl } = await import('../source/parse-url.ts');
  return plain.map(({ request: { url, format: _, ...settings }, output }) => ({
    group: { output },
    copies: 1,
    make: async () => {
      const source = await plainSourceFromUrl(url, settings);
      return await withProgress(context, json, (given) =>
        createPlainBackup({
          source,
          output,
          encryption,
          ...withoutUndefined({ keys, compression, verify, temporaryFolder }),
          ...withoutUndefined({ allowedFall: allowedFall === undefined ? undefined : allowedFall / 100 }),
          ...given,
        }),
      );
    },
  }));
}

async function makeArchive(
  run: {
    readonly sources: readonly Source[];
    readonly group: OutputGroup;
    readonly keys: SealKeys | undefined;
    readonly identities: readonly Secret[];
    readonly options: BackupCommandOptions;
  },
  context: CommandContext,
): Promise<BackupReport> {
  const { sources, keys, identities } = run;
  const { output, copies } = run.group;
  const { compression, encryption, verify, threads, temporaryFolder, previous, allowedFall, json } = run.options;
  const { createBackup } = await import('../operation/backup.ts');
  return await withProgress(context, json, (given) =>
    createBackup({
      sources,
      output,
      ...withoutUndefined({ keys, compression, copies, encryption, verify, threads, temporaryFolder, previous }),
      ...withoutUndefined({ allowedFall: allowedFall === undefined ? undefined : allowedFall / 100 }),
      previousKeys: { identities },
      ...given,
    }),
  );
}

/** The outputs of an archive that no storage took. */
function failedOutputs({ output }: Pick<OutputGroup, 'output'>, error: unknown): OutputReport[] {
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
  return options.encryption === 'none' ? refuseKeys(options) : await sealKeys(options, context);
}

/** Throws `usage.invalid` where a key is given, and nothing is to be encrypted. */
function refuseKeys(options: BackupCommandOptions): undefined {
  const { passphrase, passphraseFile, recipient, recipientsFile, openpgpKey } = options;
  const keys = [passphrase, passphraseFile, recipient, recipientsFile, openpgpKey];
  if (keys.every((key) => key === undefined)) return undefined;
  throw new HoldfastError('usage.invalid', {
    message: 'a key is given, and the encryption is none',
    hint: 'leave out --encryption none, or the key',
  });
}

async function printPlan(request: BackupRequest, context: CommandContext): Promise<void> {
  const { collectSources } = await import('./collect-sources.ts');
  const { plainSourceFromUrl } = await import('../source/parse-url.ts');
  const sources = [...(await collectSources(request.sources, request.localPaths))];
  for (const { request: plain } of request.plain) {
    const { url, format: _, ...settings } = plain;
    sources.push(await plainSourceFromUrl(url, settings));
  }
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

function printReport(report: MadeReport, copies: number, context: CommandContext): void {
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
