import { dirname, join, resolve } from 'node:path';
import type { HoldfastConfig } from '../config/config-schema.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { BackupOptions, BackupOutput } from '../operation/options.ts';
import { Secret } from '../secret.ts';
import type { ModelSettings } from '../source/model/model-settings.ts';
import { archiveNameOf, freeName, plainNameOf, seriesOf } from './backup-names.ts';
import type { DatabaseRequest, LocalOutputs, SourceRequest } from './collect-sources.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import type { SealKeyOptions } from './key-options.ts';
import { mediaOpeners, mediaRequests } from './media-requests.ts';
import type { OpenedStorage } from './open-storages.ts';
import { OutputStream, standardOutput } from './output-stream.ts';
import { historyFiles } from './record.ts';
import { modelsOf, requestedSources, type SourceOptions } from './source-options.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What the command line of `holdfast backup` says. */
export interface BackupCommandOptions extends OutputOptions, SealKeyOptions, SourceOptions {
  readonly output?: string;
  readonly storage?: readonly string[];
  readonly format?: 'holdfast' | 'plain';
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
  /** The moment that the run is for. */
  readonly scheduledAt?: number;
  /** Puts it into a queue instead. */
  readonly enqueue?: boolean;
  readonly dryRun?: boolean;
  /** False with `--no-hooks`. */
  readonly hooks: boolean;
}

/** Outputs that hold one archive: a path, or storages that are fed at once. */
export interface OutputGroup {
  readonly output: string | readonly BackupOutput[];
  readonly copies: number | undefined;
  readonly parityBlocks?: number | undefined;
}

/** A database that becomes a plain dump: one file of its own. */
export interface PlainJob {
  readonly request: DatabaseRequest;
  readonly output: string | readonly BackupOutput[];
  /** What the file is named for, where its name tells. */
  readonly database?: string;
}

/** A backup to make: the command line, and what it leaves open from the configuration. */
export interface BackupRequest {
  /** What goes into the archive. */
  readonly sources: readonly SourceRequest[];
  readonly plain: readonly PlainJob[];
  /** One for each number of copies and parity blocks, since these are sealed into an archive. */
  readonly groups: readonly OutputGroup[];
  /** The places, for people. */
  readonly labels: readonly string[];
  /** What is unsafe about the storages. */
  readonly warnings: readonly string[];
  readonly local: LocalOutputs;
  readonly options: BackupCommandOptions;
  /** Absent where the command line said all. */
  readonly loaded?: LoadedConfig;
  /** What the configuration names is backed up to where it says: the job that does so by schedule. */
  readonly job?: string;
  /** The moment of the schedule that it is for. */
  readonly scheduledMs?: number;
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
  const { output, storage, media } = options;
  const isSaid = sources.length > 0 || media !== undefined;
  if (output !== undefined && storage !== undefined) {
    throw new HoldfastError('usage.invalid', {
      message: '--output and --storage both say where the archive goes',
      hint: 'give one of them',
    });
  }
  const ofJob = options.job !== undefined ? '--job' : options.scheduledAt !== undefined ? '--scheduled-at' : undefined;
  if (isSaid && ofJob !== undefined) {
    throw new HoldfastError('usage.invalid', {
      message: `${ofJob} and the sources both say what is backed up`,
      hint: 'give one of them',
    });
  }
  if (sources.length > 0 && media === undefined && output !== undefined) return toPath(sources, output, options);
  if (isSaid && output === undefined && storage === undefined) {
    throw new HoldfastError('usage.invalid', {
      message: 'it is not said where the archive goes',
      hint: 'give --output shop.holdfast, or --storage with a name of the configuration',
    });
  }
  return fromConfig(sources, options, context);
}

/** Everything on the command line, or all but the sources. Throws `usage.invalid` for a plain dump of more than one database. */
function toPath(sources: readonly SourceRequest[], output: string, options: BackupCommandOptions): BackupRequest {
  const { copies } = options;
  const isStream = output === standardOutput;
  const local = { paths: isStream ? [] : [output], storageFolders: [] };
  const common = { labels: [output], warnings: [], local, options, close: async () => undefined };
  const { archived, plain } = divide(sources, options.format);
  const [only, ...others] = plain;
  if (isStream) {
    if (only !== undefined) {
      throw new HoldfastError('usage.invalid', {
        message: 'a plain dump cannot be written to the standard output',
        hint: 'give --format holdfast, or a path',
      });
    }
    // What has gone by cannot be read back, nor be written a second time.
    const groups = [{ output: [{ storage: new OutputStream(process.stdout), name: standardOutput }], copies: 1 }];
    return { ...common, options: { ...options, verify: 'none' }, sources: archived, plain: [], groups };
  }
  if (only === undefined) return { ...common, sources: archived, plain: [], groups: [{ output, copies }] };
  if (others.length > 0 || archived.length > 0) {
    throw new HoldfastError('usage.invalid', {
      message: 'a plain dump is a file of one database',
      hint: 'give one --url, or name the databases in the configuration, which names a file for each',
    });
  }
  return { ...common, sources: [], plain: [{ request: only, output }], groups: [] };
}

