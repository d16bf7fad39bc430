import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Clock, systemClock } from '../clock.ts';
import type { Secret } from '../secret.ts';
import { hostOf, httpPost } from './http-post.ts';
import { type Notification, severityOf } from './notification.ts';
import type { Notifier, SendContext } from './notifier.ts';

const signatureHeader = 'holdfast-signature';
const timestampHeader = 'holdfast-timestamp';
const defaultToleranceMs = 5 * 60 * 1000;

function signatureOf(secret: Secret, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret.reveal()).update(`${timestamp}.${body}`).digest('hex')}`;
}

/** Settings of {@link WebhookNotifier}. */
export interface WebhookOptions {
  readonly url: Secret;
  /** Signs each request. */
  readonly secret?: Secret;
  readonly headers?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
}

/**
 * POSTs a notification as JSON. With a secret, `holdfast-signature` is `v1=` and the HMAC-SHA-256, hex, of `holdfast-timestamp` (seconds), a dot
 * and the body: a receiver checks it by {@link verifyWebhook}.
 */
export class WebhookNotifier implements Notifier {
  readonly type = 'webhook';
  readonly place: string;
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.place = hostOf(options.url);
  }

  async send(notification: Notification, { signal }: SendContext): Promise<void> {
    const { url, secret, headers, clock = systemClock } = this.#options;
    const { facts, occurredMs, ...rest } = notification;
    const body = JSON.stringify({
      version: 1,
      ...rest,
      severity: severityOf(notification.event),
      occurredAt: new Date(occurredMs).toISOString(),
      facts: Object.fromEntries(facts),
    });
    const timestamp = String(Math.floor(clock.nowMs() / 1000));
    const signed = secret && {
      [timestampHeader]: timestamp,
      [signatureHeader]: signatureOf(secret, timestamp, body),
    };
    await httpPost({
      type: this.type,
      url,
      body,
      signal,
      headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'holdfast', ...signed },
    });
  }
}

/**
 * Whether a request came from one who knows the secret, and not long ago: a receiver calls it with the body as it came.
 *
 * @example verifyWebhook({ body, headers: request.headers, secret: new Secret('…') })
 */
export function verifyWebhook(request: {
  readonly body: string;
  /** With names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly secret: Secret;
  /** How old it may be; five minutes unless set. */
  readonly toleranceMs?: number;
  readonly clock?: Clock;
}): boolean {
  const { body, headers, secret, toleranceMs = defaultToleranceMs, clock = systemClock } = request;
  const timestamp = headers[timestampHeader];
  const signature = headers[signatureHeader];
  if (typeof timestamp !== 'string' || typeof signature !== 'string' || !/^\d+$/.test(timestamp)) return false;
  if (Math.abs(clock.nowMs() - Number(timestamp) * 1000) > toleranceMs) return false;
  const expected = Buffer.from(signatureOf(secret, timestamp, body));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
