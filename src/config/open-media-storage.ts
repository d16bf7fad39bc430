import { HoldfastError } from '../errors.ts';
import { type MediaEnvironment, mediaSettingsFromEnvironment } from '../storage/media/media-environment.ts';
import { MediaStorage, type MediaStorageOptions } from '../storage/media/media-storage.ts';
import { type MediaSettings, splitMediaSettings } from './media-given.ts';
import { mediaProblems } from './media-settings.ts';
import { type OpenStorageOptions, openStorage } from './open-storage.ts';
import { formatSettingPath } from './substitute-variables.ts';

/** Options of {@link openMediaStorage}. */
export type OpenMediaOptions = OpenStorageOptions & Pick<MediaStorageOptions, 'contentTypeOf'>;

/**
 * Opens a media storage from its settings, those of a storage and how browsers find its files. Throws `config.invalid`, and what opening the
 * storage throws; close what it gives.
 *
 * @example
 * const media = await openMediaStorage({ backend: 's3', bucket: 'shop-media', region: 'eu-central-1', prefix: 'uploads' });
 */
export async function openMediaStorage(settings: MediaSettings, options: OpenMediaOptions = {}): Promise<MediaStorage> {
  const [problem] = mediaProblems(settings);
  if (problem !== undefined) {
    const where = formatSettingPath(problem.path);
    const message = `media storage: ${where === '' ? '' : `${where}: `}${problem.message}`;
    throw new HoldfastError('config.invalid', { message });
  }
  const { storage, url } = splitMediaSettings(settings);
  const { makeFilesPublic, customDomain, urlExpiresSeconds, cacheControl } = url;
  const { contentTypeOf, random } = options;
  return new MediaStorage({
    storage: await openStorage(storage, options),
    ...(customDomain === undefined ? {} : { publicUrl: publicUrlOf(customDomain, storage) }),
    ...(makeFilesPublic === undefined ? {} : { isPublic: makeFilesPublic }),
    ...(urlExpiresSeconds === undefined ? {} : { urlExpiresSeconds }),
    ...(cacheControl === undefined ? {} : { cacheControl }),
    ...(contentTypeOf === undefined ? {} : { contentTypeOf }),
    ...(random === undefined ? {} : { random }),
  });
}

/** The CDN stands in front of the whole bucket. */
function publicUrlOf(customDomain: string, settings: object): string {
  const { prefix = '' } = settings as { readonly prefix?: string };
  const folders = [customDomain, ...prefix.split('/').map(encodeURIComponent)].filter((part) => part !== '');
  return `https://${folders.join('/')}/`;
}

/**
 * Opens the media storage that the environment describes: `STORAGES_MODE` (`s3` unless set, or `do`), `STORAGE_BUCKET_NAME`,
 * `STORAGE_MAKE_FILES_PUBLIC`, `AWS_S3_CUSTOM_DOMAIN` (required when public), `DO_REGION` (`ams3` unless set), `AWS_ACCESS_KEY_ID` and
 * `AWS_SECRET_ACCESS_KEY` (on AWS itself what its SDK finds, unless set). Throws `config.invalid`, which names every variable that is wrong; close what it
 * gives. Nothing is sent before the first call.
 *
 * @example
 * const media = await mediaStorageFromEnvironment();
 * const name = await media.save('avatars/me.png', file);
 * const url = await media.url(name);
 */
export async function mediaStorageFromEnvironment(
  environment: MediaEnvironment = process.env,
  options: Omit<OpenMediaOptions, 'environment'> = {},
): Promise<MediaStorage> {
  return await openMediaStorage(mediaSettingsFromEnvironment(environment), { ...options, environment });
}
