import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type {
  ArchiveLocation,
  MediaDestination,
  RestoreAction,
  RestoreOptions,
  RestoreReport,
} from '../operation/options.ts';
import type { CommandProgram } from '../source/command/command-program.ts';
import type { RestoreMode } from '../source/database-options.ts';
import type { Application } from '../source/model/join-models.ts';
import type { ModelRestoreSettings } from '../source/model/model-target.ts';
import type { OnConflict } from '../source/model/restore/restore-plan.ts';
import type { ModelChange } from '../source/target.ts';
import { askYes, terminalForQuestion } from './ask.ts';
import { boundHeap } from './bound-heap.ts';
import type { CommandContext, OutputOptions, Terminal } from './command-context.ts';
import {
  formatCount,
  formatDuration,
  formatNumberOf,
  formatRate,
  formatSize,
  paint,
  printable,
} from './format-value.ts';
import { addOpenKeyOptions, gather, type OpenKeyOptions, openKeys, openpgpKeyOption } from './key-options.ts';
import { addThreadsOption } from './number-options.ts';
import {
  addReplicaOptions,
  archiveStorageOption,
  type ReplicaOptions,
  withArchive,
  withReplicas,
} from './open-storages.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';
import type { GivenRun } from './progress-line.ts';
import { recordedArchive, withRecord } from './record.ts';
import { runHooked } from './run-hooks.ts';
import { connectionsOption, lockTimeoutOption, variable } from './source-options.ts';
import { splitCommand, splitNamed } from './split-command.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What is told of a restore, whatever was restored. */
type AnyRestoreReport = Omit<RestoreReport, 'archiveId'>;

interface RestoreCommandOptions extends OutputOptions, OpenKeyOptions, ReplicaOptions {
  readonly to?: readonly string[];
  readonly toEnv?: readonly string[];
  readonly filesTo?: string;
  readonly mediaTo?: readonly string[];
  readonly commandTo?: readonly string[];
  readonly commandEnv?: readonly string[];
  readonly mode?: RestoreMode;
  readonly connections?: number;
  readonly lockTimeout?: number;
  readonly only?: readonly string[];
  readonly storage?: string;
  readonly yes?: boolean;
  readonly overwrite?: boolean;
  /** False with `--no-undo`. */
  readonly undo: boolean;
  /** False with `--no-hooks`. */
  readonly hooks: boolean;
  readonly partial?: boolean;
  readonly onConflict?: OnConflict;
  readonly flush?: boolean;
  readonly createSchema?: boolean;
  readonly rename?: readonly string[];
  readonly naturalKey?: readonly string[];
  readonly row?: string;
  readonly withOwned?: boolean;
  readonly mask?: boolean;
  readonly dryRun?: boolean;
  readonly archiveId?: string;
  readonly threads?: number;
}

/** Adds `holdfast restore`. */
export function addRestoreCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('restore')
    .description('put databases and files back; each target is replaced whole, or left as it was')
    .argument('<archive>', 'path of the archive, or its name on a storage')
    .addOption(archiveStorageOption())
    .option('--to <url>', 'where the database goes: an URL such as sqlite:copy.db, or name=url (repeatable)', gather)
    .option(
      '--to-env <variable>',
      'an environment variable that holds such an URL, so that its password is in no process list (repeatable)',
      gather,
    )
    .addOption(
      new Option(
        '--mode <mode>',
        'how a database of a server is replaced (decided by what is restored unless given)',
      ).choices(['transaction', 'swap', 'fresh']),
    )
    .addOption(connectionsOption())
    .addOption(lockTimeoutOption())
    .option('--command-to <command>', "a program that is fed a stream, as 'name=redis-cli --pipe' (repeatable)", gather)
    .option('--command-env <variable>', 'an environment variable that these programs get (repeatable)', gather)
    .option('--files-to <folder>', 'where the trees of files go (where they came from unless given)')
    .option(
      '--media-to <name>',
      'a media storage of holdfast.config.ts that a tree goes to, or tree=name (repeatable)',
      gather,
    )
    .option('--only <glob>', "restore only the entries that match, such as 'files/**' (repeatable)", gather)
    .addOption(
      new Option(
        '--on-conflict <policy>',
        'of models: what is done where a row is there already (fail unless given, skip with --row)',
      ).choices(['fail', 'skip', 'update', 'replace-all']),
    )
    .option('--row <model:key>', 'of models: this row alone and all that it needs, as invoice:42')
    .option('--with-owned', 'with --row: the rows that belong to it, too')
    .option('--flush', 'of models: empty the tables that the archive holds first, and no other')
    .option('--create-schema', 'of models: make the tables that are not there')
    .option(
      '--rename <old=new>',
      'of models: model=table, model.column=column, or model.column= for a column that is left out (repeatable)',
      gather,
    )
    .option(
      '--natural-key <model:columns>',
      'of models: the unique key by which rows are known whatever their numbers, as user:email or permission:content_type_id,codename (repeatable)',
      gather,
    )
    .option('--mask', 'of models: mask values as the *.backup.ts of the application here say')
    .option('--yes', 'do not ask')
    .option('--overwrite', 'allow to replace what is there')
    .option('--no-undo', 'do not keep what is replaced')
    .option('--no-hooks', 'with --storage: do not run the hooks of holdfast.config.ts')
    .option('--partial', 'restore what can be had of an archive beyond repair')
    .option('--dry-run', 'say what would be done, and write nothing')
    .option('--archive-id <hex>', 'which archive, where a file holds several')
    .option('--json', 'print the result as JSON');
  command.addOption(openpgpKeyOption('file of an OpenPGP secret key that opens a plain dump'));
  addThreadsOption(addOpenKeyOptions(addReplicaOptions(command))).action(
    (archive: string, options: RestoreCommandOptions) => gatherAndRestore(archive, options, context),
  );
}

