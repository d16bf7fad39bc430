/** An SMTP server on the loopback. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** A mail as it came. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** With its transfer encoding taken off, roughly. */
  readonly text: string;
  readonly raw: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
}

function decoded(raw: string): string {
  if (/content-transfer-encoding: base64/i.test(raw)) {
    const [head = '', ...body] = raw.split('\r\n\r\n');
    return `${unfolded(head)}\n\n${Buffer.from(body.join(''), 'base64').toString()}`;
  }
  const bytes = raw
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return unfolded(Buffer.from(bytes, 'latin1').toString());
}

function unfolded(text: string): string {
  return text.replace(/\r\n[ \t]/g, ' ');
}

/** Takes mail of one user, over STARTTLS. */
export class SmtpReceiver {
  answer: 'accept' | 'refuse' | 'fail' | 'hang' = 'accept';
  readonly #mails: ReceivedMail[] = [];
  readonly #server: SMTPServer;

  static async start(options: {
    readonly certificatePath: string;
    readonly keyPath: string;
    readonly password: string;
  }): Promise<SmtpReceiver> {
    const receiver = new SmtpReceiver(options);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server.server, 'listening');
    return receiver;
  }

  private constructor(options: {
    readonly certificatePath: string;
    readonly keyPath: string;
    readonly password: string;
  }) {
    this.#server = new SMTPServer({
      cert: readFileSync(options.certificatePath),
      key: readFileSync(options.keyPath),
      authOptional: true,
      closeTimeout: 200,
      onAuth: ({ password, username = '' }, _, callback) => {
        if (password === options.password) callback(null, { user: username });
        else callback(new Error(`no user with the password ${password}`));
      },
      onData: (stream, session, callback) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const raw = Buffer.concat(chunks).toString('latin1');
          const { mailFrom, rcptTo } = session.envelope;
          this.#mails.push({
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            text: decoded(raw),
            raw,
            isEncrypted: session.secure,
            user: session.user,
          });
          if (this.answer === 'hang') return;
          if (this.answer === 'accept') return callback();
          const error = Object.assign(new Error('no'), { responseCode: this.answer === 'refuse' ? 554 : 451 });
          callback(error);
        });
      },
    });
    this.#server.on('error', () => undefined);
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  take(): ReceivedMail[] {
    return this.#mails.splice(0);
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(resolve));
  }
}
