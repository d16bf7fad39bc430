import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Client, InputAttributes, SFTPWrapper, Stats } from 'ssh2';
import { type Clock, timeoutSignal } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { PassedBytes } from '../remote/collect-young.ts';
import {
  endStatus,
  explainFailure,
  type FileSystemStatus,
  failureStatus,
  isStatusError,
  silenceError,
  statusError,
} from './sftp-errors.ts';

/** Each byte is copied twice on its way through the library. */
const passed = new PassedBytes(4 * 1024 * 1024);

/** An open file on the server, of one connection. */
export type Handle = Buffer;

/** Extensions of OpenSSH that are used where the server has them (OpenSSH, PROTOCOL 4). */
export type Extension = 'posix-rename@openssh.com' | 'fsync@openssh.com' | 'statvfs@openssh.com' | 'copy-data';

/** A file in a folder. */
export interface FolderEntry {
  readonly name: string;
  /** Its own: a link is not followed. */
  readonly stats: Stats;
}

/** What {@link SftpConnection} is made of. */
export interface ConnectionParts {
  readonly client: Client;
  readonly socket: Socket;
  readonly sftp: SFTPWrapper;
  /** For people: user, host and port. */
  readonly place: string;
  /** How long the server may be silent while it is asked something; ten times as long where it has much to do. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** What the library keeps to itself of what the server said at the beginning. */
interface Negotiated {
  readonly _extensions?: Readonly<Record<string, string>>;
  readonly _maxReadLen?: number;
  readonly _maxWriteLen?: number;
}

interface Pending {
  readonly limitMs: number;
  readonly reject: (error: HoldfastError) => void;
}

type Done<Result> = (error: Error | null | undefined, result: Result) => void;

/** Every server takes requests of this size (draft-ietf-secsh-filexfer-02, 3). */
const safeRequestBytes = 32 * 1024;
const slowFactor = 10;
const closeLimitMs = 2_000;

/**
 * One connection, with many requests at once. Once it is lost, every request rejects, those under way too: then `lost` tells why. While
 * nothing is asked it does not keep the process alive.
 */
export class SftpConnection {
  readonly place: string;
  /** The most bytes in one request. */
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #sftp: SFTPWrapper & Negotiated;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #pending = new Set<Pending>();
  #answeredMs = 0;
  #isWatching = false;
  #lost: HoldfastError | undefined;

  constructor(parts: ConnectionParts) {
    this.place = parts.place;
    this.#client = parts.client;
    this.#socket = parts.socket;
    this.#sftp = parts.sftp;
    this.#timeoutMs = parts.timeoutMs;
    this.#clock = parts.clock;
    this.readBytes = this.#sftp._maxReadLen ?? safeRequestBytes;
    this.writeBytes = this.#sftp._maxWriteLen ?? safeRequestBytes;
    const lose = (error?: unknown) => this.#lose(error);
    parts.client.on('error', lose).on('close', () => lose());
    // What ends the server's side of SFTP alone would be missed on the client.
    for (const event of ['error', 'end', 'close'] as const) parts.sftp.on(event, lose);
    this.#socket.unref();
  }

  /** Why the connection is of no use any more. */
  get lost(): HoldfastError | undefined {
    return this.#lost;
  }

  has(extension: Extension): boolean {
    return this.#sftp._extensions?.[extension] !== undefined;
  }

  open(path: string, flags: number, attributes: InputAttributes = {}): Promise<Handle> {
    return this.#change<Handle>(path, (sftp, done) => sftp.open(path, flags, attributes, done));
  }

  async close(handle: Handle, path: string): Promise<void> {
    await this.#ask<void>(path, (sftp, done) => sftp.close(handle, (error) => done(error, undefined)));
  }

  /** Fills `into`, at most {@link readBytes}; gives how many bytes there were: fewer for any reason, none at the end. */
  async read(handle: Handle, path: string, into: Buffer, offset: number): Promise<number> {
    const count = await this.#ask<number>(path, (sftp, done) => sftp.read(handle, into, 0, into.length, offset, done));
    passed.add(count);
    return count;
  }

