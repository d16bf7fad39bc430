import { Secret } from '../secret.ts';
import { hostOf, httpPost } from './http-post.ts';
import { asText, type Notification, severityOf } from './notification.ts';
import type { Notifier, SendContext } from './notifier.ts';

const maximumBodyLength = 10_000;

/**
 * A watcher in the way of healthchecks: it is called after each run, at its URL or at `/fail` below it, and raises the alarm itself when no
 * call comes. What is no end of a run goes to `/log`.
 */
export class PingNotifier implements Notifier {
  readonly type = 'ping';
  readonly place: string;
  readonly #url: Secret;

  constructor({ url }: { readonly url: Secret }) {
    this.place = hostOf(url);
    this.#url = url;
  }

  async send(notification: Notification, { signal }: SendContext): Promise<void> {
    const url = new URL(this.#url.reveal());
    const ending = this.#endingOf(notification);
    if (ending !== '') url.pathname = `${url.pathname.replace(/\/$/, '')}/${ending}`;
    const body = asText(notification, maximumBodyLength);
    await httpPost({
      type: this.type,
      url: new Secret(url.href),
      body,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      signal,
    });
  }

  #endingOf({ event }: Notification): '' | 'fail' | 'log' {
    if (event === 'success') return '';
    return event === 'suspect' || severityOf(event) === 'bad' ? 'fail' : 'log';
  }
}
