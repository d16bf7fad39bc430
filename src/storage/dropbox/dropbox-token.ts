import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { httpRequest, jsonOf, textOf } from '../remote/http-request.ts';
import type { DropboxAccess } from './dropbox-adapter.ts';

/** A new token is made this long before the old one ends. */
const earlyMs = 60_000;

interface Token {
  readonly header: string;
  readonly endsAtMs: number;
}

/** Gives the header that signs a request in, and renews the access token where there is a refresh token. */
export class DropboxToken {
  readonly #access: DropboxAccess;
  readonly #apiUrl: string;
  readonly #clock: Clock;
  #token: Promise<Token> | undefined;

  constructor(options: { access: DropboxAccess; apiUrl: string; clock?: Clock | undefined }) {
    this.#access = options.access;
    this.#apiUrl = options.apiUrl;
    this.#clock = options.clock ?? systemClock;
  }

  /** Whether another token can be had when one is refused. */
  get isRenewable(): boolean {
    return 'refreshToken' in this.#access;
  }

  /** The `Authorization` header; requests that come at once wait for one and the same token. */
  async header(signal: AbortSignal): Promise<string> {
    if ('accessToken' in this.#access) return `Bearer ${this.#access.accessToken.reveal()}`;
    for (;;) {
      const asked = this.#token;
      try {
        const token = await (asked ?? this.#renew(signal));
        if (token.endsAtMs - earlyMs > this.#clock.monotonicMs()) return token.header;
      } catch (error) {
        if (this.#token === asked || asked === undefined) this.#token = undefined;
        // Another request may have asked, and may have been ended.
        if (asked === undefined || signal.aborted) throw error;
      }
      if (this.#token === asked) this.#token = undefined;
    }
  }

  /** Makes the next header anew, unless that was done since `header` was given. */
  async forget(header: string): Promise<void> {
    const current = await this.#token?.catch(() => undefined);
    if (current?.header === header) this.#token = undefined;
  }

  #renew(signal: AbortSignal): Promise<Token> {
    this.#token = this.#ask(signal);
    return this.#token;
  }

  /** OAuth 2.0, RFC 6749 §6. */
  async #ask(signal: AbortSignal): Promise<Token> {
    if (!('refreshToken' in this.#access)) throw new HoldfastError('storage.credentials');
    const { refreshToken, appKey, appSecret } = this.#access;
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken.reveal() });
    if (appSecret === undefined) form.set('client_id', appKey);
    const basic = Buffer.from(`${appKey}:${appSecret?.reveal()}`).toString('base64');
    const startMs = this.#clock.monotonicMs();
    const response = await httpRequest({
      method: 'POST',
      url: `${this.#apiUrl}/oauth2/token`,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(appSecret === undefined ? {} : { authorization: `Basic ${basic}` }),
      },
      body: form.toString(),
      signal,
    });
    if (!response.ok) throw refusal(response.status, await textOf(response));
    const { access_token: token, expires_in: seconds } = (await jsonOf(response)) as Record<string, unknown>;
    // A life of a minute and less would be renewed without end.
    const lifeMs = Math.max(2 * earlyMs, Number(seconds ?? 14_400) * 1000);
    return { header: `Bearer ${token}`, endsAtMs: startMs + lifeMs };
  }
}

function refusal(status: number, text: string): HoldfastError {
  if (status === 429 || status >= 500) {
    return new HoldfastError('storage.unavailable', { message: `Dropbox gives no token now (${status})` });
  }
  const isApp = /invalid_client|unauthorized_client/.test(text);
  return new HoldfastError('storage.credentials', {
    message: isApp ? 'Dropbox does not know the app' : 'Dropbox does not know the refresh token',
    hint: isApp ? 'check `appKey` and `appSecret`' : 'it was revoked, or belongs to another app: make a new one',
    context: { status },
  });
}
