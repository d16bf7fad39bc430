import assert from 'node:assert/strict';
import { HoldfastError } from '../../errors.ts';
import type { RandomAccess } from '../storage.ts';
import type { FtpConnection } from './ftp-connection.ts';
import type { FtpConnections } from './ftp-connections.ts';
import { FtpStream } from './ftp-stream.ts';

/** One for each of two copies that are read side by side, and one for what is looked up meanwhile. */
const maximumStreams = 3;
/** Receiving this much for nothing takes less time than a new connection: parity lies between the data of two bands. */
const maximumSkipBytes = 5 * 1024 * 1024;
const maximumTries = 4;

/** What an {@link FtpReader} reads. */
export interface FtpReaderOptions {
  readonly path: string;
  readonly sizeBytes: number;
  readonly connections: FtpConnections;
  /** Throws when the file is not the one any more that was opened; called before each new stream but the first. */
  readonly check: (connection: FtpConnection) => Promise<void>;
  /** Ends all that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a file by as few downloads as can be: a range costs a connection for its data, so that each download stays open, at rest, and
 * serves the ranges that follow it. Up to 3 connections; memory: what their sockets hold.
 */
export class FtpReader implements RandomAccess {
  readonly sizeBytes: number;
  readonly isSequential = true;
  readonly #options: FtpReaderOptions;
  /** The one that was used last is at the end. */
  #streams: FtpStream[] = [];
  #openedStreams = 0;
  #isClosed = false;
  readonly #onAbort = (): void => {
    for (const stream of this.#streams) void stream.close();
  };

  constructor(options: FtpReaderOptions) {
    this.sizeBytes = options.sizeBytes;
    this.#options = options;
    options.signal?.addEventListener('abort', this.#onAbort);
  }

  /** Begins to receive from the start: whoever opens an archive reads its header first. An object that is replaced from now on is read on. */
  async prefetch(): Promise<void> {
    if (this.sizeBytes > 0) await this.#streamFor(0).started;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
    const part = into.subarray(0, Math.max(0, Math.min(into.length, this.sizeBytes - offset)));
    for (let tries = 1; ; tries += 1) {
      if (this.#isClosed)
        throw new HoldfastError('storage.failed', { message: `${this.#options.path}: it was closed` });
      if (this.#options.signal?.aborted) throw new HoldfastError('operation.interrupted');
      if (part.length === 0) return 0;
      try {
        await this.#streamFor(offset).take(offset, part);
        return part.length;
      } catch (error) {
        const mayPass = !(error instanceof HoldfastError) || error.retryable;
        if (this.#isClosed || this.#options.signal?.aborted) continue;
        if (!mayPass || tries === maximumTries) throw this.#errorOf(error);
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    await Promise.all(this.#streams.splice(0).map((stream) => stream.close()));
  }

  #streamFor(offset: number): FtpStream {
    this.#streams = this.#streams.filter((stream) => !stream.isEnded);
    const reaches = (stream: FtpStream) =>
      offset >= stream.startOffset && offset - stream.endOffset <= maximumSkipBytes;
    const nearest = this.#streams.filter(reaches).sort((one, other) => other.endOffset - one.endOffset)[0];
    const stream = nearest ?? this.#open(offset);
    this.#streams = [...this.#streams.filter((other) => other !== stream), stream];
    return stream;
  }

  #open(offset: number): FtpStream {
    let before: FtpStream | undefined;
    if (this.#streams.length >= maximumStreams) {
      // One that serves others is better left alone.
      before = this.#streams.find((stream) => stream.isIdle) ?? this.#streams[0];
      this.#streams = this.#streams.filter((stream) => stream !== before);
    }
    const { connections, path } = this.#options;
    return new FtpStream({
      connect: () => this.#connect(before),
      release: (connection) => connections.release(connection),
      path,
      offset,
    });
  }

  /** Servers allow a client a few connections: the stream that makes room is closed first, when all that waits for it is served. */
  async #connect(before: FtpStream | undefined): Promise<FtpConnection> {
    await before?.finish();
    const connection = await this.#options.connections.take();
    this.#openedStreams += 1;
    if (this.#openedStreams === 1) return connection;
    try {
      await this.#options.check(connection);
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  #errorOf(error: unknown): HoldfastError {
    if (error instanceof HoldfastError) return error;
    const message = `${this.#options.path}: the server ends its transfers early`;
    return new HoldfastError('storage.unavailable', { message, cause: error });
  }
}
