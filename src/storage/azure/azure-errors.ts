import { type Clock, systemClock } from '../../clock.ts';
import { type ErrorCode, HoldfastError } from '../../errors.ts';
import { retryAfterMs } from '../remote/attempts.ts';
import { networkErrorFrom } from '../remote/network-error.ts';

type Meaning = readonly [code: ErrorCode, reason: string, hint?: string];

/** By Azure's error code. See "Blob service error codes" and "Common REST API error codes" of Azure Storage. */
const meanings: Readonly<Record<string, Meaning>> = {
  ContainerNotFound: ['storage.container_not_found', 'the container does not exist'],
  ContainerBeingDeleted: ['storage.unavailable', 'the container is being deleted'],
  ContainerDisabled: ['storage.unavailable', 'the container is disabled'],
  BlobNotFound: ['storage.not_found', 'it does not exist'],
  ResourceNotFound: ['storage.not_found', 'it does not exist'],
  AccountIsDisabled: [
    'storage.unauthorized',
    'the account is disabled',
    'look at its subscription in the Azure portal',
  ],
  InvalidAuthenticationInfo: [
    'storage.credentials',
    'the credentials are not ones of Azure Storage',
    'copy them again',
  ],
  NoAuthenticationInformation: [
    'storage.credentials',
    'no credentials were sent',
    'give `account` and `key`, or `sasUrl`',
  ],
  AuthorizationPermissionMismatch: [
    'storage.unauthorized',
    'the SAS or role does not permit this',
    'a SAS needs r, a, c, w, d and l (read, add, create, write, delete, list); a role, "Storage Blob Data Contributor"',
  ],
  AuthorizationSourceIPMismatch: [
    'storage.unauthorized',
    'the SAS is for another address',
    'make one for this machine',
  ],
  AuthorizationServiceMismatch: ['storage.unauthorized', 'the SAS is not for blobs', 'make one for the blob service'],
  AuthorizationResourceTypeMismatch: [
    'storage.unauthorized',
    'the SAS does not permit this kind of resource',
    'allow containers and objects',
  ],
  AuthorizationProtocolMismatch: ['storage.unauthorized', 'the SAS is for https only', 'use https:'],
  AuthorizationFailure: [
    'storage.unauthorized',
    'access was denied',
    'look at the firewall and the rights of the account',
  ],
  InsufficientAccountPermissions: ['storage.unauthorized', 'the account does not permit this'],
  KeyBasedAuthenticationNotPermitted: [
    'storage.unauthorized',
    'the account allows no keys',
    'allow shared keys, or use a user delegation SAS',
  ],
  WriteProtected: ['storage.read_only', 'it may not be written'],
  LeaseIdMissing: ['storage.locked', 'another program holds a lease on it', 'end the lease, or wait until it does'],
  LeaseAlreadyPresent: [
    'storage.locked',
    'another program holds a lease on it',
    'end the lease, or wait until it does',
  ],
  BlobImmutableDueToPolicy: [
    'storage.locked',
    'a policy of immutability keeps it',
    'wait until its retention has passed',
  ],
  BlobArchived: [
    'storage.unavailable',
    'it is in the archive tier',
    'rehydrate it to the tier Hot, Cool or Cold first',
  ],
  BlobBeingRehydrated: [
    'storage.unavailable',
    'it is being brought back from the archive tier',
    'that takes up to 15 hours',
  ],
  ConditionNotMet: ['storage.conflict', 'another program changed it meanwhile'],
  BlobAlreadyExists: ['storage.conflict', 'another program made it meanwhile'],
  InvalidBlockList: [
    'storage.conflict',
    'blocks that were uploaded are gone: another program wrote the same name meanwhile',
    'let only one run write a name at a time',
  ],
  BlockCountExceedsLimit: ['storage.full', 'a blob has 50,000 blocks at most'],
  RequestBodyTooLarge: ['storage.full', 'it is larger than Azure takes'],
  ServerBusy: ['storage.throttled', 'Azure asks to slow down'],
  OperationTimedOut: ['storage.unavailable', 'Azure gave up on it'],
  InternalError: ['storage.unavailable', 'Azure failed'],
  Md5Mismatch: ['storage.unavailable', 'it arrived other than it was sent'],
  FeatureVersionMismatch: ['storage.failed', 'the blob is of a kind that is not known here'],
  InvalidBlobType: ['storage.conflict', 'the name is taken by a page or append blob', 'choose another name'],
};