  /** Writes at most {@link writeBytes}. */
  async write(handle: Handle, path: string, bytes: Buffer, offset: number): Promise<void> {
    await this.#change<void>(path, (sftp, done) => {
      // The library cuts this into packets of 32 KiB: they go to the system together.
      this.#socket.cork();
      sftp.write(handle, bytes, 0, bytes.length, offset, (error) => done(error, undefined));
      this.#socket.uncork();
    });
    passed.add(bytes.length);
  }

  stats(path: string): Promise<Stats> {
    return this.#ask<Stats>(path, (sftp, done) => sftp.stat(path, done));
  }

  /** Those of a link itself. */
  linkStats(path: string): Promise<Stats> {
    return this.#ask<Stats>(path, (sftp, done) => sftp.lstat(path, done));
  }

  handleStats(handle: Handle, path: string): Promise<Stats> {
    return this.#ask<Stats>(path, (sftp, done) => sftp.fstat(handle, done));
  }

  async setAttributes(handle: Handle, path: string, attributes: InputAttributes): Promise<void> {
    await this.#ask<void>(path, (sftp, done) => sftp.fsetstat(handle, attributes, (error) => done(error, undefined)));
  }

  realPath(path: string): Promise<string> {
    return this.#ask<string>(path, (sftp, done) => sftp.realpath(path, done));
  }

  async makeFolder(path: string, mode: number): Promise<void> {
    await this.#change<void>(path, (sftp, done) => sftp.mkdir(path, { mode }, (error) => done(error, undefined)));
  }

  async setFolderMode(path: string, mode: number): Promise<void> {
    await this.#ask<void>(path, (sftp, done) => sftp.setstat(path, { mode }, (error) => done(error, undefined)));
  }

  /** Request by request: in one call of the library a large folder would look like a silent server. */
  async list(path: string): Promise<FolderEntry[]> {
    const handle = await this.#ask<Handle>(path, (sftp, done) => sftp.opendir(path, done));
    const entries: FolderEntry[] = [];
    try {
      for (let page = await this.#page(handle, path); page !== undefined; page = await this.#page(handle, path)) {
        for (const entry of page) if (entry.name !== '.' && entry.name !== '..') entries.push(entry);
      }
    } catch (error) {
      await this.close(handle, path).catch(() => undefined);
      throw error;
    }
    await this.close(handle, path);
    return entries;
  }

  /** The next entries of an open folder; undefined after the last. */
  async #page(handle: Handle, path: string): Promise<FolderEntry[] | undefined> {
    return await this.#ask<FolderEntry[] | undefined>(path, (sftp, done) =>
      sftp.readdir(handle, (error, list) => {
        if (isStatusError(error) && error.code === endStatus) done(undefined, undefined);
        else
          done(
            error,
            list?.map(({ filename, attrs }) => ({ name: filename, stats: attrs })),
          );
      }),
    );
  }

  async remove(path: string): Promise<void> {
    await this.#ask<void>(path, (sftp, done) => sftp.unlink(path, (error) => done(error, undefined)));
  }

  /** Fails where the folder is not empty. */
  async removeFolder(path: string): Promise<void> {
    await this.#ask<void>(path, (sftp, done) => sftp.rmdir(path, (error) => done(error, undefined)));
  }

  /** Replaces what stands there in one step where the server can; else most servers refuse to replace. */
  async rename(from: string, to: string, { replaces }: { readonly replaces: boolean }): Promise<void> {
    const canReplace = replaces && this.has('posix-rename@openssh.com');
    await this.#change<void>(to, (sftp, done) => {
      const ended = (error: Error | null | undefined) => done(error, undefined);
      if (canReplace) sftp.ext_openssh_rename(from, to, ended);
      else sftp.rename(from, to, ended);
    });
  }

  /** Makes the file durable; does nothing where the server cannot. */
  async sync(handle: Handle, path: string): Promise<void> {
    if (!this.has('fsync@openssh.com')) return;
    const slow = { limitMs: this.#timeoutMs * slowFactor };
    await this.#change<void>(
      path,
      (sftp, done) => sftp.ext_openssh_fsync(handle, (error) => done(error, undefined)),
      slow,
    );
  }

  /** Copies bytes on the server. */
  async copy(
    from: { handle: Handle; offset: number },
    to: { handle: Handle; offset: number; path: string },
    lengthBytes: number,
  ): Promise<void> {
    const slow = { limitMs: this.#timeoutMs * slowFactor };
    await this.#change<void>(
      to.path,
      (sftp, done) =>
        sftp.ext_copy_data(from.handle, from.offset, lengthBytes, to.handle, to.offset, (error) =>
          done(error, undefined),
        ),
      slow,
    );
  }

  /** Ends the connection; may be called again. */
  async end(): Promise<void> {
    this.#reject(new HoldfastError('storage.unavailable', { message: `${this.place}: the connection was closed` }));
    this.#socket.ref();
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    if (this.#socket.closed) resolve();
    else this.#socket.once('close', () => resolve());
    this.#client.end();
    await Promise.race([closed, once(timeoutSignal(closeLimitMs), 'abort')]);
    this.#socket.destroy();
  }

  /** As `#ask`, for what changes something: a failure is explained by the state of the disk. */
  async #change<Result>(
    path: string,
    send: (sftp: SFTPWrapper, done: Done<Result>) => void,
    options?: { readonly limitMs: number },
  ): Promise<Result> {
    try {
      return await this.#ask(path, send, options);
    } catch (error) {
      const isUnclear = error instanceof HoldfastError && error.context['status'] === failureStatus;
      if (!isUnclear || error.code !== 'storage.failed' || !this.has('statvfs@openssh.com')) throw error;
      const folder = path.replace(/[^/]*$/, '') || '.';
      let status: FileSystemStatus;
      try {
        status = await this.#ask<FileSystemStatus>(folder, (sftp, done) => sftp.ext_openssh_statvfs(folder, done));
      } catch {
        throw error;
      }
      throw explainFailure(error, path, status);
    }
  }

  async #ask<Result>(
    path: string,
    send: (sftp: SFTPWrapper, done: Done<Result>) => void,
    options: { readonly limitMs: number } = { limitMs: this.#timeoutMs },
  ): Promise<Result> {
    if (this.#lost !== undefined) throw this.#lost;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const pending: Pending = { limitMs: options.limitMs, reject };
    this.#begin(pending);
    send(this.#sftp, (error, result) => {
      if (!this.#end(pending)) return;
      if (!error) resolve(result);
      else if (isStatusError(error)) reject(statusError(error, path));
      else {
        this.#lose(error);
        reject(this.#lost);
      }
    });
    return await promise;
  }

  #begin(pending: Pending): void {
    if (this.#pending.size === 0) {
      this.#socket.ref();
      this.#answeredMs = this.#clock.monotonicMs();
    }
    this.#pending.add(pending);
    if (!this.#isWatching) this.#watch(this.#timeoutMs);
  }

  /** Whether the request was still waited for. */
  #end(pending: Pending): boolean {
    this.#answeredMs = this.#clock.monotonicMs();
    const wasPending = this.#pending.delete(pending);
    if (wasPending && this.#pending.size === 0) this.#socket.unref();
    return wasPending;
  }

  /** One timer at a time, however many requests there are: it looks when the server answered last. */
  #watch(delayMs: number): void {
    this.#isWatching = true;
    timeoutSignal(delayMs).addEventListener('abort', () => {
      this.#isWatching = false;
      if (this.#pending.size === 0) return;
      const limitMs = Math.max(...[...this.#pending].map((pending) => pending.limitMs));
      const silentMs = this.#clock.monotonicMs() - this.#answeredMs;
      if (silentMs >= limitMs) this.#lose(silenceError(this.place, silentMs));
      else this.#watch(Math.ceil(limitMs - silentMs));
    });
  }

  /** Ends it because of an error, or because the other side did. */
  #lose(error: unknown): void {
    if (this.#lost !== undefined) return;
    const reason = error instanceof Error && error.message !== '' ? `: ${error.message}` : '';
    const message = `${this.place}: the connection was lost${reason}`;
    const isKnown = error instanceof HoldfastError;
    this.#reject(isKnown ? error : new HoldfastError('storage.unavailable', { message, cause: error }));
    this.#socket.destroy();
  }

  #reject(lost: HoldfastError): void {
    if (this.#lost !== undefined) return;
    this.#lost = lost;
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const { reject } of pending) reject(lost);
  }
}
