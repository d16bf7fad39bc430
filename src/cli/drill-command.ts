import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { HoldfastConfig } from '../config/config-schema.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { DrillOptions, DrillReport } from '../operation/drill-options.ts';
import { Secret } from '../secret.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import type { DrillTarget } from './drill-plan.ts';
import { printDrills } from './drill-report.ts';
import {
  addOpenKeyOptions,
  gather,
  type OpenKeyOptions,
  openKeys,
  openpgpKeyOption,
  plainOpenKeys,
} from './key-options.ts';
import { notify } from './notify-run.ts';
import { addThreadsOption } from './number-options.ts';
import { archiveStorageOption, type OpenedStorage, openChosenStorages } from './open-storages.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson } from './print-result.ts';
import { recordedArchive, withRecord } from './record.ts';
import { connectionsOption } from './source-options.ts';
import { withoutUndefined } from './without-undefined.ts';

interface DrillCommandOptions extends OutputOptions, OpenKeyOptions {
  readonly to?: readonly string[];
  readonly temporaryFolder?: string;
  readonly connections?: number;
  readonly threads?: number;
}

/** A drill that was run, or could not be. */
export interface DoneDrill {
  readonly target: DrillTarget;
  readonly report?: DrillReport;
  readonly error?: HoldfastError;
}

const defaultLimitMinutes = 24 * 60;

/** Adds `holdfast drill`. */
export function addDrillCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('drill')
    .description('prove backups by restoring them to where nothing is, comparing, checking, and removing all again')
    .argument(
      '[archive]',
      'path of an archive, its name on a storage, or a name of backups (the newest of all that holdfast.config.ts names unless given)',
    )
    .addOption(archiveStorageOption())
    .option('--to <url>', 'a server on which the drill makes databases, as postgres://user@host/ (repeatable)', gather)
    .option('--temporary-folder <path>', "folder for SQLite databases and files meanwhile (the system's unless given)")
    .addOption(connectionsOption())
    .option('--json', 'print the result as JSON');
  command.addOption(openpgpKeyOption('file of an OpenPGP secret key that opens a plain dump'));
  addThreadsOption(addOpenKeyOptions(command)).action(
    async (archive: string | undefined, options: DrillCommandOptions) => {
      context.exitCode = await drill(archive, options, context);
    },
  );
}

async function drill(
  given: string | undefined,
  options: DrillCommandOptions,
  context: CommandContext,
): Promise<number> {
  const loaded = await findConfig(given !== undefined && options.storage === undefined, context);
  const storages = loaded === undefined ? [] : await openStorages(given, options, loaded, context);
  try {
    const { givenTargets, newestArchives, plannedSeries } = await import('./drill-plan.ts');
    const planned = loaded === undefined ? [] : await plannedSeries(loaded, context);
    const targets =
      given === undefined && loaded !== undefined
        ? await newestArchives(planned, storages, loaded, context)
        : await givenTargets(given ?? '', { planned, storages, storage: options.storage }, loaded, context);
    if (targets.length === 0) {
      throw new HoldfastError('config.invalid', { message: 'the configuration names nothing that could be drilled' });
    }
    const done: DoneDrill[] = [];
    for (const target of targets) {
      done.push(await drillOne(target, { isScheduled: given === undefined, options, loaded }, context));
      throwIfAborted(context.signal);
    }
    return finish(done, options, context);
  } finally {
    for (const { storage } of storages) await storage.close();
  }
}

/** An archive on disk is drilled without a configuration. */
async function findConfig(isOptional: boolean, context: CommandContext): Promise<LoadedConfig | undefined> {
  const { findConfigFile, loadConfig } = await import('../config/load-config.ts');
  if (isOptional && (await findConfigFile('.')) === undefined) return undefined;
  return await loadConfig('.', context.environment);
}

