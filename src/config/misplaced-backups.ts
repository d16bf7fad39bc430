/** Backups have no business where an application keeps the files of its users, nor where everybody can read. */
import { posix } from 'node:path';
import { HoldfastError } from '../errors.ts';
import { isStorage } from '../storage/is-storage.ts';
import { localPlace } from '../storage/local/local-adapter.ts';
import type { Storage } from '../storage/storage.ts';
import type { HoldfastConfig } from './config-schema.ts';
import { configuredStorages } from './configured-storages.ts';
import { type MediaGiven, splitMediaSettings } from './media-given.ts';
import { parseStorage } from './storage-settings.ts';

/** Where something is kept. */
interface Place {
  readonly backend: string;
  readonly service: string;
  /** Empty, or ending in `/`. */
  readonly folder: string;
}

/** What is wrong with a setting. */
export interface Misplacement {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Backends whose buckets have one public face, that of the CDN in front of them. */
const bucketBackends: ReadonlySet<string> = new Set(['s3', 'gcs', 'azure']);

function asFolder(path: string): string {
  const parts = posix
    .normalize(path)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  return parts.map((part) => `${part}/`).join('');
}

/** Undefined for a storage that tells no place: it can be compared by itself alone. */
function placeOf(given: object, folder: string): Place | undefined {
  if (isStorage(given)) return placeOfObject(given);
  const parsed = parseStorage(given);
  if ('problems' in parsed) return undefined;
  const { adapter, own } = parsed;
  try {
    const place = adapter.placeOf(own as never, { folder });
    return { backend: adapter.backend, service: place.service, folder: asFolder(place.folder) };
  } catch (error) {
    // Settings that contradict each other are told of when the storage is opened.
    if (error instanceof HoldfastError && error.code === 'config.invalid') return undefined;
    throw error;
  }
}

function placeOfObject({ properties: { backend, place } }: Storage): Place | undefined {
  return backend === 'local' ? { backend, service: '', folder: asFolder(localPlace(place).folder) } : undefined;
}

/** Why a backup must not go to a place; undefined where it may. */
function reasonAgainst(backup: Place, media: Place, name: string, isPublic: boolean): string | undefined {
  if (backup.backend !== media.backend || backup.service !== media.service) return undefined;
  const isBucket = bucketBackends.has(media.backend);
  const advice = isBucket ? 'give backups a bucket of their own' : 'give backups a folder elsewhere';
  if (backup.folder.startsWith(media.folder)) {
    const reach = isPublic
      ? 'everybody can read there'
      : 'the application, and whoever it shows its files to, can read there';
    return `it lies in the place of the media storage ${name}: ${reach}; ${advice}`;
  }
  if (media.folder.startsWith(backup.folder)) {
    return `the media storage ${name} lies in it: its files would be taken for backups, and backups for files; ${advice}`;
  }
  if (!isPublic || !isBucket) return undefined;
  return `it is in the bucket of the media storage ${name}, which is public: the domain in front of it shows all of the bucket; ${advice}`;
}

function isPublicMedia(given: MediaGiven): boolean {
  if (isStorage(given) || 'fromEnvironment' in given) return false;
  const { makeFilesPublic, customDomain } = splitMediaSettings(given).url;
  return makeFilesPublic === true || customDomain !== undefined;
}

/**
 * The storages of a configuration that are in the place of one of its media storages, or where that is public. Relative paths start from
 * `folder`; `fromEnvironment` was replaced by what the environment says.
 */
export function misplacedBackups(config: HoldfastConfig, folder: string): Misplacement[] {
  const found: Misplacement[] = [];
  const storages = configuredStorages(config);
  const isOne = storages.length === 1 && (isStorage(config.storage) || typeof config.storage?.backend === 'string');
  for (const [name, given] of Object.entries(config.media ?? {})) {
    const media = placeOf(isStorage(given) ? given : splitMediaSettings(given).storage, folder);
    for (const storage of storages) {
      const backup = placeOf(storage.given, folder);
      const isSame = storage.given === given;
      const reason =
        media && backup
          ? reasonAgainst(backup, media, name, isPublicMedia(given))
          : isSame
            ? `it is the media storage ${name} itself; give backups a storage of their own`
            : undefined;
      if (reason === undefined) continue;
      found.push({
        path: config.storage === undefined || isOne ? ['storage'] : ['storage', storage.name],
        message: reason,
      });
    }
  }
  return found;
}

/** The same for a file that the command line names. Throws `config.invalid`. */
export function refuseMisplacedOutput(config: HoldfastConfig, folder: string, path: string): void {
  const output = { backend: 'local', service: '', folder: asFolder(localPlace(path).folder) };
  for (const [name, given] of Object.entries(config.media ?? {})) {
    const media = placeOf(isStorage(given) ? given : splitMediaSettings(given).storage, folder);
    if (media?.backend !== 'local' || !output.folder.startsWith(media.folder)) continue;
    throw new HoldfastError('config.invalid', {
      message: `${path}: ${reasonAgainst(output, media, name, isPublicMedia(given))}`,
      hint: 'give another --output',
    });
  }
}
