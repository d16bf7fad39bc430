/** The settings of a media storage beside those of its storage, and where the environment has them. */
import { HoldfastError } from '../../errors.ts';

/** What a media storage takes beside the settings of its storage. */
export interface MediaUrlSettings {
  /** Gives files an ACL that lets anybody read them, and URLs below `customDomain`. */
  readonly makeFilesPublic?: boolean | undefined;
  /** The domain of the CDN in front of the bucket, as in `cdn.example.org`; a path may follow it. */
  readonly customDomain?: string | undefined;
  /** How long signed URLs are valid: 3,600 unless set. */
  readonly urlExpiresSeconds?: number | undefined;
  /** `Cache-Control` of files that are saved. */
  readonly cacheControl?: string | undefined;
}

/** A domain, with a port or a path, without a scheme. */
export const domainPattern = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[^?#\s]*)?$/i;

/** What the environment says of a media storage, in the words of `media` in a configuration. */
export interface EnvironmentMediaSettings extends MediaUrlSettings {
  readonly backend: 's3';
  readonly bucket: string;
  readonly region?: string;
  readonly endpointUrl?: string;
  readonly accessKey?: string;
  readonly secretKey?: string;
  readonly sessionToken?: string;
}

/** Variables by name. */
export type MediaEnvironment = Readonly<Record<string, string | undefined>>;

/** What is wrong with a variable. */
export interface EnvironmentProblem {
  readonly variable: string;
  readonly message: string;
}

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
};

/**
 * Reads the settings of a media storage from the environment: `STORAGES_MODE` (`s3` unless set, or `do`), `STORAGE_BUCKET_NAME`,
 * `STORAGE_MAKE_FILES_PUBLIC`, `AWS_S3_CUSTOM_DOMAIN` (required when public), `DO_REGION` (`ams3` unless set), `AWS_ACCESS_KEY_ID` and
 * `AWS_SECRET_ACCESS_KEY` (on AWS itself what its SDK finds, unless set). Throws `config.invalid`, which names every variable that is wrong.
 */
export function mediaSettingsFromEnvironment(environment: MediaEnvironment): EnvironmentMediaSettings {
  const read = readMediaEnvironment(environment);
  if ('settings' in read) return read.settings;
  const { problems } = read;
  throw new HoldfastError('config.invalid', {
    message: `the media storage of the environment: ${problems.map(({ variable, message }) => `${variable} ${message}`).join('; ')}`,
    hint: 'set the named variables',
    context: { problems },
  });
}

/** The same without an error. */
export function readMediaEnvironment(
  environment: MediaEnvironment,
): { readonly settings: EnvironmentMediaSettings } | { readonly problems: readonly EnvironmentProblem[] } {
  const problems: EnvironmentProblem[] = [];
  // An empty variable is one that is not set: shells and compose files write it so.
  const lookUp = (variable: string) => environment[variable]?.trim() || undefined;
  const note = (variable: string, message: string) => void problems.push({ variable, message });
  const mode = lookUp('STORAGES_MODE') ?? 's3';
  if (mode !== 's3' && mode !== 'do') note('STORAGES_MODE', `must be s3 or do, not ${JSON.stringify(mode)}`);
  const bucket = lookUp('STORAGE_BUCKET_NAME');
  if (bucket === undefined) note('STORAGE_BUCKET_NAME', 'is not set: it names the bucket');
  const settings: EnvironmentMediaSettings = {
    backend: 's3',
    bucket: bucket ?? '',
    ...publicSettings(lookUp, note),
    ...(mode === 'do' ? spacesPlace(lookUp, note) : amazonPlace(lookUp)),
    ...credentials(lookUp, note, mode),
  };
  return problems.length > 0 ? { problems } : { settings };
}

type LookUp = (variable: string) => string | undefined;
type Note = (variable: string, message: string) => void;

function publicSettings(lookUp: LookUp, note: Note): MediaUrlSettings {
  const wish = lookUp('STORAGE_MAKE_FILES_PUBLIC')?.toLowerCase() ?? 'false';
  const makeFilesPublic = Object.hasOwn(truths, wish) ? truths[wish] : undefined;
  if (makeFilesPublic === undefined)
    note('STORAGE_MAKE_FILES_PUBLIC', `must be true or false, not ${JSON.stringify(wish)}`);
  // Of files that are not public it would be a lie.
  if (makeFilesPublic !== true) return {};
  const customDomain = lookUp('AWS_S3_CUSTOM_DOMAIN');
  if (customDomain === undefined) {
    note('AWS_S3_CUSTOM_DOMAIN', 'is not set: with STORAGE_MAKE_FILES_PUBLIC it names the domain of the CDN');
    return {};
  }
  if (!domainPattern.test(customDomain)) {
    note(
      'AWS_S3_CUSTOM_DOMAIN',
      `must be a domain such as cdn.example.org, without https://, not ${JSON.stringify(customDomain)}`,
    );
  }
  return { makeFilesPublic, customDomain };
}

/** Any region of Spaces; its signatures are all for us-east-1. */
function spacesPlace(lookUp: LookUp, note: Note) {
  const region = lookUp('DO_REGION') ?? 'ams3';
  if (!/^[a-z0-9-]+$/.test(region)) note('DO_REGION', `must be a region such as ams3, not ${JSON.stringify(region)}`);
  return { region: 'us-east-1', endpointUrl: `https://${region}.digitaloceanspaces.com` };
}

function amazonPlace(lookUp: LookUp) {
  const region = lookUp('AWS_REGION') ?? lookUp('AWS_DEFAULT_REGION');
  const endpointUrl = lookUp('AWS_ENDPOINT_URL_S3') ?? lookUp('AWS_ENDPOINT_URL');
  return { ...(region === undefined ? {} : { region }), ...(endpointUrl === undefined ? {} : { endpointUrl }) };
}

function credentials(lookUp: LookUp, note: Note, mode: string) {
  const accessKey = lookUp('AWS_ACCESS_KEY_ID');
  const secretKey = lookUp('AWS_SECRET_ACCESS_KEY');
  const sessionToken = lookUp('AWS_SESSION_TOKEN');
  const isNeeded = mode === 'do' || accessKey !== undefined || secretKey !== undefined;
  if (!isNeeded) return {};
  const reason = mode === 'do' ? 'Spaces needs it' : 'the two belong together';
  if (accessKey === undefined) note('AWS_ACCESS_KEY_ID', `is not set: ${reason}`);
  if (secretKey === undefined) note('AWS_SECRET_ACCESS_KEY', `is not set: ${reason}`);
  if (accessKey === undefined || secretKey === undefined) return {};
  return { accessKey, secretKey, ...(sessionToken === undefined || mode === 'do' ? {} : { sessionToken }) };
}
