import { basename, dirname } from 'node:path';
import { type Command, Option } from 'commander';
import type { ConfiguredStorage } from '../config/configured-storages.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { WritableLocation } from '../operation/location.ts';
import type { ArchiveLocation } from '../operation/options.ts';
import { isStorage } from '../storage/is-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { logStorage } from '../storage/wrap/log.ts';
import { withCatalogues } from './catalogue-access.ts';
import type { CommandContext } from './command-context.ts';
import { gather } from './key-options.ts';

/** A storage of the configuration, open. */
export interface OpenedStorage {
  readonly name: string;
  readonly storage: Storage;
  readonly copies: number | undefined;
  readonly parityBlocks: number | undefined;
  /** The folder as it stands in the configuration, where it is a local one. */
  readonly folder: string | undefined;
}

/**
 * Opens storages of a configuration: those that are named, else all enabled ones. Of several one that cannot be opened throws when it is
 * used, so that the others can be. Throws `usage.invalid`, `config.invalid`, and of one alone what opening throws.
 */
export async function openChosenStorages(
  { config, file }: LoadedConfig,
  names: readonly string[] | undefined,
  context: CommandContext,
): Promise<OpenedStorage[]> {
  const { chooseStorages } = await import('../config/configured-storages.ts');
  const opened: OpenedStorage[] = [];
  try {
    const chosen = chooseStorages(config, names);
    for (const one of chosen) opened.push(await openOne(one, file, context, chosen.length > 1));
    return withCatalogues(opened, { config, file }, context);
  } catch (error) {
    for (const { storage } of opened) await storage.close();
    throw error;
  }
}

async function openOne(
  chosen: ConfiguredStorage,
  file: string,
  context: CommandContext,
  isOneOfSeveral: boolean,
): Promise<OpenedStorage> {
  const { name, given, copies, parityBlocks } = chosen;
  const { isSpreadGiven, openConfiguredStorage, unopenedStorage } = await import(
    '../config/open-configured-storage.ts'
  );
  const { clock, environment, signal } = context;
  const folder = !isStorage(given) && given.backend === 'local' ? given.path : undefined;
  const open = async () => {
    try {
      const options = { folder: dirname(file), clock, environment, signal };
      return await openConfiguredStorage(chosen, options, (label, storage) => logged(label, storage, context));
    } catch (error) {
      const isMistake = error instanceof HoldfastError && error.code === 'config.invalid';
      if (isMistake || isStorage(given) || isSpreadGiven(given) || !isOneOfSeveral) throw error;
      return logged(name, unopenedStorage(given.backend, name, error), context);
    }
  };
  return { name, storage: await open(), copies, parityBlocks, folder };
}

/** With HOLDFAST_DEBUG=1 every call of a storage is told. */
function logged(label: string, storage: Storage, { stderr, environment, clock }: CommandContext): Storage {
  if (environment['HOLDFAST_DEBUG'] !== '1') return storage;
  const onCall = (call: object) => void stderr.write(`${JSON.stringify({ storage: label, ...call })}\n`);
  return logStorage(storage, { clock, onCall });
}

/** Opens the storages of the configuration in this folder, and closes them after the work. */
export async function withStorages<Result>(
  names: readonly string[] | undefined,
  context: CommandContext,
  work: (storages: readonly OpenedStorage[]) => Promise<Result>,
): Promise<Result> {
  const { loadConfig } = await import('../config/load-config.ts');
  const opened = await openChosenStorages(await loadConfig('.', context.environment), names, context);
  try {
    return await work(opened);
  } finally {
    for (const { storage } of opened) await storage.close();
  }
}

/** One storage by its name. */
export async function withStorage<Result>(
  name: string,
  context: CommandContext,
  work: (opened: OpenedStorage) => Promise<Result>,
): Promise<Result> {
  return await withStorages([name], context, async ([opened]) => {
    if (opened === undefined) throw new HoldfastError('usage.invalid', { message: `there is no storage ${name}` });
    return await work(opened);
  });
}

/** `--storage`, where the argument is an archive. */
export function archiveStorageOption(): Option {
  return new Option('--storage <name>', 'the storage of holdfast.config.ts that the archive is on');
}

/** The archive that an argument means: a path, or with `--storage` the name of an object there. */
export async function withArchive<Result>(
  archive: string,
  storageName: string | undefined,
  context: CommandContext,
  work: (location: string | WritableLocation) => Promise<Result>,
): Promise<Result> {
  if (storageName === undefined) return await work(archive);
  return await withStorage(storageName, context, ({ storage }) => work({ storage, name: archive }));
}

/** Where else an archive is, as the command line says it. */
export interface ReplicaOptions {
  readonly from?: readonly string[];
  readonly fromStorage?: readonly string[];
}

/** Adds `--from` and `--from-storage`. */
export function addReplicaOptions(command: Command): Command {
  return command
    .option('--from <archive>', 'another replica of the same archive to heal from, damaged or not (repeatable)', gather)
    .option('--from-storage <name>', 'a storage that holds one under the same name (repeatable)', gather);
}

/** The replicas: files, and objects of the archive's name on storages. */
export async function withReplicas<Result>(
  archive: string,
  { from, fromStorage }: ReplicaOptions,
  context: CommandContext,
  work: (from: readonly ArchiveLocation[]) => Promise<Result>,
): Promise<Result> {
  if (fromStorage === undefined) return await work(from ?? []);
  return await withStorages(fromStorage, context, (storages) => {
    const isPath = (name: string) => name.startsWith('.') || name.startsWith('/');
    const name = isPath(archive) ? basename(archive) : archive;
    return work([...(from ?? []), ...storages.map(({ storage }) => ({ storage, name }))]);
  });
}
