import { type Command, Option } from 'commander';
import type { History } from '../history/history.ts';
import type { BackupCommandOptions, BackupRequest } from './backup-request.ts';
import { boundHeap } from './bound-heap.ts';
import { ownHeads } from './catalogue-access.ts';
import type { CommandContext } from './command-context.ts';
import { addSealKeyOptions, gather, openpgpKeyOption } from './key-options.ts';
import { notifyingFailure } from './notify-run.ts';
import { addThreadsOption, moment, wholeNumber } from './number-options.ts';
import { standardOutput } from './output-stream.ts';
import { printJson, printNote } from './print-result.ts';
import { findHistory } from './record.ts';
import { runHooked } from './run-hooks.ts';
import { addSourceOptions } from './source-options.ts';
import { namesOf, tellOfBackup } from './tell-of-backup.ts';

/** Adds `holdfast backup`. */
export function addBackupCommand(program: Command, given: CommandContext): void {
  const command = program
    .command('backup')
    .description('back up databases and files into one archive, read back before it appears');
  addSourceOptions(command)
    .option(
      '--output <path>',
      'the archive to write, or - for the standard output (without sources: named by holdfast.config.ts)',
    )
    .option('--storage <name>', 'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)', gather)
    .option('--job <name>', 'only what one job of the schedule backs up (`holdfast schedule list` names them)')
    .option(
      '--scheduled-at <time>',
      'the moment of the schedule that the run is for, as 2026-01-15T02:00:00Z or in milliseconds: of one moment one archive is made, however often it is run',
      moment,
    )
    .option('--enqueue', 'put it into the queue of holdfast.config.ts, for a worker to run')
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
  addThreadsOption(addSealKeyOptions(command)).action((options: BackupCommandOptions) => run(options, given));
}

async function run(options: BackupCommandOptions, given: CommandContext): Promise<void> {
  // Where the archive goes to the standard output, all else goes to the other one.
  const context = options.output === standardOutput ? { ...given, stdout: given.stderr } : given;
  if (options.enqueue) {
    const { enqueueBackup } = await import('./enqueue.ts');
    await enqueueBackup(options, context);
    return;
  }
  const request = await completed(options, context);
  boundHeap();
  try {
    const loaded = options.dryRun ? undefined : request.loaded;
    const what = `the backup of ${namesOf(request)}`;
    given.exitCode = await notifyingFailure(loaded, what, context, () => backup(request, context));
  } finally {
    await request.close();
  }
}

async function completed(options: BackupCommandOptions, context: CommandContext): Promise<BackupRequest> {
  const { completeRequest } = await import('./backup-request.ts');
  try {
    return await completeRequest(options, context);
  } catch (error) {
    const { recordUnbegun } = await import('./unbegun-backup.ts');
    await recordUnbegun(error, options, context);
    throw error;
  }
}

async function backup(request: BackupRequest, context: CommandContext): Promise<number> {
  const { options } = request;
  for (const warning of request.warnings) printNote(context, warning);
  if (options.dryRun) {
    const { printPlan } = await import('./backup-plan.ts');
    await printPlan(request, context);
    return 0;
  }
  const { holdingJob, recordFailure } = await import('./backup-run.ts');
  // Where no configuration was read there is nothing to record in.
  const history = request.loaded && (await findHistory(request.loaded, context));
  const loaded = options.hooks ? request.loaded : undefined;
  const hooked = { kind: 'backup', loaded, subject: namesOf(request) } as const;
  try {
    // A run that is refused, since its job runs already, runs no hooks.
    return await holdingJob(history, request, context, async () => {
      const { printMade, withoutMade } = await import('./earlier-run.ts');
      const { rest, outputs } = await withoutMade(history, request, context);
      // Nor does one whose archive is there already.
      if (rest.groups.length === 0 && rest.plain.length === 0) return printMade(outputs, options.json, context);
      let isBegun = false;
      try {
        return await runHooked(hooked, context, () => {
          isBegun = true;
          return makeAndTell(history, rest, context);
        });
      } catch (error) {
        // The hook before it: the retention and the statistics have to know that nothing was backed up.
        if (!isBegun) await recordFailure(history, rest, error, context);
        throw error;
      }
    });
  } finally {
    await history?.close();
  }
}

async function makeAndTell(
  history: History | undefined,
  request: BackupRequest,
  context: CommandContext,
): Promise<number> {
  const { makeRecorded } = await import('./backup-run.ts');
  const { made, lost } = await makeRecorded(history, request, context);
  const [first, ...others] = made;
  const outputs = [...made.flatMap(({ report }) => report.outputs), ...lost];
  const reports = made.map(({ report }) => report);
  const catalogueHeads = await ownHeads(request.loaded, context);
  const notifications = await tellOfBackup(request, reports, outputs, catalogueHeads, context);
  if (request.options.json) {
    const more = {
      ...(others.length > 0 ? { others: others.map(({ report }) => report) } : {}),
      ...(notifications.length > 0 ? { notifications } : {}),
      ...(catalogueHeads.length > 0 ? { catalogueHeads } : {}),
    };
    printJson(context, { ...first?.report, outputs, ...more });
  } else {
    const { printFailedOutputs, printReport } = await import('./backup-report.ts');
    for (const { report, copies } of made) printReport(report, copies, context);
    printFailedOutputs(outputs, context);
  }
  const isComplete = reports.every(({ problems, suspect }) => problems.length === 0 && !suspect);
  return isComplete && outputs.every(({ error }) => error === undefined) ? 0 : 3;
}
