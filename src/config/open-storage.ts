import { HoldfastError } from '../errors.ts';
import { isStorage } from '../storage/is-storage.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageContext } from '../storage/storage-adapter.ts';
import { readOnlyStorage } from '../storage/wrap/read-only.ts';
import { retryStorage } from '../storage/wrap/retry.ts';
import { throttleStorage } from '../storage/wrap/throttle.ts';
import { type CommonStorageSettings, parseStorage, type StorageGiven } from './storage-settings.ts';
import { formatSettingPath } from './substitute-variables.ts';

/** Options of {@link openStorage}: relative paths start from the current folder unless `folder` is set. */
export type OpenStorageOptions = Partial<StorageContext>;

/**
 * Opens a storage from its settings, with the rate, the repeating and the protection that they name. An object that is a storage already
 * is given back as it is. Throws `config.invalid` and what the adapter throws; close what it gives.
 *
 * @example
 * const storage = await openStorage({ backend: 'local', path: '/mnt/nas/backups', throttle: 20_000_000 });
 * for await (const { name, sizeBytes } of storage.list()) console.log(name, sizeBytes);
 * await storage.close();
 */
export async function openStorage(given: StorageGiven, options: OpenStorageOptions = {}): Promise<Storage> {
  if (isStorage(given)) return given;
  const parsed = parseStorage(given);
  if ('problems' in parsed) {
    const [first] = parsed.problems;
    const where = formatSettingPath(first?.path ?? []);
    throw new HoldfastError('config.invalid', {
      message: `storage: ${where === '' ? '' : `${where}: `}${first?.message ?? 'it is not valid'}`,
      context: { problems: parsed.problems.map(({ path, message }) => ({ path: formatSettingPath(path), message })) },
    });
  }
  const context: StorageContext = { folder: '.', ...options };
  const opened = await parsed.adapter.open(parsed.own as never, context);
  return wrapStorage(opened, parsed.common, context);
}

/** The rate is inmost, so that what is repeated is counted again. */
function wrapStorage(opened: Storage, settings: CommonStorageSettings, context: StorageContext): Storage {
  const { throttle, retry, readOnly } = settings;
  const { clock, random, wait, signal } = context;
  const given = {
    ...(clock && { clock }),
    ...(random && { random }),
    ...(wait && { wait }),
    ...(signal && { signal }),
  };
  let storage = opened;
  if (throttle !== undefined) {
    const rates =
      typeof throttle === 'number' ? { readBytesPerSecond: throttle, writeBytesPerSecond: throttle } : throttle;
    storage = throttleStorage(storage, { ...rates, ...given });
  }
  if (retry !== false) storage = retryStorage(storage, { ...retry, ...given });
  return readOnly === true ? readOnlyStorage(storage) : storage;
}
