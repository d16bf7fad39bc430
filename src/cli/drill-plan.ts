/** Which archives a drill takes: the newest of each that the configuration names, or those that are asked for. */
import { access } from 'node:fs/promises';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { ArchiveLocation } from '../operation/options.ts';
import { archiveNameOf, plainNameOf, seriesOf } from './backup-names.ts';
import { configuredSources } from './backup-request.ts';
import type { DatabaseRequest, SourceRequest } from './collect-sources.ts';
import type { CommandContext } from './command-context.ts';
import type { OpenedStorage } from './open-storages.ts';
import { toHoldfastError } from './print-error.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Backups of one name, as the configuration makes them. */
export interface PlannedSeries {
  /** What `{database}` stands for in their names. */
  readonly series: string;
  /** What else they may be called: the job, and the databases in them. */
  readonly names: readonly string[];
  /** Of a plain dump: the alias of its database. */
  readonly database?: string;
}

/** An archive to drill, or why there is none. */
export interface DrillTarget {
  /** For people: what is backed up, or the archive as it was given. */
  readonly what: string;
  readonly series?: string;
  readonly storage?: string;
  readonly name?: string;
  readonly database?: string;
  readonly location?: ArchiveLocation;
  readonly error?: HoldfastError;
}

/** All backups that a configuration makes, by name. */
export async function plannedSeries(loaded: LoadedConfig, context: CommandContext): Promise<PlannedSeries[]> {
  const { configOfJob, configuredJobs } = await import('../config/scheduled-jobs.ts');
  const { config } = loaded;
  const planned: PlannedSeries[] = [];
  const isPlain = (request: SourceRequest): request is DatabaseRequest =>
    'url' in request && (request.format ?? config.format) === 'plain';
  const aliasOf = (request: SourceRequest) => ('name' in request ? request.name : undefined);
  for (const { name: job } of configuredJobs(config)) {
    const sources = configuredSources({
      ...loaded,
      databaseCount: config.databases?.length ?? 0,
      config: configOfJob(config, job),
    });
    const archived = sources.filter((request) => !isPlain(request));
    if (archived.length > 0) {
      const series = await seriesOf(await archiveNameOf(archived, loaded, context), loaded, context);
      const names = [job, ...archived.map(aliasOf)].filter((name) => name !== undefined);
      if (series !== undefined) planned.push({ series, names });
    }
    for (const request of sources.filter(isPlain)) {
      const { compression, encryption } = config;
      const options = withoutUndefined({ compression, encryption });
      const series = await seriesOf(await plainNameOf(request, loaded, options, context), loaded, context);
      const database = request.name;
      if (series !== undefined)
        planned.push({ series, names: [job, database ?? series], ...withoutUndefined({ database }) });
    }
  }
  return planned;
}

/** The newest archive of each, of all storages; of two that are alike the one on the storage that comes first. */
export async function newestArchives(
  planned: readonly PlannedSeries[],
  storages: readonly OpenedStorage[],
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<DrillTarget[]> {
  const newest = new Map<string, { readonly target: DrillTarget; readonly createdMs: number }>();
  let failure: HoldfastError | undefined;
  const read = await seriesReader(loaded, context);
  for (const { name: label, storage } of storages) {
    try {
      for await (const { name, sizeBytes } of storage.list()) {
        throwIfAborted(context.signal);
        const found = sizeBytes > 0 ? read(name) : undefined;
        if (found === undefined || found.createdMs <= (newest.get(found.database)?.createdMs ?? -1)) continue;
        const { database: series, createdMs } = found;
        const target = { what: series, series, storage: label, name, location: { storage, name } };
        newest.set(series, { target, createdMs });
      }
    } catch (error) {
      throwIfAborted(context.signal);
      failure ??= toHoldfastError(error);
    }
  }
  return planned.map(({ series, database }) => {
    const target = newest.get(series)?.target;
    if (target !== undefined) return { ...target, ...withoutUndefined({ database }) };
    const missing = new HoldfastError('storage.not_found', {
      message: `there is no backup of ${series} to drill`,
      hint: 'make one with `holdfast backup`',
    });
    return { what: series, series, error: failure ?? missing };
  });
}

async function seriesReader({ config }: LoadedConfig, context: CommandContext) {
  const { archiveSeriesReader } = await import('../policy/archive-series.ts');
  const { defaultFilenameTemplate, environmentInName } = await import('../config/archive-name.ts');
  const { configuredEnvironment } = await import('../config/configured-environment.ts');
  const environment = environmentInName(configuredEnvironment(config, context.environment));
  const template = config.filenameTemplate ?? defaultFilenameTemplate;
  return archiveSeriesReader({ template, environment }) ?? (() => undefined);
}

/** What an argument means: a name that backups have, an archive on a storage, or a path. */
export async function givenTargets(
  given: string,
  {
    planned,
    storages,
    storage,
  }: {
    readonly planned: readonly PlannedSeries[];
    readonly storages: readonly OpenedStorage[];
    /** `--storage`. */
    readonly storage: string | undefined;
  },
  loaded: LoadedConfig | undefined,
  context: CommandContext,
): Promise<DrillTarget[]> {
  const chosen = planned.filter(({ series, names }) => series === given || names.includes(given));
  if (loaded !== undefined && chosen.length > 0) return await newestArchives(chosen, storages, loaded, context);
  if (storage === undefined && (await isThere(given))) return [{ what: given, location: given }];
  for (const { name: label, storage: one } of storages) {
    try {
      await one.stat(given);
    } catch (error) {
      if (storage !== undefined || !(error instanceof HoldfastError)) throw error;
      continue;
    }
    const series = loaded && (await seriesOf(given, loaded, context));
    const database = planned.find((known) => known.series === series)?.database;
    const location = { storage: one, name: given };
    return [{ what: given, storage: label, name: given, location, ...withoutUndefined({ series, database }) }];
  }
  throw new HoldfastError('storage.not_found', {
    message: `${given} is neither an archive nor the name of a backup`,
    hint:
      planned.length > 0 ? `there are backups of ${planned.map(({ series }) => series).join(', ')}` : 'check the path',
  });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
