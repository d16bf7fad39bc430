import { copyBytes } from '../../bytes.ts';
import { systemWait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { nameTaken } from '../name-taken.ts';
import type { RandomAccess, StoredObject } from '../storage.ts';
import { withReadWindows } from '../wrap/read-windows.ts';
import type { AppendWriter } from '../wrap/spool.ts';
import { type FtpConnection, isNotFound } from './ftp-connection.ts';
import type { FtpConnections } from './ftp-connections.ts';
import { FtpReader } from './ftp-reader.ts';
import { FtpUpload } from './ftp-upload.ts';

/** What was sent last is kept, since a cut loses what is under way: more than the buffers of both systems hold. */
const keptBytes = 16 * 1024 * 1024;
/** Without a byte that got through in between. */
const maximumTries = 5;
const firstDelayMs = 200;

/** What an {@link FtpWriter} writes. */
export interface FtpWriterOptions {
  readonly name: string;
  readonly temporaryPath: string;
  readonly path: string;
  readonly createOnly: boolean;
  readonly connections: FtpConnections;
  /** Of the object, once it is there. */
  readonly stat: (connection: FtpConnection) => Promise<StoredObject>;
}

/**
 * Uploads under a temporary name, and renames at commit. After a cut it goes on where the server's file ends (`SIZE`, then `APPE`), as
 * long as that lies within the last 16 MiB, which it holds in memory.
 */
export class FtpWriter implements AppendWriter {
  readonly #options: FtpWriterOptions;
  readonly #stop = new AbortController();
  #connection: FtpConnection | undefined;
  #upload: FtpUpload | undefined;
  #kept: Uint8Array[] = [];
  /** What was kept longest, and is sent since: its memory serves one that needs at least half of it. */
  #spare: Uint8Array | undefined;
  #keptBytes = 0;
  #appendedBytes = 0;
  /** How far the server's file reached at the last cut. */
  #reachedBytes = -1;
  #tries = 0;
  #isFinishing = false;
  #running: Promise<unknown> = Promise.resolve();
  /** From here on it is not stopped in the middle: nobody could say whether the object is there. */
  #isPublishing = false;
  #isPublished = false;

  private constructor(options: FtpWriterOptions, connection: FtpConnection) {
    this.#options = options;
    this.#connection = connection;
  }

  /** Begins the file, so that a place that cannot be written is told at once. */
  static async open(options: FtpWriterOptions): Promise<FtpWriter> {
    const connection = await options.connections.take();
    const writer = new FtpWriter(options, connection);
    try {
      const upload = new FtpUpload(connection, options.temporaryPath, false);
      writer.#upload = upload;
      await upload.started();
    } catch (error) {
      await writer.#resume(error);
    }
    return writer;
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#run(async () => {
      const own = this.#copyOf(bytes);
      this.#keep(own);
      this.#appendedBytes += own.length;
      await this.#through(async (upload) => await upload.push(own));
    });
  }

  finish(): Promise<void> {
    return this.#run(() => this.#finishUpload());
  }

  commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    return this.#run(async () => {
      await this.#check(check);
      this.#throwIfStopped();
      return await this.#publish();
    });
  }

  async abort(): Promise<void> {
    this.#stop.abort();
    if (!this.#isPublishing) this.#connection?.close();
    await Promise.allSettled([this.#running]);
    this.#connection?.close();
    if (this.#isPublished) return;
    await this.#options.connections.use((connection) => removeIfThere(connection, this.#options.temporaryPath));
  }

  #run<Result>(step: () => Promise<Result>): Promise<Result> {
    const running = step();
    this.#running = running;
    return running;
  }

  #throwIfStopped(): void {
    if (this.#stop.signal.aborted) throw new HoldfastError('operation.interrupted');
  }

  #copyOf(bytes: Uint8Array): Uint8Array {
    const memory = this.#spare?.buffer;
    const fits = memory !== undefined && memory.byteLength >= bytes.length && memory.byteLength <= 2 * bytes.length;
    const copy = fits ? new Uint8Array(memory, 0, bytes.length) : new Uint8Array(bytes.length);
    if (fits) this.#spare = undefined;
    copyBytes(bytes, copy, 0);
    return copy;
  }

  #keep(bytes: Uint8Array): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    while (this.#keptBytes - (this.#kept[0]?.length ?? 0) >= keptBytes) {
      this.#spare = this.#kept.shift();
      this.#keptBytes -= this.#spare?.length ?? 0;
    }
  }

  /** Does a step of the upload; after a cut all that is missing is sent again, which is what the step was to do. */
  async #through(step: (upload: FtpUpload) => Promise<void>): Promise<void> {
    this.#throwIfStopped();
    try {
      if (this.#upload !== undefined) await step(this.#upload);
    } catch (error) {
      await this.#resume(error);
    }
  }

  async #finishUpload(): Promise<void> {
    this.#isFinishing = true;
    for (let isComplete = false; !isComplete; ) {
      this.#throwIfStopped();
      try {
        await this.#upload?.finish();
        await this.#assertArrived();
        isComplete = true;
      } catch (error) {
        await this.#resume(error);
      }
    }
    this.#upload = undefined;
    // Nothing is sent again, and what comes next needs memory too.
    this.#kept = [];
    this.#keptBytes = 0;
    this.#spare = undefined;
  }

  /** Without TLS a transfer that somebody between cut short looks like one that has ended, to both sides. */
  async #assertArrived(): Promise<void> {
    const { temporaryPath } = this.#options;
    const sizeBytes = await this.#connection?.sizeBytes(temporaryPath);
    if (sizeBytes === this.#appendedBytes) return;
    const message = `${temporaryPath}: the server has ${sizeBytes} bytes of ${this.#appendedBytes}`;
    const isShort = sizeBytes === undefined || sizeBytes < this.#appendedBytes;
    if (isShort) throw new HoldfastError('storage.unavailable', { message });
    throw new HoldfastError('storage.failed', { message, hint: 'look for another program that writes there' });
  }

  /** Begins the upload anew where the server's file ends. */
  async #resume(first: unknown): Promise<void> {
    for (let error = first; ; ) {
      this.#upload = undefined;
      const connection = await this.#reconnect(error);
      try {
        return await this.#sendMissing(connection, error);
      } catch (reason) {
        error = reason;
      }
    }
  }

  async #sendMissing(connection: FtpConnection, cause: unknown): Promise<void> {
    const { temporaryPath } = this.#options;
    const size = await sizeIfThere(connection, temporaryPath);
    const reached = size ?? 0;
    if (reached > this.#reachedBytes) this.#tries = 0;
    this.#reachedBytes = Math.max(this.#reachedBytes, reached);
    const missing = this.#missingFrom(reached, cause);
    // Only the answer was lost; and a server may fail at an upload without bytes.
    if (this.#isFinishing && size === this.#appendedBytes) return;
    const upload = new FtpUpload(connection, temporaryPath, reached > 0);
    for (const bytes of missing) await upload.push(bytes);
    this.#upload = upload;
  }

  #missingFrom(size: number, cause: unknown): Uint8Array[] {
    const missing: Uint8Array[] = [];
    let offset = this.#appendedBytes - this.#keptBytes;
    if (size < offset || size > this.#appendedBytes) {
      const message = `${this.#options.temporaryPath}: the connection was cut, and the server has ${size} bytes: it cannot go on there`;
      throw new HoldfastError('storage.failed', { message, hint: 'run it again', cause });
    }
    for (const bytes of this.#kept) {
      const start = Math.max(0, size - offset);
      if (start < bytes.length) missing.push(bytes.subarray(start));
      offset += bytes.length;
    }
    return missing;
  }

  /** A new connection; throws the reason of the cut when another try is of no use. */
  async #reconnect(reason: unknown): Promise<FtpConnection> {
    for (let error = reason; ; ) {
      this.#throwIfStopped();
      this.#connection?.close();
      // A full disk does not get empty within seconds.
      const mayPass = !(error instanceof HoldfastError) || (error.retryable && error.code !== 'storage.full');
      if (!mayPass || this.#tries === maximumTries) throw error;
      if (this.#tries > 0) await systemWait(firstDelayMs * 2 ** (this.#tries - 1), this.#stop.signal);
      this.#tries += 1;
      try {
        return await this.#connect();
      } catch (connectError) {
        error = connectError;
      }
    }
  }

  async #connect(): Promise<FtpConnection> {
    this.#throwIfStopped();
    const connection = await this.#options.connections.take();
    this.#connection = connection;
    if (this.#stop.signal.aborted && !this.#isPublishing) connection.close();
    return connection;
  }

  /** Does something that may be repeated, on a new connection where the old one is gone. */
  async #steadily<Result>(step: (connection: FtpConnection) => Promise<Result>): Promise<Result> {
    this.#tries = 0;
    for (let connection = this.#connection; ; ) {
      try {
        if (connection === undefined || connection.isClosed) connection = await this.#connect();
        return await step(connection);
      } catch (error) {
        connection = await this.#reconnect(error);
      }
    }
  }

  async #check(check: ((stored: RandomAccess) => Promise<void>) | undefined): Promise<void> {
    if (check === undefined) return;
    // A server allows a client a few connections only.
    this.#release();
    const reader = new FtpReader({
      path: this.#options.temporaryPath,
      sizeBytes: this.#appendedBytes,
      connections: this.#options.connections,
      check: async () => {},
      signal: this.#stop.signal,
    });
    try {
      await check(withReadWindows(reader));
    } finally {
      await reader.close();
    }
  }

  async #publish(): Promise<StoredObject> {
    const { temporaryPath, path, stat, createOnly } = this.#options;
    let wasAsked = false;
    this.#isPublishing = true;
    await this.#steadily(async (connection) => {
      // The answer was lost, and it was done.
      if (wasAsked && (await sizeIfThere(connection, temporaryPath)) === undefined) return;
      // Servers replace a file by a rename without a word.
      if (createOnly && (await sizeIfThere(connection, path)) !== undefined) throw nameTaken(path);
      wasAsked = true;
      await connection.rename(temporaryPath, path);
    });
    this.#isPublished = true;
    const stored = await this.#steadily(stat);
    this.#release();
    return stored;
  }

  #release(): void {
    if (this.#connection !== undefined) this.#options.connections.release(this.#connection);
    this.#connection = undefined;
  }
}

async function sizeIfThere(connection: FtpConnection, path: string): Promise<number | undefined> {
  try {
    return await connection.sizeBytes(path);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Servers answer alike whether a file is not there or must not be removed. */
export async function removeIfThere(connection: FtpConnection, path: string): Promise<void> {
  try {
    await connection.remove(path);
  } catch (error) {
    if (connection.isClosed || (await sizeIfThere(connection, path)) !== undefined) throw error;
  }
}
