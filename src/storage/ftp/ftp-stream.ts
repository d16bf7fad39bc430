import { Writable } from 'node:stream';
import type { FtpConnection } from './ftp-connection.ts';

interface Wanted {
  readonly offset: number;
  readonly into: Uint8Array;
  readonly done: PromiseWithResolvers<void>;
  filledBytes: number;
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

  /** `connect` gives a connection of this stream's own. */
  constructor(connect: () => Promise<FtpConnection>, path: string, offset: number) {
    this.#position = offset;
    this.#endOffset = offset;
    this.#ready = connect();
    this.#run(path, offset).catch((error: unknown) => this.#end(error));
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
    const connection = await this.#ready.catch(() => undefined);
    connection?.close();
    this.#end(new Error('closed'));
  }

  async #run(path: string, offset: number): Promise<void> {
    const connection = await this.#ready;
    if (this.#isClosed) return;
    const into = new Writable({
      highWaterMark: 256 * 1024,
      write: (chunk: Uint8Array, _encoding, release) => {
        this.#held = { bytes: chunk, release };
        this.#serve();
      },
      // Its error is that of the transfer.
      destroy: (_error, done) => done(null),
    });
    await connection.download(into, path, offset);
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
    for (const wanted of this.#queue.splice(0)) wanted.done.reject(error);
  }
}