/** What goes into the archive, and the databases that are plain dumps: the command line goes before what each says. */
function divide(
  sources: readonly SourceRequest[],
  format: BackupCommandOptions['format'],
): { readonly archived: SourceRequest[]; readonly plain: DatabaseRequest[] } {
  const isPlain = (request: SourceRequest): request is DatabaseRequest =>
    'url' in request && (format ?? request.format) === 'plain';
  const withoutFormat = <Request extends SourceRequest>(request: Request): Request => {
    const { format: _, ...rest } = request as Request & { format?: string };
    return rest as Request;
  };
  return {
    archived: sources.filter((request) => !isPlain(request)).map(withoutFormat),
    plain: sources.filter(isPlain).map(withoutFormat),
  };
}

async function fromConfig(
  given: readonly SourceRequest[],
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<BackupRequest> {
  const { loadConfig } = await import('../config/load-config.ts');
  const whole = await loadConfig('.', context.environment);
  if (whole.config.enabled === false) {
    throw new HoldfastError('config.invalid', {
      message: `${whole.file}: enabled is false: nothing is backed up`,
      hint: 'enable it, or give --url or --files and --output',
    });
  }
  const databaseCount = whole.config.databases?.length ?? 0;
  const loaded = { ...whole, databaseCount, config: await configFor(whole.config, options) };
  const { config, file } = loaded;
  const isSaid = given.length > 0 || options.media !== undefined;
  const media = isSaid && options.media === undefined ? [] : mediaRequests(loaded, options.media, context);
  const sources = [...(isSaid ? given : configuredSources(loaded, modelsOf(options))), ...media];
  if (sources.length === 0) {
    throw new HoldfastError('source.empty', {
      message: `${file} names no databases, no files and no media storages`,
      hint: 'add databases or files to it, or enable them',
    });
  }
  const completed = completedOptions(loaded, options);
  const asked = sources.map((request) =>
    'url' in request
      ? { ...withoutUndefined({ format: config.format }), ...withMediaStorages(request, loaded, context) }
      : request,
  );
  if (options.output !== undefined) {
    const { refuseMisplacedOutput } = await import('../config/misplaced-backups.ts');
    refuseMisplacedOutput(config, dirname(file), options.output);
    return withoutHistory({ ...toPath(asked, options.output, completed), loaded });
  }
  const request = await toStorages(loaded, divide(asked, options.format), completed, context);
  const { mainJob } = await import('../config/job-names.ts');
  const job = isSaid ? undefined : (options.job ?? mainJob);
  return withoutHistory({ ...request, loaded, ...withoutUndefined({ job, scheduledMs: options.scheduledAt }) });
}

/** The configuration, with only what the command line asks for. */
export async function configFor(config: HoldfastConfig, { job }: BackupCommandOptions): Promise<HoldfastConfig> {
  if (job === undefined) return config;
  const { configOfJob } = await import('../config/scheduled-jobs.ts');
  return configOfJob(config, job);
}

/** The history is written during the run, and is no part of what is backed up. */
function withoutHistory(request: BackupRequest & { readonly loaded: LoadedConfig }): BackupRequest {
  const { paths, storageFolders } = request.local;
  return { ...request, local: { paths: [...paths, ...historyFiles(request.loaded)], storageFolders } };
}

/** What the command line leaves open, from the configuration. */
function completedOptions({ config, file }: LoadedConfig, options: BackupCommandOptions): BackupCommandOptions {
  const { compression, encryption, copies, recipients, encryptionKey, openpgpKeys } = config;
  const { allowedFallPercent: allowedFall } = config;
  const isEncrypted = encryption !== 'none';
  const settings = {
    compression,
    encryption,
    copies,
    allowedFall,
    recipient: isEncrypted ? recipients : undefined,
    configuredKey: isEncrypted && encryptionKey !== undefined ? new Secret(encryptionKey) : undefined,
    openpgpKey: isEncrypted ? openpgpKeys?.map((path) => resolve(dirname(file), path)) : undefined,
  };
  return { ...(settings as Partial<BackupCommandOptions>), ...options };
}

/** Opens the storages that are meant; of several, one that cannot be opened is an output that fails. */
async function toStorages(
  loaded: LoadedConfig,
  { archived, plain }: ReturnType<typeof divide>,
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<Omit<BackupRequest, 'loaded'>> {
  const { openChosenStorages } = await import('./open-storages.ts');
  const opened = await openChosenStorages(loaded, options.storage, context);
  const close = async () => {
    for (const { storage } of opened) await storage.close();
  };
  try {
    const name =
      archived.length === 0 ? undefined : await freeName(await archiveNameOf(archived, loaded, context), opened);
    const names = name === undefined ? [] : [name];
    const jobs: PlainJob[] = [];
    for (const request of plain) {
      const wanted = await plainNameOf(request, loaded, options, context);
      const free = await freeName(wanted, opened, names);
      names.push(free);
      const output = opened.map(({ name: label, storage }) => ({ storage, name: free, label, createOnly: true }));
      jobs.push({ request, output, ...withoutUndefined({ database: await seriesOf(free, loaded, context) }) });
    }
    const database = name === undefined ? undefined : await seriesOf(name, loaded, context);
    const local = opened.filter(({ storage }) => storage.properties.backend === 'local');
    const storageFolders = local.map(({ storage }) => dirname(storage.url('archive')));
    const labelOf = ({ folder, storage }: OpenedStorage, file: string) =>
      folder === undefined ? storage.url(file) : join(folder, file);
    return {
      sources: archived,
      plain: jobs,
      groups: name === undefined ? [] : groupsOf(name, opened, options),
      labels: names.flatMap((file) => opened.map((one) => labelOf(one, file))),
      warnings: opened.flatMap((one) => one.storage.properties.warnings.map((warning) => `${one.name}: ${warning}`)),
      local: { paths: names.flatMap((file) => local.map(({ storage }) => storage.url(file))), storageFolders },
      ...withoutUndefined({ database }),
      options,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function groupsOf(name: string, opened: readonly OpenedStorage[], options: BackupCommandOptions): OutputGroup[] {
  const groups = new Map<string, { output: BackupOutput[] } & Omit<OutputGroup, 'output'>>();
  for (const { name: label, storage, parityBlocks, copies = options.copies } of opened) {
    const key = `${copies}/${parityBlocks}`;
    const group = groups.get(key) ?? { output: [], copies, parityBlocks };
    group.output.push({ storage, name, label, createOnly: true });
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** A database whose models may name objects of the configuration's media storages: these are opened when they are needed. */
export function withMediaStorages(
  request: DatabaseRequest,
  loaded: LoadedConfig,
  context: CommandContext,
): DatabaseRequest {
  const { models } = request;
  if (models === undefined) return request;
  return { ...request, models: { ...models, files: { ...models.files, storages: mediaOpeners(loaded, context) } } };
}

/**
 * The sources that a configuration names and does not disable: databases and commands first.
 *
 * @param loaded Of a job, with the number of all databases: what is registered may be in one that is another job's.
 * @param asked Of the command line: all databases are read as models, and so.
 */
export function configuredSources(
  { config, file, databaseCount = config.databases?.length ?? 0 }: LoadedConfig & { readonly databaseCount?: number },
  asked?: ModelSettings,
): SourceRequest[] {
  const isEnabled = ({ enabled }: { readonly enabled?: boolean | undefined }) => enabled !== false;
  const enabled = (config.databases ?? []).filter(isEnabled);
  const application = {
    ...withoutUndefined(config.models ?? {}),
    folder: dirname(file),
    storages: Object.keys(config.media ?? {}),
    hasOtherDatabases: databaseCount > 1,
  };
  const databases = enabled.map(({ alias, enabled: _, scheduleOverride: _override, models, ...settings }) => ({
    name: alias,
    ...withoutUndefined(settings),
    ...(models === undefined && asked === undefined
      ? {}
      : { models: { ...withoutUndefined(models ?? {}), ...asked, application } }),
  }));
  const commands = (config.commands ?? []).filter(isEnabled).map(({ alias, enabled: _, ...settings }) => {
    return { name: alias, ...withoutUndefined(settings) };
  });
  const files = (config.files ?? []).map((item) =>
    typeof item === 'string' ? { path: item } : withoutUndefined(item),
  );
  return [...databases, ...commands, ...files];
}
