import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { BackupCommandOptions } from './backup-request.ts';
import type { SourceRequest } from './collect-sources.ts';
import type { CommandContext } from './command-context.ts';
import { notify } from './notify-run.ts';
import { toHoldfastError } from './print-error.ts';
import { findHistory, recordIn } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

/**
 * A backup that the configuration names and that could not even be begun, since a source or a storage refuses its settings: it is a run that failed, and
 * told as such; recorded once for each name that retention knows its archives by, which are all held then. Where the configuration itself cannot be
 * read nobody is known who could be told; what was mistyped on a command line its writer sees.
 */
export async function recordUnbegun(
  thrown: unknown,
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { url, files, command, media, output, dryRun, scheduledAt } = options;
  const isSaid = [url, files, command, media, output].some((given) => given !== undefined);
  const error = toHoldfastError(thrown);
  if (isSaid || dryRun === true || error.code === 'operation.interrupted') return;
  const found = await jobOf(options, context);
  if (found === undefined) return;
  const { loaded, job } = found;
  const record = { kind: 'backup', json: true, job, ...withoutUndefined({ scheduledMs: scheduledAt }) } as const;
  const fail = () => Promise.reject(error);
  const history = await findHistory(loaded, context);
  try {
    // What is refused may be just what the names are made of: the run is recorded all the same.
    const series = await unbegunSeries(loaded, options, context).catch(() => []);
    for (const database of series.length > 0 ? series : [undefined]) {
      const named = { ...record, ...withoutUndefined({ database }) };
      await recordIn(history, context, named, fail, () => ({ state: 'failed', archives: [] })).catch((failure) => {
        if (failure !== error) throw failure;
      });
    }
  } finally {
    await history?.close();
  }
  const { failureNotification } = await import('../notify/run-notifications.ts');
  await notify(loaded, context, (given) => [failureNotification(`the job ${job}`, error, given)]);
}

/** What `{database}` would have stood for. Databases are not made, since one of them may be what is refused: of a configuration each has a name. */
async function unbegunSeries(
  loaded: LoadedConfig,
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<string[]> {
  const { archiveNameOf, seriesOf, seriesOfNames } = await import('./backup-names.ts');
  const { configFor, configuredSources } = await import('./backup-request.ts');
  const { mediaRequests } = await import('./media-requests.ts');
  const { isTree } = await import('./collect-sources.ts');
  const asked = { ...loaded, config: await configFor(loaded.config, options) };
  const sources = [...configuredSources(asked), ...mediaRequests(asked, undefined, context)];
  const isPlain = (source: SourceRequest) =>
    'url' in source && (options.format ?? source.format ?? asked.config.format) === 'plain';
  const archived = sources.filter((source) => !isPlain(source));
  const namesOf = (some: readonly SourceRequest[]) =>
    some.flatMap((source) => (isTree(source) || source.name === undefined ? [] : [source.name]));
  const named = [namesOf(archived), ...namesOf(sources.filter(isPlain)).map((name) => [name])];
  const found = named.filter((names) => names.length > 0).map((names) => seriesOfNames(names, loaded, context));
  const isOfTrees = archived.length > 0 && archived.every(isTree);
  if (isOfTrees) found.push(archiveNameOf(archived, loaded, context).then((name) => seriesOf(name, loaded, context)));
  return (await Promise.all(found)).filter((series) => series !== undefined);
}

/** Undefined where the configuration says of no such job. */
async function jobOf(
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<{ readonly loaded: LoadedConfig; readonly job: string } | undefined> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { mainJob } = await import('../config/job-names.ts');
  const { configuredJobs } = await import('../config/scheduled-jobs.ts');
  const { job = mainJob } = options;
  try {
    const loaded = await loadConfig('.', context.environment);
    const isKnown = configuredJobs(loaded.config).some(({ name }) => name === job);
    return isKnown && loaded.config.enabled !== false ? { loaded, job } : undefined;
  } catch (error) {
    // It is what the backup itself fails by, and tells.
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