/** What stands in an error of the client. */
interface RestFailure {
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly message: string;
  readonly retryAfter: string | undefined;
  /** When the server answered. */
  readonly date: string | undefined;
}

/** How the storage is reached, to tell failures of signing in apart. */
export interface SignedAccess {
  readonly place: string;
  /** Of the SAS, where there is one. */
  readonly expiresMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

function restFailure(error: unknown): RestFailure | undefined {
  if (!(error instanceof Error) || error.name !== 'RestError') return undefined;
  const { code, statusCode, response } = error as Error & {
    readonly code?: unknown;
    readonly statusCode?: unknown;
    readonly response?: { readonly headers?: { get(name: string): string | undefined } };
  };
  // An answer to HEAD has no body: the code stands in this header.
  const inHeader = response?.headers?.get('x-ms-error-code');
  return {
    code: inHeader ?? (typeof code === 'string' ? code : undefined),
    status: typeof statusCode === 'number' ? statusCode : undefined,
    message: error.message,
    retryAfter: response?.headers?.get('retry-after'),
    date: response?.headers?.get('date'),
  };
}

/** Azure refuses what was signed longer ago, or later. */
const allowedSkewMs = 15 * 60_000;

/** All that Azure calls "AuthenticationFailed", told apart by the clocks. An answer to HEAD has no other detail. */
function authenticationMeaning({ date }: RestFailure, access: SignedAccess): Meaning {
  const nowMs = (access.clock ?? systemClock).nowMs();
  const skewMs = date === undefined ? 0 : Math.abs(Date.parse(date) - nowMs);
  if (skewMs > allowedSkewMs) {
    return ['storage.clock_skew', `this machine's clock is ${Math.round(skewMs / 60_000)} minutes off`];
  }
  if (access.expiresMs !== undefined && access.expiresMs <= nowMs) {
    return ['storage.credentials', 'the SAS has expired', 'make a new one'];
  }
  return [
    'storage.signature',
    'the signature was refused',
    'check `key`, or make a new SAS; a SAS ends when the key it was made with is renewed',
  ];
}

function meaningOf(failure: RestFailure, access: SignedAccess): Meaning | undefined {
  const { code, status, message } = failure;
  // The second one is how Azurite calls the first.
  const isUnauthenticated =
    code === 'AuthenticationFailed' || (code === 'AuthorizationFailure' && /failed to authenticate/.test(message));
  if (isUnauthenticated) return authenticationMeaning(failure, access);
  const known = code === undefined ? undefined : meanings[code];
  if (known !== undefined) return known;
  if (status === undefined) return undefined;
  if (status === 404) return ['storage.not_found', 'it does not exist'];
  if (status === 401 || status === 403) return ['storage.unauthorized', 'access was denied'];
  if (status === 409 || status === 412) return ['storage.conflict', 'another program changed it meanwhile'];
  if (status === 429) return ['storage.throttled', 'Azure asks to slow down'];
  if (status === 408 || status >= 500) return ['storage.unavailable', `Azure failed (${status})`];
  return ['storage.failed', 'Azure refused it'];
}

/** The {@link HoldfastError} that an error of Azure's client means; what is none of its errors is given back as it is. */
export function azureErrorFrom(error: unknown, access: SignedAccess): unknown {
  const { place } = access;
  const failure = restFailure(error);
  const meaning = failure && meaningOf(failure, access);
  if (failure === undefined || meaning === undefined) return networkErrorFrom(error, place);
  const [code, reason, hint] = meaning;
  const waitMs = retryAfterMs(failure.retryAfter);
  return new HoldfastError(code, {
    message: `${place}: ${reason}${failure.code === undefined ? '' : ` (${failure.code})`}`,
    ...(hint === undefined ? {} : { hint }),
    context: {
      place,
      azureCode: failure.code,
      status: failure.status,
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    },
    cause: error,
  });
}
