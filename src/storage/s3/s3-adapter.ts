import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import { Secret } from '../../secret.ts';
import type { StorageAdapter, StorageContext } from '../storage-adapter.ts';
import type { S3Patience } from './s3-connection.ts';
import { type S3Preset, s3PresetNames, s3Presets } from './s3-presets.ts';
import type { S3Storage } from './s3-storage.ts';
import type { UploadLimits } from './s3-writer.ts';

const retentionDays = z.int().min(1).max(36_500);

const s3Settings = z.strictObject({
  backend: z.literal('s3'),
  bucket: z.string().min(3).max(255),
  /** What differs for a provider: its endpoint, its region, what it cannot do. */
  preset: z.enum(s3PresetNames).optional(),
  /** URL of the server; Amazon's for the region unless set. `{account}` of a preset has to be written out here. */
  endpointUrl: z.url({ protocol: /^https?$/ }).optional(),
  /** Host, and port, of the server where no endpointUrl is set. */
  host: z
    .string()
    .regex(/^[\w.:[\]-]+$/, 'must be a host, with or without a port')
    .optional(),
  /** Speaks TLS with `host`; true unless set. */
  useSsl: z.boolean().optional(),
  /** Credentials; unless set those that the SDK finds: variables, profiles, roles of EC2, ECS and web identities. */
  accessKey: z.string().min(1).optional(),
  secretKey: z.string().min(1).optional(),
  /** Of temporary credentials. */
  sessionToken: z.string().min(1).optional(),
  /** Of the bucket; what the SDK finds, or us-east-1, unless set. */
  region: z.string().min(1).optional(),
  /** Before every name, as a folder. */
  prefix: z.string().optional(),
  /** The bucket stands in the path and not in the host's name; true for a host that is an address. */
  pathStyle: z.boolean().optional(),
  /** Canned ACL of objects; the bucket's owner alone has access unless set. */
  defaultAcl: z
    .enum(['private', 'authenticated-read', 'aws-exec-read', 'bucket-owner-read', 'bucket-owner-full-control'], {
      error: ({ input }) =>
        String(input).startsWith('public-') ? 'would let anybody read what is kept here, and is refused' : undefined,
    })
    .optional(),
  /** Storage class of objects. */
  storageClass: z
    .string()
    .regex(/^[A-Z_]+$/)
    .refine((name) => !['GLACIER', 'DEEP_ARCHIVE', 'SNOW'].includes(name), {
      error: 'cannot be read back at once, so that no backup could be checked; use GLACIER_IR, or a lifecycle rule',
    })
    .optional(),
  /** Encryption by the server, on top of the archive's own. */
  encryption: z
    .union([
      z.literal(['SSE-S3', 'SSE-KMS']).transform((type) => ({ type })),
      z.strictObject({ type: z.literal('SSE-S3') }),
      z.strictObject({ type: z.literal('SSE-KMS'), keyId: z.string().min(1).exactOptional() }),
    ])
    .optional(),
  /** Locks archives against removal, for days from when they were made. The bucket must have object lock. */
  objectLock: z.strictObject({ mode: z.enum(['GOVERNANCE', 'COMPLIANCE']), days: retentionDays }).optional(),
  /** Sends CRC-32 checksums, which the server checks and keeps; by preset, and true for Amazon, unless set. */
  checksums: z.boolean().optional(),
});

type S3Settings = z.output<typeof s3Settings>;

/** A bucket of Amazon S3, or of a server that speaks it. */
export const s3Adapter: StorageAdapter<typeof s3Settings> = {
  backend: 's3',
  schema: s3Settings,
  open: openS3Storage,
  placeOf(settings) {
    const host = endpointOf(settings, presetOf(settings))?.host ?? 'amazonaws.com';
    // Names of buckets are the only ones of theirs in all of Amazon.
    const service = /(^|\.)amazonaws\.com(\.cn)?$/.test(host) ? 'amazon' : host;
    return { service: `${service}/${settings.bucket}`, folder: prefixOf(settings) };
  },
};

