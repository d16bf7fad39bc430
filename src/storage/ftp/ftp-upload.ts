import { Readable } from 'node:stream';
import { HoldfastError } from '../../errors.ts';
import type { FtpConnection } from './ftp-connection.ts';

const bufferBytes = 1024 * 1024;

/** One upload, fed as its connection takes the bytes. */
export class FtpUpload {
  readonly #source: Readable;
  readonly #done: Promise<void>;
  readonly #started = Promise.withResolvers<void>();
  #wanted = Promise.withResolvers<void>();
  #isFull = false;
  /** What ended the transfer; after `finish` its end is no failure. */
  #failure: unknown;

  constructor(connection: FtpConnection, path: string, append: boolean) {
    this.#source = new Readable({
      highWaterMark: bufferBytes,
      read: () => {
        this.#isFull = false;
        this.#started.resolve();
        this.#wanted.resolve();
      },
      // Its error is that of the transfer.
      destroy: (_error, done) => done(null),
    });
    this.#done = connection.upload(this.#source, path, append);
    // It is thrown by whichever call comes next.
    const fail = (failure: unknown) => {
      this.#failure = failure;
      this.#wanted.resolve();
    };
    const message = 'the server ended the transfer early';
    this.#done.then(() => fail(new HoldfastError('storage.unavailable', { message })), fail);
  }

  /** Settles when the server has taken the name, and wants the bytes. */
  async started(): Promise<void> {
    await Promise.race([this.#started.promise, this.#done]);
  }

  /** Keeps the bytes until they are sent. Throws what ended the transfer. */
  async push(bytes: Uint8Array): Promise<void> {
    // A race with the end of the transfer would keep some bytes of every push until then.
    if (this.#isFull) await this.#wanted.promise;
    if (this.#failure !== undefined) throw this.#failure;
    // Asked for before: the stream may call back at once.
    this.#wanted = Promise.withResolvers();
    this.#isFull = true;
    if (this.#source.push(bytes)) this.#isFull = false;
  }

  /** Ends the file; settles when the server has confirmed it. */
  async finish(): Promise<void> {
    this.#source.push(null);
    await this.#done;
  }
}