/** The archive is where it is said to be, or in the shards that are named together. */
async function gatherAndRestore(archive: string, given: RestoreCommandOptions, context: CommandContext): Promise<void> {
  const to = [...(given.to ?? []), ...(given.toEnv ?? []).map((name) => variable(name, context))];
  const options = to.length > 0 ? { ...given, to } : given;
  const { withShards } = await import('../operation/location.ts');
  context.exitCode = await withArchive(archive, options.storage, context, (location) =>
    withReplicas(archive, options, context, (replicas) =>
      withShards(location, replicas, (gathered, from) =>
        restore({ archive, location: gathered, from }, options, context),
      ),
    ),
  );
}

interface Place {
  /** As it was given. */
  readonly archive: string;
  readonly location: ArchiveLocation;
  readonly from: readonly ArchiveLocation[];
}

async function restore(
  { archive, location, from }: Place,
  options: RestoreCommandOptions,
  context: CommandContext,
): Promise<number> {
  const { json } = options;
  const dryRun = options.dryRun ?? false;
  const terminal = options.yes || dryRun ? undefined : terminalForQuestion(context, 'a restore');
  try {
    const { withMediaDestinations } = await import('./media-requests.ts');
    return await withMediaDestinations(options.mediaTo, context, async (mediaTo) => {
      const run = await runOf({ location, from, mediaTo }, options, context);
      if (terminal !== undefined) await confirmPlan(await run(true), terminal, context);
      const loaded = dryRun || !options.hooks ? undefined : await configOfStorage(options.storage, context);
      return await runHooked({ kind: 'restore', loaded, subject: archive }, context, async () => {
        const report = await run(dryRun);
        if (json) printJson(context, { archive, ...withoutUndefined({ storage: options.storage }), ...report });
        else printReport(archive, options.storage, report, context);
        return report.lostEntries.length > 0 ? 3 : 0;
      });
    });
  } finally {
    terminal?.close();
  }
}

/** A restore by a path reads no configuration: one that is broken must not stand in its way. */
async function configOfStorage(
  storage: string | undefined,
  context: CommandContext,
): Promise<LoadedConfig | undefined> {
  if (storage === undefined) return undefined;
  const { loadConfig } = await import('../config/load-config.ts');
  return await loadConfig('.', context.environment);
}

/** What restores the archive or the plain dump, or says what would be done; what is restored is recorded. */
async function runOf(
  {
    location,
    from,
    mediaTo,
  }: Pick<Place, 'location' | 'from'> & {
    readonly mediaTo: readonly MediaDestination[] | undefined;
  },
  options: RestoreCommandOptions,
  context: CommandContext,
): Promise<(dryRun: boolean) => Promise<AnyRestoreReport>> {
  const { isPlainDump } = await import('../operation/plain-restore.ts');
  const { restoreOutcome } = await import('../operation/run-outcomes.ts');
  const recorded = recordedArchive(location, options.storage);
  const record = (dryRun: boolean, work: (run: GivenRun) => Promise<AnyRestoreReport>) =>
    withRecord(context, { kind: 'restore', archives: [recorded], json: options.json, dryRun }, work, (result) =>
      restoreOutcome(recorded, result),
    );
  if (await isPlainDump(location)) {
    const { plainRestore } = await import('./plain-restore.ts');
    const run = await plainRestore(location, options, context);
    return (dryRun) => record(dryRun, (given) => run(dryRun, given));
  }
  const { to, filesTo, mode, connections, only, overwrite, partial, archiveId, threads } = options;
  const keys = await openKeys(location, options, context);
  boundHeap();
  const { restoreBackup } = await import('../operation/restore.ts');
  const restoreOptions: RestoreOptions = {
    archive: location,
    from,
    keepUndo: options.undo,
    ...withoutUndefined({
      to,
      filesTo,
      mediaTo,
      mode,
      connections,
      only,
      overwrite,
      partial,
      archiveId,
      threads,
      keys,
    }),
    ...withoutUndefined({ timeoutMs: options.lockTimeout === undefined ? undefined : options.lockTimeout * 1000 }),
    commands: commandsTo(options),
    models: await modelSettings(options, context),
  };
  return (dryRun) => record(dryRun, (given) => restoreBackup({ ...restoreOptions, dryRun, ...given }));
}

