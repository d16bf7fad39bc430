import type { Notification } from './notification.ts';

/** What a notifier may use while it sends. */
export interface SendContext {
  /** Ends the sending; it is aborted at the latest when its time is up. */
  readonly signal: AbortSignal;
}

/**
 * A way to tell people or a program. `send` comes back when the other side has taken the notification. Throws `notify.failed`, and
 * `notify.unavailable` where another try may pass. Nothing that it throws, and nothing of `place`, holds a secret.
 */
export interface Notifier {
  /** `email`, `slack`. */
  readonly type: string;
  /** For people, without secrets: an address, a host. */
  readonly place: string;
  send(notification: Notification, context: SendContext): Promise<void>;
}