/** One storage that cannot be opened is told when it is used. */
async function openStorages(
  given: string | undefined,
  { storage }: DrillCommandOptions,
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<OpenedStorage[]> {
  const { access } = await import('node:fs/promises');
  const isPath = given !== undefined && storage === undefined && /[/\\]/.test(given);
  if (
    isPath &&
    (await access(given).then(
      () => true,
      () => false,
    ))
  )
    return [];
  return await openChosenStorages(loaded, storage === undefined ? undefined : [storage], context);
}

interface DrillRun {
  /** All that the configuration names: the job of the schedule. */
  readonly isScheduled: boolean;
  readonly options: DrillCommandOptions;
  readonly loaded: LoadedConfig | undefined;
}

/** What fails is told, and stands in what it gives. */
async function drillOne(target: DrillTarget, run: DrillRun, context: CommandContext): Promise<DoneDrill> {
  const { loaded } = run;
  let done: DoneDrill;
  try {
    if (target.error !== undefined) throw target.error;
    done = { target, report: await drillRecorded(target, run, context) };
  } catch (error) {
    throwIfAborted(context.signal);
    done = { target, error: toHoldfastError(error) };
  }
  const { report, error } = done;
  if (report?.isProven === true) return done;
  const { drillFailure } = await import('../operation/run-outcomes.ts');
  const { drillNotification } = await import('../notify/run-notifications.ts');
  const failure = error ?? (report && drillFailure(report)) ?? new HoldfastError('drill.failed');
  const listed = failure.context['differences'];
  const reasons = error === undefined && Array.isArray(listed) ? listed.map(String) : [failure.message];
  const archive = target.name === undefined ? undefined : `${target.storage}: ${target.name}`;
  await notify(loaded, context, (given) => [
    drillNotification({ what: target.what, archive, reasons, hint: failure.hint }, given),
  ]);
  return { ...done, error: failure };
}

async function drillRecorded(
  target: DrillTarget,
  { isScheduled, options, loaded }: DrillRun,
  context: CommandContext,
): Promise<DrillReport> {
  const { location = '', storage, series: database } = target;
  const { drillBackup } = await import('../operation/drill.ts');
  const { drillOutcome } = await import('../operation/run-outcomes.ts');
  const { drillJob } = await import('../config/job-names.ts');
  const recorded = recordedArchive(location, storage);
  const job = isScheduled ? drillJob : undefined;
  return await withRecord(
    context,
    { kind: 'drill', archives: [recorded], json: options.json, loaded, ...withoutUndefined({ database, job }) },
    async (run) => {
      const drillOptions = await optionsFor(target, options, loaded, context);
      return await drillBackup({ ...drillOptions, ...run });
    },
    (report) => drillOutcome(recorded, report),
  );
}

async function optionsFor(
  { location = '', database }: DrillTarget,
  options: DrillCommandOptions,
  loaded: LoadedConfig | undefined,
  context: CommandContext,
): Promise<DrillOptions> {
  const { config = {} as HoldfastConfig, file = '.' } = loaded ?? {};
  const { drill: settings = {}, databases = [], encryptionKey } = config;
  const besideConfig = (paths: readonly string[] = []) => paths.map((path) => resolve(dirname(file), path));
  const keyOptions: OpenKeyOptions = {
    ...options,
    identityFile: options.identityFile ?? besideConfig(settings.identityFiles),
    openpgpKey: options.openpgpKey ?? besideConfig(settings.openpgpKeys),
    ...(encryptionKey === undefined ? {} : { configuredKey: new Secret(encryptionKey) }),
  };
  const url = settings.url === undefined ? undefined : [settings.url].flat();
  const { connections, threads } = options;
  const folder =
    options.temporaryFolder ??
    besideConfig(settings.temporaryFolder === undefined ? [] : [settings.temporaryFolder])[0];
  return {
    archive: location,
    ...(await keysFor(location, keyOptions, context)),
    ...withoutUndefined({ servers: options.to ?? url, database, temporaryFolder: folder, connections, threads }),
    databases: Object.fromEntries(databases.map(({ alias, url: from }) => [alias, from])),
    checks: settings.checks ?? [],
    limitMs: (settings.timeoutMinutes ?? defaultLimitMinutes) * 60_000,
    timeoutMs: (settings.checkTimeoutSeconds ?? 60) * 1000,
  };
}

async function keysFor(
  archive: DrillOptions['archive'],
  options: OpenKeyOptions,
  context: CommandContext,
): Promise<Pick<DrillOptions, 'keys' | 'plainKeys'>> {
  const { isPlainDump } = await import('../operation/plain-restore.ts');
  if (await isPlainDump(archive)) {
    return { plainKeys: await plainOpenKeys(archive, options, context) };
  }
  const keys = await openKeys(archive, options, context);
  return keys === undefined ? {} : { keys };
}

/** Prints what came of it. What could not be removed again makes the exit code 3. */
function finish(done: readonly DoneDrill[], { json }: DrillCommandOptions, context: CommandContext): number {
  const failed = done.filter(({ error }) => error !== undefined);
  const [first] = failed;
  if (first?.error !== undefined && first.report === undefined && done.length === 1) throw first.error;
  if (json) printJson(context, asJson(done, failed));
  else printDrills(done, context);
  if (failed.length > 0) return 1;
  return done.some(({ report }) => (report?.leftovers.length ?? 0) > 0) ? 3 : 0;
}

function asJson(done: readonly DoneDrill[], failed: readonly DoneDrill[]): object {
  const told = ({ code, message, hint }: HoldfastError) => ({ code, message, hint });
  const drills = done.map(({ target, report, error }) => {
    const { what, storage, name, series: database } = target;
    return {
      archive: name ?? what,
      ...withoutUndefined({ storage, database }),
      ...report,
      ...(error && { error: told(error) }),
    };
  });
  const [first] = failed;
  return { drills, ...(first?.error && { error: told(first.error) }) };
}