/** As {@link s3Adapter} opens it, with another patience and other limits. */
export async function openS3Storage(
  settings: S3Settings,
  context: StorageContext,
  givenPatience?: S3Patience,
  limits: UploadLimits = {},
): Promise<S3Storage> {
  const preset = presetOf(settings);
  const endpoint = endpointOf(settings, preset);
  const [{ S3 }, { S3Connection, usualPatience }, { S3Storage }, { isIP }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('./s3-connection.ts'),
    import('./s3-storage.ts'),
    import('node:net'),
  ]);
  const patience = givenPatience ?? usualPatience;
  const region = settings.region ?? preset.region;
  const pathStyle = settings.pathStyle ?? preset.pathStyle ?? isAddress(endpoint, isIP);
  const checksums = settings.checksums ?? preset.checksums ?? false;
  const random = context.random ?? systemRandom;
  const config: S3ClientConfig = {
    ...(endpoint === undefined ? {} : { endpoint: endpoint.href }),
    ...(region === undefined ? {} : { region }),
    ...credentialsOf(settings, context),
    forcePathStyle: pathStyle,
    requestChecksumCalculation: checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    // Every block of an archive has a hash of its own.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for leave to send would take a new connection for each part.
    expectContinueHeader: false,
    // They are made by the connection, which can be stopped while it waits.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: Math.min(10_000, patience.idleMs), socketTimeout: patience.idleMs },
  };
  const s3 = new S3(config);
  const host = endpoint?.host ?? `Amazon S3${region === undefined ? '' : ` in ${region}`}`;
  const { defaultAcl, storageClass, encryption, objectLock } = settings;
  return new S3Storage({
    connection: new S3Connection({ s3, bucket: settings.bucket, host, random, patience }),
    prefix: prefixOf(settings),
    random,
    warnings: warningsOf(endpoint),
    limits,
    isCreateOnlyKnown: preset !== unknownServer && (preset.createOnly ?? false),
    ...(context.clock === undefined ? {} : { clock: context.clock }),
    settings: {
      ...(defaultAcl === undefined ? {} : { acl: defaultAcl }),
      ...(storageClass === undefined ? {} : { storageClass }),
      ...(encryption === undefined ? {} : { encryption }),
      ...(objectLock === undefined ? {} : { objectLock }),
      checksums,
      equalParts: preset.equalParts ?? false,
      createOnly: preset.createOnly ?? false,
    },
  });
}

/** Of a server that no preset is named for nothing is known: it is asked, and asked in another way where it does not know that. */
const unknownServer: S3Preset = {
  region: 'us-east-1',
  createOnly: true,
  reason: 'A server that no preset is named for.',
};

function presetOf({ preset, endpointUrl, host }: S3Settings): S3Preset {
  if (preset !== undefined) return s3Presets[preset];
  return endpointUrl === undefined && host === undefined ? s3Presets.aws : unknownServer;
}

function invalid(message: string, hint: string): HoldfastError {
  return new HoldfastError('config.invalid', { message: `storage s3: ${message}`, hint });
}

function endpointOf(settings: S3Settings, preset: S3Preset): URL | undefined {
  const { endpointUrl, host, useSsl } = settings;
  if (endpointUrl !== undefined && (host !== undefined || useSsl !== undefined)) {
    throw invalid('endpointUrl and host or useSsl say the same', 'leave host and useSsl out');
  }
  if (host !== undefined) return new URL(`${useSsl === false ? 'http' : 'https'}://${host}`);
  if (useSsl !== undefined) throw invalid('useSsl needs a host', 'set host, or an endpointUrl with http://');
  const region = settings.region ?? preset.region;
  const text = endpointUrl ?? preset.endpointUrl?.replace('{region}', region ?? '{region}');
  if (text === undefined && settings.preset === 'minio') {
    throw invalid('the preset minio knows no server', 'set endpointUrl or host');
  }
  if (text?.includes('{region}')) throw invalid('the region is missing', 'set region, as in "us-west-004"');
  if (text?.includes('{account}')) {
    throw invalid('the endpoint is missing', `set endpointUrl: "${text.replace('{account}', 'ACCOUNT')}"`);
  }
  if (text === undefined) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw invalid('endpointUrl holds a user or a password', 'set accessKey and secretKey');
  }
  return url;
}

function credentialsOf(
  { accessKey, secretKey, sessionToken }: S3Settings,
  { environment }: StorageContext,
): Pick<S3ClientConfig, 'credentials'> {
  if ((accessKey === undefined) !== (secretKey === undefined)) {
    throw invalid('accessKey and secretKey belong together', 'set both, or none to use those of the environment');
  }
  const accessKeyId = accessKey ?? environment?.['AWS_ACCESS_KEY_ID'];
  const secretText = secretKey ?? environment?.['AWS_SECRET_ACCESS_KEY'];
  if (accessKeyId === undefined || secretText === undefined) return {};
  const token = accessKey === undefined ? environment?.['AWS_SESSION_TOKEN'] : sessionToken;
  const secret = new Secret(secretText);
  const sessionSecret = token === undefined ? undefined : new Secret(token);
  return {
    credentials: async () => ({
      accessKeyId,
      secretAccessKey: secret.reveal(),
      ...(sessionSecret === undefined ? {} : { sessionToken: sessionSecret.reveal() }),
    }),
  };
}

function prefixOf({ prefix = '' }: S3Settings): string {
  const parts = prefix.split('/').filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..')) {
    throw invalid(`the prefix ${JSON.stringify(prefix)} has a part "." or ".."`, 'leave it out');
  }
  return parts.map((part) => `${part}/`).join('');
}

function isAddress(endpoint: URL | undefined, isIP: typeof import('node:net').isIP): boolean {
  if (endpoint === undefined) return false;
  return isIP(endpoint.hostname.replace(/^\[|\]$/g, '')) !== 0 || endpoint.hostname === 'localhost';
}

function warningsOf(endpoint: URL | undefined): string[] {
  if (endpoint?.protocol !== 'http:') return [];
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(endpoint.hostname);
  if (isLocal) return [];
  return [`what is sent to ${endpoint.host} passes the network in clear: use an endpointUrl with https://`];
}
