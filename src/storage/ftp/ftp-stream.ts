import { Writable } from 'node:stream';
import { copyBytes } from '../../bytes.ts';
import { freeChunk } from '../remote/received-memory.ts';
import type { FtpConnection } from './ftp-connection.ts';

/** Of what was served last: segments of an archive that follow one another share a block. */
const keptBytes = 64 * 1024;

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
 * lies between them is passed over. A range may begin a little before the one ahead of it ends. Memory: 64 KiB.
 */
export class FtpStream {
  readonly #ready: Promise<FtpConnection>;
  readonly #queue: Wanted[] = [];
  /** Where the next byte from the server belongs. */
  #position: number;
  /** The last bytes of the range that was served last, which ends at the position. */
  #kept: Uint8Array = new Uint8Array(0);
  /** From where on the next range may begin, and where the last one ends. */
  #startOffset: number;
  #endOffset: number;
  /** Bytes that nobody wants yet, and what lets the server send more. */
  #held: { bytes: Uint8Array; readonly chunk: Uint8Array; readonly release: () => void } | undefined;
  #error: unknown;
  #isEnded = false;
  #isClosed = false;

  readonly #started = Promise.withResolvers<void>();

  constructor(options: FtpStreamOptions) {
    this.#position = options.offset;
    this.#startOffset = options.offset;
    this.#endOffset = options.offset;
    this.#ready = options.connect();
    this.#run(options).catch((error: unknown) => this.#end(error));
  }

  /** Settles when the first bytes are there, or never will be. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  get startOffset(): number {
    return this.#startOffset;
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

  /** Fills `into` from an offset that is not before `startOffset`. */
  async take(offset: number, into: Uint8Array): Promise<void> {
    if (this.#isEnded) throw this.#error;
    const wanted = { offset, into, done: Promise.withResolvers<void>(), filledBytes: 0 };
    this.#queue.push(wanted);
    if (offset + into.length > this.#endOffset) {
      this.#endOffset = offset + into.length;
      this.#startOffset = Math.max(offset, this.#endOffset - keptBytes);
    }
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
        this.#held = { bytes: chunk, chunk, release };
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
    for (let wanted = this.#queue[0]; wanted !== undefined; wanted = this.#queue[0]) {
      this.#fillFromKept(wanted);
      this.#fillFromHeld(wanted);
      // Bytes that came at once may have served it already.
      if (this.#queue[0] !== wanted) continue;
      if (wanted.filledBytes < wanted.into.length) return;
      this.#queue.shift();
      this.#keepEndOf(wanted);
      wanted.done.resolve();
    }
  }

  /** What was served before: the stream itself does not go back. */
  #fillFromKept(wanted: Wanted): void {
    const { into, filledBytes } = wanted;
    const start = this.#kept.length - (this.#position - wanted.offset - filledBytes);
    if (start < 0 || start >= this.#kept.length) return;
    const part = this.#kept.subarray(start, start + into.length - filledBytes);
    copyBytes(part, into, filledBytes);
    wanted.filledBytes += part.length;
  }

  #fillFromHeld(wanted: Wanted): void {
    const { into } = wanted;
    if (this.#held === undefined || wanted.filledBytes === into.length) return;
    const { bytes, chunk, release } = this.#held;
    const skipped = Math.min(Math.max(0, wanted.offset - this.#position), bytes.length);
    const part = bytes.subarray(skipped, skipped + into.length - wanted.filledBytes);
    copyBytes(part, into, wanted.filledBytes);
    wanted.filledBytes += part.length;
    this.#position += skipped + part.length;
    this.#held.bytes = bytes.subarray(skipped + part.length);
    if (this.#held.bytes.length > 0) return;
    this.#held = undefined;
    freeChunk(chunk);
    release();
  }

  /** A copy: the memory is the caller's again. */
  #keepEndOf({ offset, into }: Wanted): void {
    if (offset + into.length === this.#position) this.#kept = into.slice(Math.max(0, into.length - keptBytes));
  }

  #end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#started.resolve();
    for (const wanted of this.#queue.splice(0)) wanted.done.reject(error);
  }
}
