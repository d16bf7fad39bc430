import { systemWait, type Wait } from '../clock.ts';
import { type ErrorCode, HoldfastError } from '../errors.ts';
import type { Notification, NotificationEvent } from './notification.ts';
import type { Notifier } from './notifier.ts';

/** A notifier, and what it is told of. */
export interface Subscription {
  readonly notifier: Notifier;
  readonly events: readonly NotificationEvent[];
}

/** What became of one notification at one notifier. */
export interface DeliveryReport {
  readonly type: string;
  readonly place: string;
  readonly event: NotificationEvent;
  readonly sent: boolean;
  readonly tries: number;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

const maximumTries = 3;
const tryTimeoutMs = 15_000;
const firstDelayMs = 1_000;
/** Each pause is so much longer than the one before. */
const delayFactor = 3;

/** Limits of the sending, for tests. */
export interface SendOptions {
  readonly wait?: Wait;
  readonly tryTimeoutMs?: number;
}

/**
 * Tells all that want to know, side by side, each three times at most, within a minute. It never throws: what could not be told stands
 * in what it gives, since a backup does not fail for a chat that is down.
 */
export async function sendAll(
  notification: Notification,
  subscriptions: readonly Subscription[],
  options: SendOptions = {},
): Promise<DeliveryReport[]> {
  const wanted = subscriptions.filter(({ events }) => events.includes(notification.event));
  return await Promise.all(wanted.map(({ notifier }) => sendOne(notification, notifier, options)));
}

async function sendOne(
  notification: Notification,
  notifier: Notifier,
  { wait = systemWait, tryTimeoutMs: limitMs = tryTimeoutMs }: SendOptions,
): Promise<DeliveryReport> {
  const { type, place } = notifier;
  const { event } = notification;
  let delayMs = firstDelayMs;
  for (let tries = 1; ; tries += 1) {
    try {
      await within(limitMs, notifier, notification);
      return { type, place, event, sent: true, tries };
    } catch (thrown) {
      const error = toError(thrown, type);
      if (!error.retryable || tries === maximumTries) {
        return { type, place, event, sent: false, tries, error: { code: error.code, message: error.message } };
      }
      await wait(delayMs).catch(() => undefined);
      delayMs *= delayFactor;
    }
  }
}

/** One try; one that does not heed its signal is left behind. */
async function within(limitMs: number, notifier: Notifier, notification: Notification): Promise<void> {
  const done = new AbortController();
  const over = new AbortController();
  const late = systemWait(limitMs, done.signal).then(() => {
    over.abort();
    throw new HoldfastError('notify.unavailable', { message: `${notifier.type}: no answer in ${limitMs / 1000} s` });
  });
  late.catch(() => undefined);
  try {
    await Promise.race([notifier.send(notification, { signal: over.signal }), late]);
  } finally {
    done.abort();
  }
}

/** What is not an error of ours may tell anything: only its kind is told. */
function toError(thrown: unknown, type: string): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const kind = thrown instanceof Error ? thrown.name : typeof thrown;
  return new HoldfastError('notify.failed', { message: `${type}: it failed (${kind})`, cause: thrown });
}
