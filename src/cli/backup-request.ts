import { dirname, join, resolve } from 'node:path';
import type { HoldfastConfig } from '../config/config-schema.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { BackupOptions, BackupOutput } from '../operation/options.ts';
import { Secret } from '../secret.ts';
import type { DatabaseRequest, SourceRequest } from './collect-sources.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import type { SealKeyOptions } from './key-options.ts';
import type { OpenedStorage } from './open-storages.ts';
import { requestedSources, type SourceOptions } from './source-options.ts';
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
  readonly dryRun?: boolean;
  /** False with `--no-hooks`. */
  readonly hooks: boolean;
}

/** Outputs that hold one archive: a path, or storages that are fed at once. */
export interface OutputGroup {
  readonly output: string | readonly BackupOutput[];
  readonly copies: number | undefined;
}

/** A database that becomes a plain dump: one file of its own. */
export interface PlainJob {
  readonly request: DatabaseRequest;
  readonly output: string | readonly BackupOutput[];
}

/** A backup to make: the command line, and what it leaves open from the configuration. */
export interface BackupRequest {
  /** What goes into the archive. */
  readonly sources: readonly SourceRequest[];
  readonly plain: readonly PlainJob[];
  /** One for each number of copies, since that number is sealed into an archive. */
  readonly groups: readonly OutputGroup[];
  /** The places, for people. */
  readonly labels: readonly string[];
  /** Outputs on local disk, which no source may read. */
  readonly localPaths: readonly string[];
  readonly options: BackupCommandOptions;
  /** Absent where the command line said all. */
  readonly loaded?: LoadedConfig;
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
  if (sources.length > 0 && output !== undefined) return toPath(sources, output, options);
  if (sources.length > 0 && storage === undefined) {
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
  const common = { labels: [output], localPaths: [output], options, close: async () => undefined };
  const { archived, plain } = divide(sources, options.format);
  const [only, ...others] = plain;
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
  const loaded = await loadConfig('.', context.environment);
  const { config, file } = loaded;
  if (config.enabled === false) {
    throw new HoldfastError('config.invalid', {
      message: `${file}: enabled is false: nothing is backed up`,
      hint: 'enable it, or give --url or --files and --output',
    });
  }
  const sources = given.length > 0 ? given : configuredSources(config);
  if (sources.length === 0) {
    throw new HoldfastError('source.empty', {
      message: `${file} names no databases and no files`,
      hint: 'add databases or files to it, or enable them',
    });
  }
  const completed = completedOptions(loaded, options);
  const asked = sources.map((request) =>
    'url' in request ? { ...withoutUndefined({ format: config.format }), ...request } : request,
  );
  if (options.output !== undefined) return { ...toPath(asked, options.output, completed), loaded };
  return { ...(await toStorages(loaded, divide(asked, options.format), completed, context)), loaded };
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

/** Opens the storages that are meant; one that cannot be opened is an output that fails. */
async function toStorages(
  loaded: LoadedConfig,
  divided: ReturnType<typeof divide>,
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<Omit<BackupRequest, 'loaded'>> {
  const { openChosenStorages } = await import('./open-storages.ts');
  const { archived, plain } = divided;
  const opened = await openChosenStorages(loaded, options.storage, context);
  const close = async () => {
    for (const { storage } of opened) await storage.close();
  };
  try {
    const names: string[] = [];
    const groups = new Map<number | undefined, BackupOutput[]>();
    if (archived.length > 0) {
      const name = await freeName(await archiveNameOf(archived, loaded, context), opened);
      names.push(name);
      for (const { name: label, storage, copies } of opened) {
        const group = copies ?? options.copies;
        groups.set(group, [...(groups.get(group) ?? []), { storage, name, label }]);
      }
    }
    const jobs: PlainJob[] = [];
    for (const request of plain) {
      const wanted = await plainNameOf(request, loaded, options, context);
      const name = await freeName(wanted, opened, names);
      names.push(name);
      jobs.push({ request, output: opened.map(({ name: label, storage }) => ({ storage, name, label })) });
    }
    const isLocal = ({ storage }: OpenedStorage) => storage.properties.backend === 'local';
    const labelOf = ({ folder, storage }: OpenedStorage, name: string) =>
      folder === undefined ? storage.url(name) : join(folder, name);
    return {
      sources: archived,
      plain: jobs,
      groups: [...groups].map(([copies, output]) => ({ output, copies })),
      labels: names.flatMap((name) => opened.map((one) => labelOf(one, name))),
      localPaths: names.flatMap((name) => opened.filter(isLocal).map(({ storage }) => storage.url(name))),
      options,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function archiveNameOf(
  sources: readonly SourceRequest[],
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<string> {
  const { collectSources } = await import('./collect-sources.ts');
  const named = await collectSources(sources, []);
  const databases = named.slice(0, sources.filter((source) => !('path' in source)).length);
  const names = (databases.length > 0 ? databases : named).map((source) => source.name);
  return await filledTemplate(names, loaded, context);
}

async function plainNameOf(
  request: DatabaseRequest,
  loaded: LoadedConfig,
  options: BackupCommandOptions,
  context: CommandContext,
): Promise<string> {
  const { engineOfUrl } = await import('../source/engines.ts');
  const { plainSourceFromUrl } = await import('../source/parse-url.ts');
  const { plainExtension } = await import('../plain/plain-name.ts');
  const { url, format: _, ...settings } = request;
  const { name } = await plainSourceFromUrl(url, settings);
  const extension = plainExtension({
    content: engineOfUrl(url).plainContent,
    compression: options.compression ?? 'gzip',
    isEncrypted: options.encryption !== 'none',
  });
  return await filledTemplate([name], loaded, context, extension);
}

async function filledTemplate(
  names: readonly string[],
  { config }: LoadedConfig,
  context: CommandContext,
  extension?: string,
): Promise<string> {
  const { archiveName, defaultFilenameTemplate } = await import('../config/archive-name.ts');
  const { configuredEnvironment } = await import('../config/configured-environment.ts');
  const environment = configuredEnvironment(config, context.environment);
  const parts = { names, createdMs: context.clock.nowMs(), environment };
  return archiveName(config.filenameTemplate ?? defaultFilenameTemplate, parts, extension);
}

/** The sources that a configuration names and does not disable: databases and commands first. */
export function configuredSources(config: HoldfastConfig): SourceRequest[] {
  const isEnabled = ({ enabled }: { readonly enabled?: boolean | undefined }) => enabled !== false;
  const databases = (config.databases ?? []).filter(isEnabled).map(({ alias, enabled: _, ...settings }) => {
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
async function freeName(
  name: string,
  storages: readonly OpenedStorage[],
  taken: readonly string[] = [],
): Promise<string> {
  // The extension is all that follows the last part of the template: `.sql.gz.gpg`.
  const end = /\.(?:holdfast|(?:sql|db)(?:\.[a-z0-9]+)*)$/.exec(name)?.[0] ?? '';
  const stem = name.slice(0, name.length - end.length);
  let free = name;
  for (let number = 2; taken.includes(free) || (await isTaken(free, storages)); number++) {
    free = `${stem}-${number}${end}`;
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
