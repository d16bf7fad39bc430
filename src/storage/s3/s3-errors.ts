/** What answers of an S3 server, and failures on the way to it, mean. */
import { type ErrorCode, HoldfastError } from '../../errors.ts';

/** Operations of S3 that are used, and the rights that each needs (IAM). */
export const s3Rights = {
  GetObject: ['s3:GetObject'],
  HeadObject: ['s3:GetObject'],
  PutObject: ['s3:PutObject'],
  CopyObject: ['s3:GetObject', 's3:PutObject'],
  DeleteObject: ['s3:DeleteObject'],
  ListObjectsV2: ['s3:ListBucket'],
  CreateMultipartUpload: ['s3:PutObject'],
  UploadPart: ['s3:PutObject'],
  UploadPartCopy: ['s3:GetObject', 's3:PutObject'],
  CompleteMultipartUpload: ['s3:PutObject'],
  AbortMultipartUpload: ['s3:AbortMultipartUpload'],
  ListMultipartUploads: ['s3:ListBucketMultipartUploads'],
  ListParts: ['s3:ListMultipartUploadParts'],
  PutObjectRetention: ['s3:PutObjectRetention'],
} as const;

/** An operation of S3. */
export type S3Operation = keyof typeof s3Rights;

/** Where an error came from. */
export interface S3CallContext {
  readonly operation: S3Operation;
  readonly bucket: string;
  /** Undefined for operations on the bucket. */
  readonly key?: string | undefined;
  /** The host, for people. */
  readonly host: string;
}

/** What is used of an error of the SDK or of Node. */
interface AnswerFacts {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly region: string | undefined;
  readonly action: string | undefined;
}

type Meaning = readonly [ErrorCode, (facts: AnswerFacts, context: S3CallContext) => { message: string; hint?: string }];

const credentials: Meaning = [
  'storage.credentials',
  ({ name, message }) => ({
    message: `the server does not accept the credentials: ${name}, ${message}`,
    hint: 'check accessKey and secretKey; temporary credentials may have expired',
  }),
];
const throttled: Meaning = ['storage.throttled', ({ name }) => ({ message: `the server asks to slow down (${name})` })];
const full: Meaning = [
  'storage.full',
  ({ name, message }) => ({
    message: `the server takes no more: ${name}, ${message}`,
    hint: 'raise the quota, or remove what is no longer needed',
  }),
];
const region: Meaning = [
  'storage.wrong_region',
  ({ region: right, message }, { bucket }) => ({
    message: `the bucket ${bucket} is in ${right === undefined ? 'another region' : `the region ${right}`}: ${message}`,
    hint: right === undefined ? 'set `region` to that of the bucket' : `set region: "${right}"`,
  }),
];
const conflict: Meaning = [
  'storage.conflict',
  (_, { key }) => ({
    message: `${key}: another object was put there meanwhile, and is left as it is`,
    hint: 'give each run a name of its own',
  }),
];
const gone: Meaning = [
  'storage.not_found',
  (_, { key }) => ({ message: `${key}: it does not exist`, hint: 'check the name, and `prefix` in the configuration' }),
];
const denied: Meaning = [
  'storage.unauthorized',
  ({ action, message }, { operation, bucket, key }) => {
    const rights = action ?? s3Rights[operation].join(' and ');
    const on = key === undefined ? `the bucket ${bucket}` : `${key} in the bucket ${bucket}`;
    const missing = operation === 'GetObject' || operation === 'HeadObject';
    const hidden = missing ? '; without s3:ListBucket an object that is missing is denied as well' : '';
    return {
      message: `${operation} of ${on} was denied: ${message}`,
      hint: `allow ${rights} to this access key${hidden}`,
    };
  },
];

