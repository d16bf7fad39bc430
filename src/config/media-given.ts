/** A media storage as a configuration has it. */
import { isStorage } from '../storage/is-storage.ts';
import type { MediaUrlSettings } from '../storage/media/media-environment.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageSettings } from './storage-settings.ts';

/** Settings of a media storage: those of its storage, and how browsers find its files. */
export type MediaSettings = StorageSettings & MediaUrlSettings;

/** A media storage of a configuration: its settings, those of the environment, or an object that is a storage. */
export type MediaGiven = MediaSettings | { readonly fromEnvironment: true } | Storage;

/** Settings that a media storage has beside those of its storage. */
export const mediaUrlNames: readonly (keyof MediaUrlSettings)[] = [
  'makeFilesPublic',
  'customDomain',
  'urlExpiresSeconds',
  'cacheControl',
];
const urlNames: ReadonlySet<string> = new Set(mediaUrlNames);

/** Whether it is backed up; a command that names it uses it all the same. */
export function isMediaEnabled(given: MediaGiven): boolean {
  return isStorage(given) || 'fromEnvironment' in given || given.enabled !== false;
}

/** The settings taken apart: those of the storage, and the others. */
export function splitMediaSettings(settings: object): {
  readonly storage: StorageSettings;
  readonly url: MediaUrlSettings;
} {
  const entries = Object.entries(settings);
  const storage = Object.fromEntries(entries.filter(([name]) => !urlNames.has(name)));
  const url = Object.fromEntries(entries.filter(([name]) => urlNames.has(name)));
  return { storage: storage as StorageSettings, url };
}
