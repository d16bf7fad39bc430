import type { SpreadShape } from '../archive/spread/shard-format.ts';
import { HoldfastError } from '../errors.ts';
import { isStorage } from '../storage/is-storage.ts';
import type { HoldfastConfig } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';
import { spreadName, spreadStorageNames } from './protection-settings.ts';
import { namedStorages, type StorageGiven } from './storage-settings.ts';

/** Archives that are laid over other storages of the configuration. */
export interface SpreadGiven {
  readonly backend: 'spread';
  readonly shape: SpreadShape;
  /** In the order of the shards. */
  readonly members: readonly ConfiguredStorage[];
  readonly readOnly?: undefined;
}

/** A storage of a configuration. */
export interface ConfiguredStorage {
  readonly name: string;
  readonly given: StorageGiven | SpreadGiven;
  /** Whether it takes shards of archives that are spread: then it is used by name alone. */
  readonly isShard?: boolean;
  readonly enabled: boolean;
  /** How often an archive holds everything there, where the storage sets it. */
  readonly copies: number | undefined;
  /** Parity blocks of a stripe there, where the storage sets them. */
  readonly parityBlocks: number | undefined;
}

/** The folder that archives go to where a configuration names no storage. */
const defaultStorage = { backend: 'local' } as const;

/** All storages of a configuration: one alone is called by its backend. Where archives are spread, that comes first, as a storage of its own. */
export function configuredStorages(config: HoldfastConfig): ConfiguredStorage[] {
  const all = givenStorages(config);
  const spread = config.protection?.spread;
  if (spread === undefined) return all;
  const names = spreadStorageNames(config);
  const members = names.flatMap((name) => all.filter((storage) => storage.name === name));
  const given: SpreadGiven = { backend: 'spread', shape: { data: spread.data, parity: spread.parity }, members };
  const marked = all.map((one) => (names.includes(one.name) ? { ...one, isShard: true } : one));
  return [{ name: spreadName, given, enabled: true, copies: 1, parityBlocks: undefined }, ...marked];
}

function givenStorages(config: HoldfastConfig): ConfiguredStorage[] {
  return namedStorages(config.storage ?? defaultStorage).map(([name, given]) => ({
    name,
    given,
    enabled: isStorage(given) || given.enabled !== false,
    copies: isStorage(given) ? undefined : given.copies,
    parityBlocks: isStorage(given) ? undefined : given.parityBlocks,
  }));
}

/** The storages with these names, whether they are enabled or not; all enabled ones that hold whole archives where none is named. Throws `config.invalid`, `usage.invalid`. */
export function chooseStorages(config: HoldfastConfig, names: readonly string[] | undefined): ConfiguredStorage[] {
  const all = configuredStorages(config);
  if (names === undefined) {
    const enabled = all.filter((storage) => storage.enabled && storage.isShard !== true);
    if (enabled.length > 0) return enabled;
    throw new HoldfastError('config.invalid', { message: 'no storage is enabled', hint: 'enable one, or name one' });
  }
  return [...new Set(names)].map((name) => {
    const found = all.find((storage) => storage.name === name);
    if (found !== undefined) return found;
    const known = all.map((storage) => storage.name);
    const nearest = nearestName(name, known);
    throw new HoldfastError('usage.invalid', {
      message: `there is no storage ${name}`,
      hint: nearest === undefined ? `the configuration has ${known.join(', ')}` : `did you mean ${nearest}?`,
      context: { storage: name, storages: known },
    });
  });
}