/** By the code in the server's answer. */
const meanings: Readonly<Record<string, Meaning>> = {
  AccessDenied: denied,
  AccountProblem: denied,
  AllAccessDisabled: denied,
  InvalidAccessKeyId: credentials,
  InvalidToken: credentials,
  ExpiredToken: credentials,
  TokenRefreshRequired: credentials,
  UserSuspended: credentials,
  CredentialsProviderError: [
    'storage.credentials',
    ({ message }) => ({
      message: `no credentials were found: ${message}`,
      hint: 'set accessKey and secretKey, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    }),
  ],
  SignatureDoesNotMatch: [
    'storage.signature',
    () => ({ message: 'the server refused the signature: the secret key is not that of the access key' }),
  ],
  RequestTimeTooSkewed: [
    'storage.clock_skew',
    ({ message }) => ({ message: `this machine's clock is too far from the server's: ${message}` }),
  ],
  PermanentRedirect: region,
  TemporaryRedirect: region,
  AuthorizationHeaderMalformed: region,
  IllegalLocationConstraintException: region,
  InvalidRegion: region,
  NoSuchBucket: [
    'storage.container_not_found',
    (_, { bucket, host }) => ({
      message: `there is no bucket ${bucket} at ${host}`,
      hint: 'make the bucket, or check `bucket` and `endpointUrl` in the configuration',
    }),
  ],
  NoSuchKey: gone,
  NotFound: gone,
  NoSuchUpload: [
    'storage.failed',
    (_, { key }) => ({
      message: `${key}: the upload was ended by somebody else`,
      hint: 'a lifecycle rule that aborts uploads must give them longer than a backup takes',
    }),
  ],
  PreconditionFailed: conflict,
  ConditionalRequestConflict: conflict,
  InvalidObjectState: [
    'storage.failed',
    (_, { key }) => ({
      message: `${key}: it is in an archive class, and has to be restored there before it can be read`,
      hint: 'restore it with the tools of the provider, and run this again',
    }),
  ],
  SlowDown: throttled,
  TooManyRequests: throttled,
  RequestLimitExceeded: throttled,
  Throttling: throttled,
  ThrottlingException: throttled,
  QuotaExceeded: full,
  EntityTooLarge: full,
  XMinioStorageFull: full,
  StorageCapExceeded: full,
  RequestTimeout: [
    'storage.timeout',
    () => ({ message: 'what was sent did not reach the server in time; the connection is too slow or was cut' }),
  ],
  TimeoutError: [
    'storage.timeout',
    (_, { host, operation }) => ({ message: `${host} did not answer ${operation} in time` }),
  ],
  BadDigest: ['storage.unavailable', () => ({ message: 'what was sent arrived damaged' })],
  XAmzContentSHA256Mismatch: ['storage.unavailable', () => ({ message: 'what was sent arrived damaged' })],
};

const unreachable = (what: string): Meaning => [
  'storage.unavailable',
  ({ message }, { host }) => ({ message: `${host} ${what}: ${message}` }),
];
const untrusted: Meaning = [
  'storage.certificate',
  ({ name, message }, { host }) => ({
    message: `the certificate of ${host} is not trusted: ${name}, ${message}`,
    hint: "give Node the authority's certificate in $NODE_EXTRA_CA_CERTS",
  }),
];

/** By the code of an error of Node. */
const systemMeanings: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: unreachable('refuses connections'),
  ECONNRESET: unreachable('cut the connection'),
  ECONNABORTED: unreachable('cut the connection'),
  ERR_STREAM_PREMATURE_CLOSE: unreachable('cut the connection'),
  EPIPE: unreachable('cut the connection'),
  EHOSTUNREACH: unreachable('cannot be reached'),
  ENETUNREACH: unreachable('cannot be reached'),
  EAI_AGAIN: unreachable('cannot be looked up now'),
  ENOTFOUND: [
    'storage.unavailable',
    (_, { host }) => ({ message: `there is no host ${host}`, hint: 'check `endpointUrl`, `bucket` and `region`' }),
  ],
  ETIMEDOUT: ['storage.timeout', (_, { host }) => ({ message: `${host} did not answer in time` })],
  EPROTO: [
    'storage.certificate',
    ({ message }, { host }) => ({
      message: `${host} does not speak TLS as expected: ${message}`,
      hint: 'where the server has no TLS, set useSsl: false or an endpointUrl with http://',
    }),
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_HAS_EXPIRED: untrusted,
  CERT_NOT_YET_VALID: untrusted,
  CERT_REVOKED: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: untrusted,
};

const locked: Meaning = [
  'storage.locked',
  (_, { key }) => ({ message: `${key}: its retention has not passed, so it cannot be removed` }),
];

/** Answers to HEAD have no body, and so no code. */
function byStatus(status: number | undefined): Meaning | undefined {
  if (status === undefined) return undefined;
  if (status === 301 || status === 307) return region;
  if (status === 401 || status === 403) return denied;
  if (status === 404) return gone;
  if (status === 409 || status === 412) return conflict;
  if (status === 408) return meanings['RequestTimeout'];
  if (status === 429 || status === 503) return throttled;
  if (status === 507) return full;
  if (status >= 500) return unreachable(`answered with an error of its own (${status})`);
  return undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function factsOf(error: Error): AnswerFacts {
  const { $metadata, $response, Region, Code } = error as Error & {
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Record<string, string> };
    Region?: string;
    Code?: string;
  };
  // "User: … is not authorized to perform: kms:GenerateDataKey on …"
  const action = /not authorized to perform: ([\w-]+:\w+)/.exec(error.message)?.[1];
  return {
    name: textOf(Code) ?? error.name,
    message: textOf(error.message) ?? 'without a reason',
    status: $metadata?.httpStatusCode ?? $response?.statusCode,
    region: textOf(Region) ?? textOf($response?.headers?.['x-amz-bucket-region']),
    action,
  };
}

function meaningOf(facts: AnswerFacts, error: Error, context: S3CallContext): Meaning | undefined {
  if (context.operation === 'DeleteObject' && /object lock|WORM/i.test(facts.message)) return locked;
  // This code also tells of keys that are not well formed.
  if (facts.name === 'AuthorizationHeaderMalformed' && /credential/i.test(facts.message) && !facts.region) {
    return credentials;
  }
  const systemCode = textOf((error as Error & { code?: unknown }).code);
  // First: the SDK calls connections that were cut a time-out as well.
  return (
    (systemCode !== undefined && Object.hasOwn(systemMeanings, systemCode) ? systemMeanings[systemCode] : undefined) ??
    (Object.hasOwn(meanings, facts.name) ? meanings[facts.name] : undefined) ??
    byStatus(facts.status)
  );
}

/** The {@link HoldfastError} that an error of a call to S3 means. It never holds a key or a signature. */
export function s3ErrorFrom(error: unknown, context: S3CallContext): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { operation, bucket, key } = context;
  const place = { operation, bucket, ...(key === undefined ? {} : { key }) };
  if (!(error instanceof Error)) return new HoldfastError('storage.failed', { context: place, cause: error });
  if (error.message === 'Region is missing') {
    const message = 'storage s3: no region is set, and none is found in the environment';
    return new HoldfastError('config.invalid', { message, hint: 'set region, as in "eu-central-1"', cause: error });
  }
  if (error.name === 'AbortError') return new HoldfastError('operation.interrupted', { context: place, cause: error });
  const facts = factsOf(error);
  const answer = { ...place, answer: facts.name, ...(facts.status === undefined ? {} : { status: facts.status }) };
  const meaning = meaningOf(facts, error, context);
  if (meaning === undefined) {
    const message = `${operation} failed at ${context.host}: ${facts.name}, ${facts.message}`;
    return new HoldfastError('storage.failed', { message, context: answer, cause: error });
  }
  const [code, describe] = meaning;
  return new HoldfastError(code, { ...describe(facts, context), context: answer, cause: error });
}