async function modelSettings(options: RestoreCommandOptions, context: CommandContext): Promise<ModelRestoreSettings> {
  const { onConflict, row, withOwned, flush, createSchema, rename, naturalKey, mask } = options;
  if (withOwned === true && row === undefined) {
    throw new HoldfastError('usage.invalid', { message: '--with-owned says what is restored with the row of --row' });
  }
  return withoutUndefined({
    onConflict,
    row,
    withOwned,
    flush,
    createSchema,
    renames: rename,
    naturalKeys: naturalKey,
    mask: mask === true ? await applicationHere(context) : undefined,
  });
}

/** The application in this folder, whether or not a configuration says more of it than its registrations do. */
async function applicationHere(context: CommandContext): Promise<Application> {
  const { findConfigFile, loadConfig } = await import('../config/load-config.ts');
  if ((await findConfigFile('.')) === undefined) return { folder: '.' };
  const { config, file } = await loadConfig('.', context.environment);
  return { ...withoutUndefined(config.models ?? {}), folder: dirname(file) };
}

/** The programs that the command line names for streams. */
function commandsTo({ commandTo = [], commandEnv }: RestoreCommandOptions): Record<string, CommandProgram> {
  const environment = withoutUndefined({ environment: commandEnv });
  const programs = commandTo.map((text) => {
    const { name, value } = splitNamed(text, '--command-to');
    return [name, { command: splitCommand(value), ...environment }] as const;
  });
  return Object.fromEntries(programs);
}

async function confirmPlan(plan: AnyRestoreReport, terminal: Terminal, context: CommandContext): Promise<void> {
  terminal.output.write(`This would be restored:\n${formatActions(plan, context).join('\n')}\n`);
  if (await askYes(terminal, 'Restore?', context.signal)) return;
  throw new HoldfastError('operation.interrupted', {
    message: 'not confirmed: nothing was changed',
    hint: 'answer y to restore',
  });
}

function formatActions({ actions }: AnyRestoreReport, context: CommandContext): string[] {
  const what = ({ kind, entryCount }: RestoreAction) =>
    kind === 'sqlite' ? formatNumberOf(entryCount, 'database') : formatNumberOf(entryCount, 'entry', 'entries');
  return formatTable(
    context,
    ['action', 'target', '>what', '>size', 'undo'],
    actions.map((action) => [
      action.action,
      printable(action.target),
      what(action),
      formatSize(action.sizeBytes),
      action.undo === undefined ? '' : printable(action.undo),
    ]),
  );
}

function formatModels(models: readonly ModelChange[], removedRows: number, context: CommandContext): string[] {
  if (models.length === 0) return [];
  const areMasked = models.some(({ masked }) => masked !== undefined);
  const counts = models.map(({ model, inserted, updated, skipped, masked = 0 }) => {
    const shown = [inserted, updated, skipped, ...(areMasked ? [masked] : [])].map(formatCount);
    return [printable(model), ...shown];
  });
  const heads = ['model', '>inserted', '>updated', '>skipped', ...(areMasked ? ['>values masked'] : [])];
  return [
    ...formatTable(context, heads, counts),
    ...(removedRows > 0 ? [`  ${formatNumberOf(removedRows, 'row')} removed first`] : []),
  ];
}

function printReport(
  archive: string,
  storage: string | undefined,
  report: AnyRestoreReport,
  context: CommandContext,
): void {
  const { healedBlocks, lostEntries, durationMs, rowCount } = report;
  const verdict = report.dryRun ? 'would be restored' : paint(context, context.stdout, 'green', 'restored');
  const counts = [formatNumberOf(report.entryCount, 'entry', 'entries'), formatSize(report.sizeBytes)];
  if (rowCount > 0) counts.splice(1, 0, formatNumberOf(rowCount, 'row'));
  const rate = formatRate(report.sizeBytes, durationMs);
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(archive))}: ${verdict}`,
    ...formatActions(report, context),
    ...formatFacts(context, [
      ['total', counts.join(', ')],
      ['read', `${formatSize(report.readBytes)} of the archive`],
      ['time', `${formatDuration(durationMs)}${report.dryRun || rate === '' ? '' : ` (${rate})`}`],
      ['healed', healedBlocks > 0 ? `${formatNumberOf(healedBlocks, 'damaged block')} on the way` : ''],
      [
        'next',
        healedBlocks > 0
          ? printable(`holdfast repair ${archive}${storage === undefined ? '' : ` --storage ${storage}`}`)
          : '',
      ],
      ['lost', lostEntries.length > 0 ? formatNumberOf(lostEntries.length, 'entry', 'entries') : ''],
    ]),
  ]);
  for (const { models = [], removedRows = 0, notes = [] } of report.actions) {
    printLines(context, formatModels(models, removedRows, context));
    for (const note of notes.slice(0, 50)) printNote(context, printable(note));
    if (notes.length > 50) printNote(context, `${formatCount(notes.length - 50)} more remarks: see --json`);
  }
  for (const path of lostEntries.slice(0, 20)) printNote(context, `lost: ${path}`);
  if (lostEntries.length > 20) printNote(context, `lost: ${formatCount(lostEntries.length - 20)} more, see --json`);
}
