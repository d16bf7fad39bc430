import { join } from 'node:path';
import type { HoldfastConfig } from '../config/config-schema.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { BackupOptions, BackupOutput } from '../operation/options.ts';
import type { SourceRequest } from './collect-sources.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import type { SealKeyOptions } from './key-options.ts';
import type { OpenedStorage } from './open-storages.ts';
import { historyFiles } from './record.ts';
import { requestedSources, type SourceOptions } from './source-options.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What the command line of `holdfast backup` says. */
export interface BackupCommandOptions extends OutputOptions, SealKeyOptions, SourceOptions {
  readonly output?: string;
  readonly storage?: readonly string[];
  readonly compression?: NonNullable<BackupOptions['compression']>;
  readonly encryption?: NonNullable<BackupOptions['encryption']>;
  readonly copies?: number;
  readonly verify?: NonNullable<BackupOptions['verify']>;
  readonly threads?: number;
  readonly temporaryFolder?: string;
  readonly previous?: string;
  readonly identityFile?: readonly string[];
  /** Percent. */
  readonly allowedFall?: number;
  /** A job of the schedule. */
  readonly job?: string;
  readonly dryRun?: boolean;
}

/** Outputs that hold one archive: a path, or storages that are fed at once. */
export interface OutputGroup {
  readonly output: string | readonly BackupOutput[];
  readonly copies: number | undefined;
  readonly parityBlocks?: number | undefined;
}

/** A backup to make: the command line, and what it leaves open from the configuration. */
export interface BackupRequest {
  readonly sources: readonly SourceRequest[];
  /** One for each number of copies and parity blocks, since these are sealed into an archive. */
  readonly groups: readonly OutputGroup[];
  /** The places, for people. */
  readonly labels: readonly string[];
  /** What is unsafe about the storages. */
  readonly warnings: readonly string[];
  /** Outputs on local disk, which no source may read. */
  readonly localPaths: readonly string[];
  readonly options: BackupCommandOptions;
  /** The configuration, where one was read. */
  readonly loaded?: LoadedConfig;
  /** What the configuration names is backed up to where it says: the job that does so by schedule. */
  readonly job?: string;
  /** What the archives are named for, where names tell. */
  readonly database?: string;
  /** Closes the storages. */
  close(): Promise<void>;
}

/**
 * Completes the command line. With sources and an output on it no configuration is read, so that a command means the same in every
 * folder; else what is missing comes from the configuration. Throws `usage.invalid`, `config.not_found`, `config.invalid`.
 */
export async function completeRequest(options: BackupCommandOptions, context: CommandContext): Promise<BackupRequest> {
  const sources = requestedSources(options);
  const { output, storage } = options;
  if (output !== undefined && storage !== undefined) {
    throw new HoldfastError('usage.invalid', {
      message: '--output and --storage both say where the archive goes',
      hint: 'give one of them',
    });
  }
  if (sources.length > 0 && options.job !== undefined) {
    throw new HoldfastError('usage.invalid', {
      message: '--job and the sources both say what is backed up',
      hint: 'give one of them',
    });
  }
  if (sources.length > 0 && output !== undefined) return { sources, ...toPath(output, options), options };
  if (sources.length > 0 && storage === undefined) {
    throw new HoldfastError('usage.invalid', {
      message: 'it is not said where the archive goes',
      hint: 'give --output shop.holdfast, or --storage with a name of the configuration',
    });
  }
  return fromConfig(sources, options, context);
}

function toPath(output: string, { copies }: BackupCommandOptions): Omit<BackupRequest, 'sources' | 'options'> {
  return {
    groups: [{ output, copies }],
    labels: [output],
    warnings: [],
    localPaths: [output],
    close: async () => undefined,
  };
}

