import type { Command } from 'commander';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { OpenKeys } from '../operation/options.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount } from './format-value.ts';
import { addOpenKeyOptions, gather, givenOpenKeys, type OpenKeyOptions } from './key-options.ts';
import { type OpenedStorage, withArchive, withStorages } from './open-storages.ts';
import { toHoldfastError } from './print-error.ts';
import { formatTable, printJson, printLines } from './print-result.ts';

interface DrillOptions extends OutputOptions, Omit<OpenKeyOptions, 'storage'> {
  readonly storage?: readonly string[];
}

/** What a key did to one archive. */
interface DrilledArchive {
  readonly archive: string;
  readonly storage?: string;
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

async function drill(archive: string | undefined, options: DrillOptions, context: CommandContext): Promise<void> {
  const { storage: names, json, ...keyOptions } = options;
  // A key of the configuration is no proof: it is lost together with the machine.
  const keys = await givenOpenKeys(keyOptions, context);
  if (keys === undefined) {
    throw new HoldfastError('key.missing', {
      message: 'there is no key to try',
      hint: 'give --share-file, --identity-file or --passphrase-file',
    });
  }
  const drilled =
    archive === undefined
      ? await withStorages(names, context, (storages) => drillNewest(storages, keys, context))
      : [await withArchive(archive, names?.[0], context, (location) => tryKey({ archive, location, keys }, context))];
  if (json) printJson(context, { archives: drilled.map(toJson) });
  else printLines(context, formatDrill(drilled, context));
  const failed = drilled.find(({ error }) => error !== undefined)?.error;
  if (failed !== undefined) throw failed;
}

async function drillNewest(
  storages: readonly OpenedStorage[],
  keys: OpenKeys,
  context: CommandContext,
): Promise<DrilledArchive[]> {
  const { listArchives } = await import('../operation/sync.ts');
  const drilled: DrilledArchive[] = [];
  for (const { name: label, storage } of storages) {
    const [newest] = (await listArchives(storage)).sort((left, right) => right.modifiedMs - left.modifiedMs);
    if (newest === undefined)
      throw new HoldfastError('storage.not_found', { message: `the storage ${label} holds no archive` });
    const { name } = newest;
    drilled.push({ ...(await tryKey({ archive: name, location: { storage, name }, keys }, context)), storage: label });
  }
  return drilled;
}

async function tryKey(
  one: {
    readonly archive: string;
    readonly location: Parameters<Parameters<typeof withArchive>[3]>[0];
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
    ['storage', 'archive', 'the key'],
    drilled.map(({ storage = '', archive, entryCount, error }) => {
      const outcome = error === undefined ? `opens it: ${formatCount(entryCount ?? 0)} entries` : error.message;
      return [storage, archive, outcome];
    }),
  );
}
