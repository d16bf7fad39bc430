import { HoldfastError } from '../errors.ts';
import type { Secret } from '../secret.ts';

/** The host of a URL that is a secret itself. Throws `config.invalid`. */
export function hostOf(url: Secret): string {
  try {
    const { host, protocol } = new URL(url.reveal());
    if (protocol === 'https:' || protocol === 'http:') return host;
  } catch {
    // Told below, without the text: it may be a token that was put in the wrong place.
  }
  throw new HoldfastError('config.invalid', {
    message: 'the url of a notification is not a URL',
    hint: 'it begins with https://',
  });
}

/** Sends a request; any answer of success is one. Throws `notify.failed`, `notify.unavailable`; neither tells the URL. */
export async function httpPost(options: {
  readonly type: string;
  readonly url: Secret;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { type, url, body, headers, signal } = options;
  const place = `${type} (${hostOf(url)})`;
  let response: Response;
  try {
    // To follow would give a secret to another host.
    response = await fetch(url.reveal(), { method: 'POST', body, headers: { ...headers }, signal, redirect: 'manual' });
  } catch (cause) {
    const code = ((cause as Error).cause as NodeJS.ErrnoException | undefined)?.code;
    const why = signal.aborted ? 'no answer in time' : (code ?? 'the connection failed');
    throw new HoldfastError('notify.unavailable', { message: `${place}: ${why}` });
  }
  await response.body?.cancel();
  if (response.ok) return;
  const isPassing = response.status === 408 || response.status === 429 || response.status >= 500;
  throw new HoldfastError(isPassing ? 'notify.unavailable' : 'notify.failed', {
    message: `${place}: the answer was ${response.status}`,
    context: { status: response.status },
  });
}

const json = { 'content-type': 'application/json' } as const;

/** The same with a value as JSON. */
export async function postJson(options: {
  readonly type: string;
  readonly url: Secret;
  readonly value: object;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { value, ...rest } = options;
  await httpPost({ ...rest, body: JSON.stringify(value), headers: json });
}
