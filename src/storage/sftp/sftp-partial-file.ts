import { posix } from 'node:path';
import type { InputAttributes, Stats } from 'ssh2';
import { RangeSet } from '../../archive/range-set.ts';
import { HoldfastError } from '../../errors.ts';
import type { ReplicatedFile } from '../replication.ts';
import { RemoteFile } from './remote-file.ts';
import type { Handle, SftpConnection } from './sftp-connection.ts';
import { readFully } from './sftp-random-access.ts';
import type { SftpSession } from './sftp-session.ts';

/** Pieces that are written at once: 2.5 MiB with the size that OpenSSH takes, which lets 2 MiB be on the way. */
const piecesAtOnce = 10;
const moveBufferBytes = 2 * 1024 * 1024;
/** One request to copy on the server: it answers nothing else meanwhile. */
const copyBytes = 64 * 1024 * 1024;
// Flags of a request to open: draft-ietf-secsh-filexfer-02, 6.3.
const readWriteFlags = 0x03;
const createFlags = readWriteFlags | 0x08 | 0x20;

/** How the file is made. */
export interface PartialFileOptions {
  readonly session: SftpSession;
  readonly path: string;
  readonly mode: number;
  /** Sets the mode whatever the umask of the server is. */
  readonly exactMode: boolean;
  readonly owner: { readonly uid?: number | undefined; readonly gid?: number | undefined };
  /** Ends waiting. */
  readonly signal: AbortSignal;
}

/**
 * The unfinished file of a writer, on the server. What is appended is cut into pieces of one request each, written at their places
 * without waiting for answers; a piece is kept until it is acknowledged, and written again on a new connection where one was lost.
 * Memory: 10 pieces of 255 KiB, as much again in the library, and two buffers of 2 MiB once further copies are moved.
 */
export class SftpPartialFile implements ReplicatedFile {
  readonly #options: PartialFileOptions;
  readonly #file: RemoteFile;
  readonly #pieceBytes: number;
  readonly #freePieces: Buffer[] = [];
  #pieceCount = 0;
  #piece: Buffer | undefined;
  #filledBytes = 0;
  /** Where the piece that is being filled will stand. */
  #offset = 0;
  readonly #underWay = new Set<number>();
  #changed = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;
  /** The end of what was acknowledged: a file that is shorter later on is not the one that was written. */
  #acknowledgedEnd = 0;
  #buffers: readonly [Uint8Array, Uint8Array] | undefined;
  // A server's file system is not known.
  readonly hasHoles = true;

  /** Makes the file; gives its attributes too, whose time is the server's. */
  static async create(options: PartialFileOptions): Promise<{ readonly file: SftpPartialFile; readonly stats: Stats }> {
    const { session, path, signal } = options;
    let isMade = false;
    let pieceBytes = 0;
    const made: { file?: SftpPartialFile } = {};
    const remote = new RemoteFile(session, path, async (connection) => {
      if (!isMade) return await create(connection, options);
      const handle = await connection.open(path, readWriteFlags);
      await made.file?.checkKept(connection, handle);
      return handle;
    });
    const stats = await remote.run(
      async (connection, handle) => {
        pieceBytes = connection.writeBytes;
        return await connection.handleStats(handle, path);
      },
      { signal },
    );
    isMade = true;
    made.file = new SftpPartialFile(options, remote, pieceBytes);
    return { file: made.file, stats };
  }

