/** How archives and plain dumps of a configuration are named. */
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { BackupOptions, BackupOutput } from '../operation/options.ts';
import type { DatabaseRequest, SourceRequest } from './collect-sources.ts';
import type { CommandContext } from './command-context.ts';
import type { OpenedStorage } from './open-storages.ts';

/** The name of the archive of these sources. */
export async function archiveNameOf(
  sources: readonly SourceRequest[],
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<string> {
  const { collectSources, isTree } = await import('./collect-sources.ts');
  const named = await collectSources(sources);
  const databases = named.slice(0, sources.filter((source) => !isTree(source)).length);
  const names = (databases.length > 0 ? databases : named).map((source) => source.name);
  return await filledTemplate(names, loaded, context);
}

/** The name of the plain dump of a database. */
export async function plainNameOf(
  request: DatabaseRequest,
  loaded: LoadedConfig,
  options: Pick<BackupOptions, 'compression' | 'encryption'>,
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

/** What `{database}` stands for in a name, as the retention reads it. */
export async function seriesOf(
  name: string,
  { config }: LoadedConfig,
  context: CommandContext,
): Promise<string | undefined> {
  const { archiveSeriesReader } = await import('../policy/archive-series.ts');
  const { defaultFilenameTemplate, environmentInName } = await import('../config/archive-name.ts');
  const { configuredEnvironment } = await import('../config/configured-environment.ts');
  const environment = environmentInName(configuredEnvironment(config, context.environment));
  return archiveSeriesReader({ template: config.filenameTemplate ?? defaultFilenameTemplate, environment })?.(name)
    ?.database;
}

/** The same of an archive of sources with these names, which need not be there. */
export async function seriesOfNames(
  names: readonly string[],
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<string | undefined> {
  return await seriesOf(await filledTemplate(names, loaded, context), loaded, context);
}

/** So many names are tried, each by a run that another one was faster than. */
const maximumNames = 5;

/**
 * Makes an archive under the name of its outputs, or where another run is faster to put one there, from the start under the next name that is free. What is
 * written to a path replaces what stands there, and is made once.
 */
export async function underFreeName<Output extends string | readonly BackupOutput[], Result>(
  output: Output,
  make: (output: Output) => Promise<Result>,
): Promise<Result> {
  const wanted = typeof output === 'string' ? undefined : output[0]?.name;
  let current = output;
  for (let tries = 1; ; tries++) {
    try {
      return await make(current);
    } catch (error) {
      const isTaken = error instanceof HoldfastError && error.code === 'storage.conflict';
      if (!isTaken || typeof current === 'string' || wanted === undefined || tries >= maximumNames) throw error;
      const name = await freeName(wanted, current);
      // It is something else that is in the way.
      if (name === current[0]?.name) throw error;
      current = current.map((each) => ({ ...each, name })) as readonly BackupOutput[] as Output;
    }
  }
}

/** Two runs within a second have one name: the later one must not replace the earlier. */
export async function freeName(
  name: string,
  storages: readonly Pick<OpenedStorage, 'storage'>[],
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

async function isTaken(name: string, storages: readonly Pick<OpenedStorage, 'storage'>[]): Promise<boolean> {
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