async function fromConfig(
  given: readonly SourceRequest[],
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<BackupRequest> {
  const { loadConfig } = await import('../config/load-config.ts');
  const whole = await loadConfig('.', context.environment);
  const { file } = whole;
  const config = await configFor(whole.config, options);
  const sources = given.length > 0 ? given : configuredSources(config);
  if (sources.length === 0) {
    throw new HoldfastError('source.empty', {
      message: `${file} names no databases and no files`,
      hint: 'add databases or files to it, or enable them',
    });
  }
  const { compression, encryption, copies, recipients, allowedFallPercent: allowedFall } = config;
  const recipient = encryption === 'none' ? undefined : recipients;
  const settings = { compression, encryption, copies, recipient, allowedFall };
  const completed: BackupCommandOptions = { ...(settings as BackupCommandOptions), ...options };
  const loaded = { config, file };
  if (options.output !== undefined) {
    return withoutHistory({ sources, ...toPath(options.output, completed), options: completed, loaded });
  }
  const name = await nameOf(sources, config, context);
  const places = await toStorages(loaded, name, completed, context);
  const database = await seriesOf(name, config, context);
  const { mainJob } = await import('../config/scheduled-jobs.ts');
  const job = given.length > 0 ? undefined : (options.job ?? mainJob);
  const request = { sources, ...places, options: completed, loaded, ...withoutUndefined({ job, database }) };
  return withoutHistory(request);
}

async function configFor(config: HoldfastConfig, { job }: BackupCommandOptions): Promise<HoldfastConfig> {
  if (job === undefined) return config;
  const { configOfJob } = await import('../config/scheduled-jobs.ts');
  return configOfJob(config, job);
}

/** The history is written during the run, and is no part of what is backed up. */
function withoutHistory(request: BackupRequest & { readonly loaded: LoadedConfig }): BackupRequest {
  return { ...request, localPaths: [...request.localPaths, ...historyFiles(request.loaded)] };
}

async function seriesOf(name: string, config: HoldfastConfig, context: CommandContext): Promise<string | undefined> {
  const { archiveSeriesReader } = await import('../policy/archive-series.ts');
  const { defaultFilenameTemplate, environmentInName } = await import('../config/archive-name.ts');
  const { configuredEnvironment } = await import('../config/configured-environment.ts');
  const environment = environmentInName(configuredEnvironment(config, context.environment));
  return archiveSeriesReader({ template: config.filenameTemplate ?? defaultFilenameTemplate, environment })?.(name)
    ?.database;
}

async function nameOf(
  sources: readonly SourceRequest[],
  config: HoldfastConfig,
  context: CommandContext,
): Promise<string> {
  const { archiveName, defaultFilenameTemplate } = await import('../config/archive-name.ts');
  const { configuredEnvironment } = await import('../config/configured-environment.ts');
  const { collectSources } = await import('./collect-sources.ts');
  const named = await collectSources(sources, []);
  const databases = named.slice(0, sources.filter((source) => !('path' in source)).length);
  return archiveName(config.filenameTemplate ?? defaultFilenameTemplate, {
    names: (databases.length > 0 ? databases : named).map((source) => source.name),
    createdMs: context.clock.nowMs(),
    environment: configuredEnvironment(config, context.environment),
  });
}

/** Opens the storages that are meant; of several, one that cannot be opened is an output that fails. */
async function toStorages(
  loaded: LoadedConfig,
  name: string,
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<Omit<BackupRequest, 'sources' | 'options'>> {
  const { openChosenStorages } = await import('./open-storages.ts');
  const opened = await openChosenStorages(loaded, options.storage, context);
  const free = await freeName(name, opened);
  const groups = new Map<string, { output: BackupOutput[] } & Omit<OutputGroup, 'output'>>();
  for (const { name: label, storage, parityBlocks, copies = options.copies } of opened) {
    const key = `${copies}/${parityBlocks}`;
    const group = groups.get(key) ?? { output: [], copies, parityBlocks };
    group.output.push({ storage, name: free, label });
    groups.set(key, group);
  }
  const isLocal = ({ storage }: OpenedStorage) => storage.properties.backend === 'local';
  return {
    groups: [...groups.values()],
    labels: opened.map(({ folder, storage }) => (folder === undefined ? storage.url(free) : join(folder, free))),
    warnings: opened.flatMap((one) => one.storage.properties.warnings.map((warning) => `${one.name}: ${warning}`)),
    localPaths: opened.filter(isLocal).map(({ storage }) => storage.url(free)),
    close: async () => {
      for (const { storage } of opened) await storage.close();
    },
  };
}

/** The sources that a configuration names and does not disable: databases and commands first. */
function configuredSources(config: HoldfastConfig): SourceRequest[] {
  const isEnabled = ({ enabled }: { readonly enabled?: boolean | undefined }) => enabled !== false;
  const databases = (config.databases ?? [])
    .filter(isEnabled)
    .map(({ alias, enabled: _, scheduleOverride: _override, ...settings }) => {
      return { name: alias, ...withoutUndefined(settings) };
    });
  const commands = (config.commands ?? []).filter(isEnabled).map(({ alias, enabled: _, ...settings }) => {
    return { name: alias, ...withoutUndefined(settings) };
  });
  const files = (config.files ?? []).map((item) =>
    typeof item === 'string' ? { path: item } : withoutUndefined(item),
  );
  return [...databases, ...commands, ...files];
}

/** Two runs within a second have one name: the later one must not replace the earlier. */
async function freeName(name: string, storages: readonly OpenedStorage[]): Promise<string> {
  let free = name;
  for (let number = 2; await isTaken(free, storages); number++) {
    free = name.replace(/\.holdfast$/, `-${number}.holdfast`);
  }
  return free;
}

async function isTaken(name: string, storages: readonly OpenedStorage[]): Promise<boolean> {
  const taken = storages.map(async ({ storage }) => {
    try {
      await storage.stat(name);
      return true;
    } catch (error) {
      // A storage that does not answer takes no part; where it is the only one the run tells.
      if (error instanceof HoldfastError) return false;
      throw error;
    }
  });
  return (await Promise.all(taken)).includes(true);
}