  private constructor(options: PartialFileOptions, file: RemoteFile, pieceBytes: number) {
    this.#options = options;
    this.#file = file;
    this.#pieceBytes = pieceBytes;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Bytes appended, written or not. */
  get appendedBytes(): number {
    return this.#offset + this.#filledBytes;
  }

  /** From its start the file stands on the server so far. */
  get writtenBytes(): number {
    return Math.min(this.#offset, ...this.#underWay);
  }

  get buffers(): readonly [Uint8Array, Uint8Array] {
    this.#buffers ??= [new Uint8Array(moveBufferBytes), new Uint8Array(moveBufferBytes)];
    return this.#buffers;
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** The memory may be used again once the promise is settled. An error may be thrown by a later call. */
  async append(bytes: Uint8Array): Promise<void> {
    let taken = 0;
    while (taken < bytes.length) {
      this.#throwFailure();
      this.#piece ??= await this.#freePiece();
      const length = Math.min(bytes.length - taken, this.#pieceBytes - this.#filledBytes);
      this.#piece.set(bytes.subarray(taken, taken + length), this.#filledBytes);
      this.#filledBytes += length;
      taken += length;
      if (this.#filledBytes === this.#pieceBytes) this.#send();
    }
  }

  /** Waits until all that was appended is acknowledged. */
  async flush(): Promise<void> {
    if (this.#filledBytes > 0) this.#send();
    while (this.#underWay.size > 0 && this.#failure === undefined) await this.#changed.promise;
    this.#throwFailure();
    this.#freePieces.length = 0;
    this.#pieceCount = 0;
  }

  async #freePiece(): Promise<Buffer> {
    for (;;) {
      this.#throwFailure();
      const piece = this.#freePieces.pop();
      if (piece !== undefined) return piece;
      if (this.#pieceCount < piecesAtOnce) {
        this.#pieceCount += 1;
        return Buffer.allocUnsafeSlow(this.#pieceBytes);
      }
      await this.#changed.promise;
    }
  }

  #send(): void {
    const piece = this.#piece;
    if (piece === undefined) return;
    const offset = this.#offset;
    const bytes = piece.subarray(0, this.#filledBytes);
    this.#offset += this.#filledBytes;
    this.#filledBytes = 0;
    this.#piece = undefined;
    this.#underWay.add(offset);
    this.write(bytes, offset).then(
      () => {
        this.#underWay.delete(offset);
        this.#freePieces.push(piece);
        this.#change();
      },
      (error: unknown) => {
        // Not free again: a step that was left alone may still send it.
        this.#failure ??= { error };
        this.#change();
      },
    );
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const { path } = this;
    const writes: Promise<void>[] = [];
    for (let start = 0; start < buffer.length; start += this.#pieceBytes) {
      const piece = buffer.subarray(start, start + this.#pieceBytes);
      const at = offset + start;
      const write = (connection: SftpConnection, handle: Handle) => connection.write(handle, path, piece, at);
      writes.push(
        this.#file.run(write, { signal: this.#options.signal }).then(() => this.#acknowledge(at + piece.length)),
      );
    }
    await Promise.allSettled(writes);
    await Promise.all(writes);
  }

  #acknowledge(end: number): void {
    this.#acknowledgedEnd = Math.max(this.#acknowledgedEnd, end);
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    const { path } = this;
    const pieces: Promise<number>[] = [];
    for (let start = 0; start < into.length; start += this.#pieceBytes) {
      const range = { into: into.subarray(start, start + this.#pieceBytes), offset: offset + start };
      const read = (connection: SftpConnection, handle: Handle) => readFully(connection, { handle, path }, range);
      pieces.push(this.#file.run(read, { signal: this.#options.signal }));
    }
    await Promise.allSettled(pieces);
    let total = 0;
    for (const length of await Promise.all(pieces)) total += length;
    this.require(total === into.length, 'it is shorter');
  }

  /**
   * Has the server copy the first run behind it. Gives what of the run stands in all copies when it is done: nothing where the server
   * cannot copy, or failed to.
   */
  async copyOnServer(runBytes: number, copies: number, onCopied: (doneBytes: number) => void): Promise<RangeSet> {
    const made = new RangeSet();
    const { path } = this;
    // OpenSSH does not copy between two handles of one path, which it compares as text.
    const folder = posix.dirname(path);
    const source = new RemoteFile(this.#options.session, `${folder}/./${posix.basename(path)}`, (connection) =>
      connection.open(`${folder}/./${posix.basename(path)}`, 0x01),
    );
    try {
      for (let offset = 0; offset < runBytes; offset += copyBytes) {
        const length = Math.min(copyBytes, runBytes - offset);
        for (let copy = 1; copy < copies; copy += 1) {
          const target = copy * runBytes + offset;
          const copied = await this.#file.run(
            async (connection, handle) => {
              if (!connection.has('copy-data')) return false;
              const from = { handle: await source.handle(connection), offset };
              await connection.copy(from, { handle, offset: target, path }, length);
              return true;
            },
            { signal: this.#options.signal },
          );
          if (!copied) return made;
          this.#acknowledge(target + length);
        }
        made.add(offset, offset + length);
        onCopied((offset + length) * (copies - 1));
      }
    } catch (error) {
      // What the server does not copy is sent; where it is full, sending says so.
      const isRefused = error instanceof HoldfastError && error.context['status'] !== undefined;
      if (!isRefused) throw error;
    } finally {
      await source.close();
    }
    return made;
  }

  /** After a new connection: the server still has what it had acknowledged. */
  async checkKept(connection: SftpConnection, handle: Handle): Promise<void> {
    const { size } = await connection.handleStats(handle, this.path);
    this.require(size >= this.#acknowledgedEnd, 'the server has lost a part of it');
  }

  /** Makes all of the file durable, and closes it. */
  async finish(sizeBytes: number): Promise<Stats> {
    const { path } = this;
    const stats = await this.#file.run(
      async (connection, handle) => {
        await connection.sync(handle, path);
        return await connection.handleStats(handle, path);
      },
      { signal: this.#options.signal },
    );
    this.require(stats.size === sizeBytes, 'another process changed it');
    await this.#file.close();
    return stats;
  }

  /** Removes the file. What is under way goes on to nowhere. */
  async remove(): Promise<void> {
    this.#failure ??= { error: new HoldfastError('operation.interrupted') };
    this.#change();
    await this.#file.close();
    await this.#options.session.run((connection) => removeIfThere(connection, this.path), { tries: 2 });
  }

  /** Throws `storage.failed` where the file is not what this writer made. */
  require(condition: boolean, problem: string): void {
    if (condition) return;
    const message = `the temporary file ${this.path} is not as it was written: ${problem}`;
    throw new HoldfastError('storage.failed', { message, context: { path: this.path } });
  }
}

/** Removes a file; that it is gone already is no error. */
export async function removeIfThere(connection: SftpConnection, path: string): Promise<void> {
  try {
    await connection.remove(path);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'storage.not_found') throw error;
  }
}

async function create(connection: SftpConnection, options: PartialFileOptions): Promise<Handle> {
  const { path, mode, exactMode, owner } = options;
  // An earlier try on a lost connection may have made it. The name is ours alone.
  await removeIfThere(connection, path);
  const handle = await connection.open(path, createFlags, { mode });
  const attributes: InputAttributes = exactMode ? { mode } : {};
  if (owner.uid !== undefined || owner.gid !== undefined) {
    // The protocol sets both at once.
    const { uid, gid } = await connection.handleStats(handle, path);
    Object.assign(attributes, { uid: owner.uid ?? uid, gid: owner.gid ?? gid });
  }
  try {
    if (Object.keys(attributes).length > 0) await connection.setAttributes(handle, path, attributes);
  } catch (error) {
    if (connection.lost === undefined) await removeIfThere(connection, path);
    if (!(error instanceof HoldfastError) || error.code !== 'storage.unauthorized' || attributes.uid === undefined)
      throw error;
    const message = `${path}: the server does not let this user give files to ${attributes.uid}:${attributes.gid ?? ''}`;
    const hint = 'leave `uid` and `gid` out, or name a group that the user is in';
    throw new HoldfastError('storage.unauthorized', { message, hint, cause: error });
  }
  return handle;
}
