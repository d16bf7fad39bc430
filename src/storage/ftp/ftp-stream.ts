import { Writable } from 'node:stream';
import type { FtpConnection } from './ftp-connection.ts';

interface Wanted {
  readonly offset: number;
  readonly into: Uint8Array;
  readonly done: PromiseWithResolvers<void>;
  filledBytes: number;
}

/** What an {@link FtpStream} receives, and from where. */
export interface FtpStreamOptions {
  /** A connection of the stream's own. */
  readonly connect: () => Promise<FtpConnection>;
  /** Takes the connection when the file is received to its end. */
  readonly release: (connection: FtpConnection) => void;
  readonly path: string;
  readonly offset: number;
}

/**
 * A download from an offset on that stands still while nobody wants more of it: ranges are taken from it in ascending order, and what
 * lies between them is passed over.
 */
export class FtpStream {
  readonly #ready: Promise<FtpConnection>;
  readonly #queue: Wanted[] = [];
  /** Where the next byte from the server belongs. */
  #position: number;
  /** Where the last wanted range ends. */
  #endOffset: number;
  /** Bytes that nobody wants yet, and what lets the server send more. */
  #held: { bytes: Uint8Array; release: () => void } | undefined;
  #error: unknown;
  #isEnded = false;
  #isClosed = false;

  readonly #started = Promise.withResolvers<void>();

  constructor(options: FtpStreamOptions) {
    this.#position = options.offset;
    this.#endOffset = options.offset;
    this.#ready = options.connect();
    this.#run(options).catch((error: unknown) => this.#end(error));
  }

  /** Settles when the first bytes are there, or never will be. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** Whether nothing more can be taken from it. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Fills `into` from an offset that is not before `endOffset`. */
  async take(offset: number, into: Uint8Array): Promise<void> {
    if (this.#isEnded) throw this.#error;
    const wanted = { offset, into, done: Promise.withResolvers<void>(), filledBytes: 0 };
    this.#queue.push(wanted);
    this.#endOffset = offset + into.length;
    this.#serve();
    await wanted.done.promise;
  }

  /** Closes it when all that was wanted of it is served. */
  async finish(): Promise<void> {
    await Promise.allSettled(this.#queue.map((wanted) => wanted.done.promise));
    await this.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // It may serve somebody else already.
    if (this.#isEnded) return;
    const connection = await this.#ready.catch(() => undefined);
    connection?.close();
    this.#end(new Error('closed'));
  }

  async #run({ path, offset, release: giveBack }: FtpStreamOptions): Promise<void> {
    const connection = await this.#ready;
    if (this.#isClosed) {
      connection.close();
      return;
    }
    const into = new Writable({
      highWaterMark: 256 * 1024,
      write: (chunk: Uint8Array, _encoding, release) => {
        this.#held = { bytes: chunk, release };
        this.#started.resolve();
        this.#serve();
      },
      // Its error is that of the transfer.
      destroy: (_error, done) => done(null),
    });
    await connection.download(into, path, offset);
    giveBack(connection);
    this.#end(new Error('the file ended early'));
  }

  #serve(): void {
    while (this.#held !== undefined) {
      const [wanted] = this.#queue;
      if (wanted === undefined) return;
      const { bytes, release } = this.#held;
      const skipped = Math.min(Math.max(0, wanted.offset - this.#position), bytes.length);
      const part = bytes.subarray(skipped, skipped + wanted.into.length - wanted.filledBytes);
      wanted.into.set(part, wanted.filledBytes);
      wanted.filledBytes += part.length;
      this.#position += skipped + part.length;
      this.#held.bytes = bytes.subarray(skipped + part.length);
      if (wanted.filledBytes === wanted.into.length) {
        this.#queue.shift();
        wanted.done.resolve();
      }
      if (this.#held.bytes.length > 0) continue;
      this.#held = undefined;
      release();
    }
  }

  #end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#started.resolve();
    for (const wanted of this.#queue.splice(0)) wanted.done.reject(error);
  }
}
