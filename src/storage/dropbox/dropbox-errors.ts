import { type ErrorCode, HoldfastError } from '../../errors.ts';
import { retryAfterMs } from '../remote/attempts.ts';
import { textOf } from '../remote/http-request.ts';

type Meaning = readonly [code: ErrorCode, reason: string, hint?: string];

interface Failure {
  readonly status: number;
  /** Such as `path/not_found/...`; empty where the answer is plain text. */
  readonly summary: string;
  readonly text: string;
  /** The `error` of the answer. */
  readonly error: Readonly<Record<string, unknown>>;
}

/** What a part of the summary means. The first that is found holds. See "Error handling" and each call in Dropbox's documentation. */
const bySummary: readonly (readonly [part: string, meaning: Meaning])[] = [
  [
    'expired_access_token',
    [
      'storage.credentials',
      'the access token has ended',
      'give `refreshToken` and `appKey`: an access token lives four hours',
    ],
  ],
  [
    'invalid_access_token',
    ['storage.credentials', 'Dropbox does not know the access token', 'make a new one: it may have been revoked'],
  ],
  ['user_suspended', ['storage.unauthorized', 'the account is suspended']],
  ['insufficient_space', ['storage.full', 'the Dropbox is full']],
  ['insufficient_quota', ['storage.full', 'the Dropbox is full']],
  ['too_large', ['storage.full', 'it is larger than a file of Dropbox can be (350 GB)']],
  ['no_write_permission', ['storage.unauthorized', 'this account may not write there']],
  ['team_folder', ['storage.unauthorized', 'a team folder cannot be changed so']],
  ['disallowed_name', ['storage.unauthorized', 'Dropbox does not take this name', 'choose another name']],
  ['malformed_path', ['storage.unauthorized', 'Dropbox does not take this name', 'choose another name']],
  ['restricted_content', ['storage.unauthorized', 'Dropbox has restricted this file']],
  ['too_many_requests', ['storage.throttled', 'Dropbox asks to slow down']],
  ['too_many_write_operations', ['storage.throttled', 'too much is written to this Dropbox at once']],
  ['operation_suppressed', ['storage.unavailable', 'Dropbox is at work on this place']],
  ['content_hash_mismatch', ['storage.unavailable', 'it arrived other than it was sent']],
  ['internal_error', ['storage.unavailable', 'Dropbox failed']],
  ['not_found', ['storage.not_found', 'it does not exist']],
  ['not_folder', ['storage.not_found', 'it is a file, not a folder']],
  ['not_file', ['storage.not_found', 'it is a folder, not a file']],
  ['conflict/folder', ['storage.conflict', 'a folder has this name', 'choose another name']],
  ['conflict', ['storage.conflict', 'another program changed it meanwhile']],
];

function scopeMeaning(scope: string): Meaning {
  const hint = `tick ${scope} under "Permissions" of the app in Dropbox's App Console, then make a new token`;
  return ['storage.unauthorized', `the token lacks the right ${scope}`, hint];
}

function meaningOf(failure: Failure): Meaning {
  const { status, summary, text, error } = failure;
  const scope = /required scope '([^']+)'/.exec(text)?.[1];
  if (scope !== undefined) return scopeMeaning(scope);
  if (summary.startsWith('missing_scope')) return scopeMeaning(String(error['required_scope'] ?? 'that is needed'));
  const known = bySummary.find(([part]) => summary.includes(part));
  if (known !== undefined) return known[1];
  if (status === 401) return ['storage.credentials', 'Dropbox refused the token'];
  if (status === 403) return ['storage.unauthorized', 'access was denied'];
  if (status === 429) return ['storage.throttled', 'Dropbox asks to slow down'];
  if (status >= 500) return ['storage.unavailable', `Dropbox failed (${status})`];
  return ['storage.failed', `Dropbox answered ${status}: ${(summary || text).slice(0, 200)}`];
}

async function failureOf(response: Response): Promise<Failure> {
  const text = await textOf(response);
  const { status } = response;
  try {
    const { error_summary: summary, error } = JSON.parse(text) as { error_summary?: unknown; error?: unknown };
    const fields = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
    return { status, summary: typeof summary === 'string' ? summary : '', text, error: fields };
  } catch {
    return { status, summary: '', text, error: {} };
  }
}

/** Reads an answer that is no success, and gives the error that it means; `context` has `summary` and `error` as Dropbox gave them. */
export async function dropboxErrorFrom(response: Response, place: string): Promise<HoldfastError> {
  const failure = await failureOf(response);
  const [code, reason, hint] = meaningOf(failure);
  const waitMs = retryAfterMs(response.headers.get('retry-after'));
  return new HoldfastError(code, {
    message: `${place}: ${reason}`,
    ...(hint === undefined ? {} : { hint }),
    context: {
      ...{ place, status: failure.status, summary: failure.summary, error: failure.error },
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    },
  });
}

/** What an error says, as Dropbox named it: `path/not_found/...`. */
export function summaryOf(error: unknown): string {
  return error instanceof HoldfastError ? String(error.context['summary'] ?? '') : '';
}

/** The offset that an upload session expects, where a call had another one. */
export function correctOffset(error: unknown): number | undefined {
  if (!(error instanceof HoldfastError) || !summaryOf(error).includes('incorrect_offset')) return undefined;
  const found = /"correct_offset":(\d+)/.exec(JSON.stringify(error.context['error']))?.[1];
  return found === undefined ? undefined : Number(found);
}
