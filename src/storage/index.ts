/** The public API for an application's own files (`holdfast/storage`). */
export type { MediaSettings } from '../config/media-given.ts';
export { mediaStorageFromEnvironment, type OpenMediaOptions, openMediaStorage } from '../config/open-media-storage.ts';
export type { OpenStorageOptions } from '../config/open-storage.ts';
export type { StorageSettings } from '../config/storage-settings.ts';
export { type ErrorCode, HoldfastError } from '../errors.ts';
export { LocalStorage, type LocalStorageOptions } from './local/local-storage.ts';
export type { MediaContent } from './media/media-content.ts';
export {
  type EnvironmentMediaSettings,
  type MediaEnvironment,
  type MediaUrlSettings,
  mediaSettingsFromEnvironment,
} from './media/media-environment.ts';
export type { MediaFile } from './media/media-file.ts';
export { type ListedFile, MediaStorage, type MediaStorageOptions, type SaveOptions } from './media/media-storage.ts';
export { MemoryStorage } from './memory/memory-storage.ts';
export type { ObjectHeaders, Storage, StorageProperties } from './storage.ts';
export { prefixStorage } from './wrap/prefix.ts';
