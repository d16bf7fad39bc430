import { type ErrorCode, HoldfastError } from '../../errors.ts';
import { retryAfterMs } from '../remote/attempts.ts';
import { textOf } from '../remote/http-request.ts';

type Meaning = readonly [code: ErrorCode, reason?: string | undefined, hint?: string];

interface Failure {
  readonly status: number;
  /** Such as `rateLimitExceeded`; empty where the answer has none. */
  readonly reason: string;
  readonly message: string;
}

/** By the reason in the answer. See "HTTP status and error codes for JSON" of Cloud Storage. */
const byReason: Readonly<Record<string, Meaning>> = {
  rateLimitExceeded: ['storage.throttled', 'Google asks to slow down'],
  userRateLimitExceeded: ['storage.throttled', 'Google asks to slow down'],
  quotaExceeded: ['storage.throttled', 'a quota of the project is used up'],
  retentionPolicyNotMet: ['storage.locked', 'the retention policy of the bucket keeps it'],
  objectUnderActiveHold: ['storage.locked', 'a hold keeps it', 'take the hold off'],
  accountDisabled: ['storage.unauthorized', 'the account is disabled', 'look at the billing of the project'],
  userProjectMissing: ['storage.unauthorized', 'the bucket wants the one who asks to pay'],
};

const byStatus: Readonly<Record<number, Meaning>> = {
  401: ['storage.credentials'],
  403: [
    'storage.unauthorized',
    undefined,
    'the role "Storage Object User" (roles/storage.objectUser) on the bucket has all rights',
  ],
  404: ['storage.not_found', 'it does not exist'],
  408: ['storage.unavailable', 'Google waited too long for it'],
  412: ['storage.conflict', 'another program changed it meanwhile'],
  413: ['storage.full', 'it is larger than Google takes'],
  429: ['storage.throttled', 'Google asks to slow down'],
};

function meaningOf({ status, reason, message }: Failure): Meaning {
  if (status === 404 && /bucket does not exist/i.test(message)) return ['storage.container_not_found', message];
  const known = byReason[reason] ?? byStatus[status];
  if (known !== undefined) return known;
  return status >= 500 ? ['storage.unavailable', `Google failed (${status})`] : ['storage.failed', undefined];
}

function failureOf(status: number, text: string): Failure {
  try {
    const { error } = JSON.parse(text) as {
      error?: { message?: unknown; errors?: readonly { reason?: unknown }[] };
    };
    const { message, errors } = error ?? {};
    return { status, reason: String(errors?.[0]?.reason ?? ''), message: String(message ?? '') };
  } catch {
    // The answer of a media request, or of something in between, is plain text or HTML.
    return { status, reason: '', message: text.slice(0, 200) };
  }
}

/** Reads an answer that is no success, and gives the error that it means. */
export async function gcsErrorFrom(response: Response, place: string): Promise<HoldfastError> {
  const failure = failureOf(response.status, await textOf(response));
  const [code, reason, hint] = meaningOf(failure);
  const waitMs = retryAfterMs(response.headers.get('retry-after'));
  // What Google says of a missing right names the account and the right.
  const why = reason ?? (failure.message === '' ? `Google answered ${failure.status}` : failure.message.trim());
  return new HoldfastError(code, {
    message: `${place}: ${why}`,
    ...(hint === undefined ? {} : { hint }),
    context: {
      ...{ place, status: failure.status, reason: failure.reason },
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    },
  });
}
