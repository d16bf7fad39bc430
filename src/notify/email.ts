import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type SMTPTransport from 'nodemailer/lib/smtp-transport/index.js';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { asText, cut, type Notification } from './notification.ts';
import type { Notifier, SendContext } from './notifier.ts';

/** Settings of {@link EmailNotifier}. */
export interface EmailOptions {
  readonly host: string;
  /** 587 unless set; 465 with `tls`, 25 with `none`. */
  readonly port?: number;
  /** `starttls` unless set; `tls` from the first byte; `none` for a relay on this machine, to which no password is sent. */
  readonly security?: 'starttls' | 'tls' | 'none';
  readonly user?: string;
  readonly password?: Secret;
  readonly from: string;
  readonly to: readonly string[];
  /** Path of a certificate authority in PEM, where the server's is not known to all. */
  readonly caPath?: string;
}

const ports = { starttls: 587, tls: 465, none: 25 } as const;
const timeoutMs = 15_000;
const subjectLength = 200;

/** E-mail by SMTP. */
export class EmailNotifier implements Notifier {
  readonly type = 'email';
  readonly place: string;
  readonly #options: EmailOptions;

  /** Throws `config.invalid` for a password that would pass in clear. */
  constructor(options: EmailOptions) {
    this.#options = options;
    this.place = options.to.join(', ');
    if (options.security === 'none' && options.password !== undefined) {
      throw new HoldfastError('config.invalid', {
        message: 'e-mail: with the security none the password would pass in clear',
        hint: 'use the security starttls or tls',
      });
    }
  }

  async send(notification: Notification, { signal }: SendContext): Promise<void> {
    const { createTransport } = await import('nodemailer');
    const { from, to } = this.#options;
    throwIfAborted(signal);
    const transport = createTransport(await this.#transportOptions(signal));
    const { event, id, title } = notification;
    try {
      await transport.sendMail({
        from,
        to: [...to],
        subject: cut(`[holdfast] ${title}`.replace(/\s+/g, ' '), subjectLength),
        text: asText(notification),
        headers: { 'X-Holdfast-Event': event, 'X-Holdfast-Id': id, 'Auto-Submitted': 'auto-generated' },
      });
    } catch (error) {
      throw this.#meaningOf(error);
    } finally {
      transport.close();
    }
  }

  async #transportOptions(signal: AbortSignal): Promise<SMTPTransport.Options> {
    const { host, security = 'starttls', port = ports[security], user, password, caPath } = this.#options;
    const ca = caPath === undefined ? {} : { tls: { ca: await this.#readAuthority(caPath) } };
    return {
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      ...(user === undefined ? {} : { auth: { user, pass: password?.reveal() ?? '' } }),
      ...ca,
      // The library has no signal: it is the connection that ends.
      getSocket: (_, callback) => {
        const connection = connect({ host, port, signal });
        const onError = (error: Error) => callback(error, undefined);
        connection.once('error', onError);
        connection.once('connect', () => {
          connection.off('error', onError);
          callback(null, { connection });
        });
      },
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    };
  }

  async #readAuthority(path: string): Promise<string> {
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new HoldfastError('notify.failed', { message: `email: ${path} cannot be read`, cause });
    }
  }

  /** What a server says may repeat what it was sent: only its numbers are told. */
  #meaningOf(error: unknown): HoldfastError {
    if (error instanceof HoldfastError) return error;
    const { code, responseCode, message = '' } = error as { code?: string; responseCode?: number; message?: string };
    const place = `email (${this.#options.host})`;
    // The library has one code for all of TLS; its text is Node's, and nothing of what the server said.
    if (responseCode === undefined && code !== 'EAUTH' && /certificate|altnames/i.test(message)) {
      const hint = "see that it is the right server, then give its certificate authority's file as caPath";
      return new HoldfastError('notify.unavailable', { message: `${place}: the certificate is not trusted`, hint });
    }
    if (code === 'EAUTH') {
      const hint = 'check user and password of the notification';
      return new HoldfastError('notify.failed', { message: `${place}: the server refuses the login`, hint });
    }
    const answer = responseCode === undefined ? (code ?? 'the connection failed') : `the answer was ${responseCode}`;
    const isPassing = responseCode === undefined ? code !== 'EENVELOPE' : responseCode < 500;
    return new HoldfastError(isPassing ? 'notify.unavailable' : 'notify.failed', { message: `${place}: ${answer}` });
  }
}
