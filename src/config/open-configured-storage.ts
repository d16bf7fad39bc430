import { HoldfastError } from '../errors.ts';
import { isStorage } from '../storage/is-storage.ts';
import { SpreadStorage } from '../storage/spread/spread-storage.ts';
import type { Storage } from '../storage/storage.ts';
import type { ConfiguredStorage, SpreadGiven } from './configured-storages.ts';
import { type OpenStorageOptions, openStorage } from './open-storage.ts';
import type { StorageGiven } from './storage-settings.ts';

/** Told of each storage that is opened, and gives the one to use for it. */
type Wrap = (name: string, storage: Storage) => Storage;

/** Whether archives are laid over others there. */
export function isSpreadGiven(given: StorageGiven | SpreadGiven): given is SpreadGiven {
  return !isStorage(given) && given.backend === 'spread';
}

/**
 * Opens a storage of a configuration; of one that is spread over others, those of them that cannot be opened fail when they are used. Throws what
 * {@link openStorage} throws.
 */
export async function openConfiguredStorage(
  { name, given }: ConfiguredStorage,
  options: OpenStorageOptions,
  wrap: Wrap = (_, storage) => storage,
): Promise<Storage> {
  if (!isSpreadGiven(given)) return wrap(name, await openStorage(given, options));
  const members: { label: string; storage: Storage }[] = [];
  try {
    for (const member of given.members) {
      members.push({ label: member.name, storage: wrap(member.name, await openMember(member, options)) });
    }
  } catch (error) {
    for (const { storage } of members) await storage.close();
    throw error;
  }
  const { clock, random, wait } = options;
  const timing = { ...(clock && { clock }), ...(random && { random }), ...(wait && { wait }) };
  return new SpreadStorage({ shape: given.shape, members, ...timing });
}

async function openMember({ name, given, enabled }: ConfiguredStorage, options: OpenStorageOptions): Promise<Storage> {
  if (isSpreadGiven(given)) throw new HoldfastError('config.invalid', { message: `${name} is spread itself` });
  if (!enabled) {
    const error = new HoldfastError('storage.unavailable', { message: `${name} is not enabled`, hint: 'enable it' });
    return unopenedStorage(isStorage(given) ? name : given.backend, name, error);
  }
  try {
    return await openStorage(given, options);
  } catch (error) {
    const isMistake = error instanceof HoldfastError && error.code === 'config.invalid';
    if (isMistake || isStorage(given)) throw error;
    return unopenedStorage(given.backend, name, error);
  }
}

/** Stands for a storage that could not be opened: every use tells why. */
export function unopenedStorage(backend: string, name: string, error: unknown): Storage {
  const fail = async (): Promise<never> => {
    throw error;
  };
  return {
    properties: { backend, place: name, warnings: [], usesSpool: false },
    writer: fail,
    open: fail,
    stat: fail,
    list: () => ({ [Symbol.asyncIterator]: () => ({ next: fail }) }),
    delete: fail,
    url: (object) => `${name}: ${object}`,
    close: async () => undefined,
  };
}
