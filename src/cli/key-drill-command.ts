import type { Command } from 'commander';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { WritableLocation } from '../operation/location.ts';
import type { OpenKeys } from '../operation/options.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount, printable } from './format-value.ts';
import { addOpenKeyOptions, gather, givenOpenKeys, type OpenKeyOptions } from './key-options.ts';
import { type OpenedStorage, withArchive, withStorages } from './open-storages.ts';
import { toHoldfastError } from './print-error.ts';
import { formatTable, printJson, printLines } from './print-result.ts';

interface DrillOptions extends OutputOptions, Omit<OpenKeyOptions, 'storage'> {
  readonly storage?: readonly string[];
}

/** What a key did to one archive. */
interface DrilledArchive {
  /** Empty where a storage has none. */
  readonly archive: string;
  readonly storage?: string;
  /** Which key was tried; absent where it did not come to that. */
  readonly key?: string;
  readonly isOpened: boolean;
  readonly entryCount?: number;
  readonly error?: HoldfastError;
}

/** Adds `key drill`. */
export function addKeyDrillCommand(key: Command, context: CommandContext): void {
  const command = key
    .command('drill')
    .description('prove that a key, or shares of one, opens the newest archive of each storage')
    .argument('[archive]', 'path of an archive, or its name on a storage (the newest one unless given)')
    .option('--storage <name>', 'a storage of holdfast.config.ts (all unless given; repeatable)', gather)
    .option('--json', 'print the result as JSON');
  addOpenKeyOptions(command).action((archive: string | undefined, options: DrillOptions) =>
    drill(archive, options, context),
  );
}

/** A key that is tried by itself. */
interface TriedKey {
  /** For people. */
  readonly name: string;
  readonly keys: OpenKeys;
}

/**
 * The keys that the command line names, each by itself: one that opens says nothing of another. The passphrase of the environment is meant
 * only where none is named, for on most machines it is there.
 */
async function keysToTry(options: OpenKeyOptions, context: CommandContext): Promise<TriedKey[]> {
  const { shareFile, identityFile, passphraseFile, passphrase } = options;
  const named: readonly (readonly [string, OpenKeyOptions])[] = [
    ...(shareFile === undefined ? [] : [['the shares', { shareFile }] as const]),
    ...(identityFile ?? []).map((path) => [path, { identityFile: [path] }] as const),
    ...(passphraseFile === undefined ? [] : [[passphraseFile, { passphraseFile }] as const]),
    ...(passphrase === undefined ? [] : [['the passphrase', { passphrase }] as const]),
  ];
  const bare = { ...context, environment: { ...context.environment, HOLDFAST_PASSPHRASE: undefined } };
  const tried: TriedKey[] = [];
  for (const [name, given] of named) {
    const keys = await givenOpenKeys(given, bare);
    if (keys !== undefined) tried.push({ name, keys });
  }
  // A key of the configuration is no proof: it is lost together with the machine.
  const ofEnvironment = tried.length === 0 ? await givenOpenKeys({}, context) : undefined;
  if (ofEnvironment !== undefined) tried.push({ name: '$HOLDFAST_PASSPHRASE', keys: ofEnvironment });
  if (tried.length > 0) return tried;
  throw new HoldfastError('key.missing', {
    message: 'there is no key to try',
    hint: 'give --share-file, --identity-file or --passphrase-file',
  });
}

async function drill(archive: string | undefined, options: DrillOptions, context: CommandContext): Promise<void> {
  const { storage: names, json, ...keyOptions } = options;
  const keys = await keysToTry(keyOptions, context);
  const drilled =
    archive === undefined
      ? await withStorages(names, context, (storages) => drillNewest(storages, keys, context))
      : await withArchive(archive, names?.[0], context, (location) => tryKeys({ archive, location, keys }, context));
  if (json) printJson(context, { archives: drilled.map(toJson) });
  else printLines(context, formatDrill(drilled, context));
  const failed = drilled.find(({ error }) => error !== undefined)?.error;
  if (failed === undefined) return;
  // One value of JSON is printed, which has the errors.
  if (!json) throw failed;
  context.exitCode = failed.exitCode;
}

/** One storage that fails, or is empty, proves nothing and does not keep the others from it. */
async function drillNewest(
  storages: readonly OpenedStorage[],
  keys: readonly TriedKey[],
  context: CommandContext,
): Promise<DrilledArchive[]> {
  const { listArchives } = await import('../operation/sync.ts');
  const drilled: DrilledArchive[] = [];
  for (const { name: label, storage } of storages) {
    try {
      const [newest] = (await listArchives(storage)).sort((left, right) => right.modifiedMs - left.modifiedMs);
      if (newest === undefined)
        throw new HoldfastError('storage.not_found', { message: `the storage ${label} holds no archive` });
      const { name } = newest;
      const tried = await tryKeys({ archive: name, location: { storage, name }, keys }, context);
      drilled.push(...tried.map((one) => ({ ...one, storage: label })));
    } catch (thrown) {
      throwIfAborted(context.signal);
      drilled.push({ storage: label, archive: '', isOpened: false, error: toHoldfastError(thrown) });
    }
  }
  return drilled;
}

async function tryKeys(
  one: {
    readonly archive: string;
    readonly location: string | WritableLocation;
    readonly keys: readonly TriedKey[];
  },
  context: CommandContext,
): Promise<DrilledArchive[]> {
  const drilled: DrilledArchive[] = [];
  for (const { name, keys } of one.keys) drilled.push({ key: name, ...(await tryKey({ ...one, keys }, context)) });
  return drilled;
}

async function tryKey(
  one: {
    readonly archive: string;
    readonly location: string | WritableLocation;
    readonly keys: OpenKeys;
  },
  { signal }: CommandContext,
): Promise<DrilledArchive> {
  const { openArchive } = await import('../operation/open.ts');
  const { archive, location, keys } = one;
  try {
    await using opened = await openArchive({ archive: location, keys, signal });
    if (opened.summary.encryption === 'none') {
      throw new HoldfastError('usage.invalid', { message: `${archive} is not encrypted: it proves nothing of a key` });
    }
    let entryCount = 0;
    for await (const _ of opened.entries()) entryCount++;
    return { archive, isOpened: true, entryCount };
  } catch (thrown) {
    throwIfAborted(signal);
    return { archive, isOpened: false, error: toHoldfastError(thrown) };
  }
}

function toJson({ error, ...drilled }: DrilledArchive): object {
  return error === undefined ? drilled : { ...drilled, error: { code: error.code, message: error.message } };
}

function formatDrill(drilled: readonly DrilledArchive[], context: CommandContext): string[] {
  return formatTable(
    context,
    ['storage', 'archive', 'key', 'outcome'],
    drilled.map(({ storage = '', archive, key = '', entryCount, error }) => {
      const outcome = error === undefined ? `opens it: ${formatCount(entryCount ?? 0)} entries` : error.message;
      return [storage, archive, key, outcome].map(printable);
    }),
  );
}
