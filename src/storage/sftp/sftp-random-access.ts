import assert from 'node:assert/strict';
import { HoldfastError } from '../../errors.ts';
import type { RandomAccess } from '../storage.ts';
import type { RemoteFile } from './remote-file.ts';
import type { Handle, SftpConnection } from './sftp-connection.ts';

/** Requests of one file that wait for an answer: 4 MiB with the size that OpenSSH takes. The memory is the callers'. */
const requestsAtOnce = 16;

/** Fills `into` by one request after the other; fewer bytes only at the end of the file. Gives how many. */
export async function readFully(
  connection: SftpConnection,
  file: { readonly handle: Handle; readonly path: string },
  range: { readonly into: Uint8Array; readonly offset: number },
): Promise<number> {
  const into = Buffer.from(range.into.buffer, range.into.byteOffset, range.into.length);
  let done = 0;
  while (done < into.length) {
    const piece = into.subarray(done, done + connection.readBytes);
    const length = await connection.read(file.handle, file.path, piece, range.offset + done);
    if (length === 0) break;
    done += length;
  }
  return done;
}

/** Ranges of a file, each by requests that are under way together with those of other ranges. */
export class SftpRandomAccess implements RandomAccess {
  readonly sizeBytes: number;
  readonly #file: RemoteFile;
  readonly #place: string;
  #isClosed = false;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: { readonly file: RemoteFile; readonly sizeBytes: number; readonly place: string }) {
    this.sizeBytes = parts.sizeBytes;
    this.#file = parts.file;
    this.#place = parts.place;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
    const wanted = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    if (wanted === 0) this.#refuseWhenClosed();
    const pieces: Promise<{ readonly wanted: number; readonly done: number }>[] = [];
    for (let start = 0; start < wanted; ) {
      await this.#turn();
      const end = Math.min(wanted, start + this.#pieceBytes);
      pieces.push(this.#readPiece(offset + start, into.subarray(start, end)).finally(() => this.#release()));
      // Whoever waits for an earlier piece may fail first; each failure is one of the whole read.
      pieces.at(-1)?.catch(() => undefined);
      start = end;
    }
    let total = 0;
    // The memory is the caller's again when this returns: nothing may write to it any more.
    await Promise.allSettled(pieces);
    for (const piece of await Promise.all(pieces)) {
      total += piece.done;
      // The file was cut since it was opened: its end is here now.
      if (piece.done < piece.wanted) break;
    }
    return total;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }

  /** What OpenSSH gives at once; a server that gives less is asked for the rest of a piece. */
  get #pieceBytes(): number {
    return 255 * 1024;
  }

  async #readPiece(offset: number, into: Uint8Array) {
    this.#refuseWhenClosed();
    const { path } = this.#file;
    const done = await this.#file.run((connection, handle) =>
      readFully(connection, { handle, path }, { into, offset }),
    );
    return { wanted: into.length, done };
  }

  #refuseWhenClosed(): void {
    if (!this.#isClosed) return;
    throw new HoldfastError('storage.failed', { message: `${this.#place}: it was closed` });
  }

  async #turn(): Promise<void> {
    if (this.#underWay < requestsAtOnce) this.#underWay += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#underWay -= 1;
    else next();
  }
}
