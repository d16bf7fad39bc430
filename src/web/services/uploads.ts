import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freeSpace } from '../../disk/free-space.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { HoldfastError } from '../../errors.ts';
import { isAllowed, requireRole } from '../access/roles.ts';
import type { WebUser } from '../web-environment.ts';
import type { ServiceContext } from './service-context.ts';
import type { UploadFacts, UploadServices } from './web-services.ts';

/** How much may be uploaded. */
export interface UploadLimits {
  /** The folder that files wait in; `.holdfast/uploads` beside the configuration unless set. */
  readonly folder: string;
  /** Of one: a TiB unless set. */
  readonly maximumSizeBytes: number;
  /** Of all that wait: the same unless set. */
  readonly maximumTotalBytes: number;
  /** Of all that wait: 20 unless set. */
  readonly maximumCount: number;
  /** What nobody goes on with is removed after: a day unless set. */
  readonly keptMs: number;
  /** What has to stay free on the disk: a GiB unless set. */
  readonly reserveBytes: number;
}

const tebibyte = 1024 ** 4;

/** The limits where the configuration sets none. */
export const defaultUploadLimits: Omit<UploadLimits, 'folder'> = {
  maximumSizeBytes: tebibyte,
  maximumTotalBytes: tebibyte,
  maximumCount: 20,
  keptMs: 86_400_000,
  reserveBytes: 1024 ** 3,
};

/** Whoever sends to an upload. */
interface Sender {
  readonly userName: string;
  readonly ending: AbortController;
  /** Settles once nothing of it is written any more. */
  readonly ended: Promise<void>;
}

interface Upload {
  readonly id: string;
  readonly name: string;
  sizeBytes: number;
  readonly startedBy: string;
  receivedBytes: number;
  touchedMs: number;
  sender: Sender | undefined;
}

const idPattern = /^[0-9a-f]{24}$/;

/** A name for people: it never becomes a path. */
function shownName(name: string): string {
  const base = name.toWellFormed().split(/[/\\]/).at(-1) ?? '';
  return base.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').slice(0, 200) || 'upload';
}

/**
 * Files on their way up, in a folder of their own. A file has the id that we gave it; what came before a crash is there after it, and the
 * client goes on from there.
 */
export class Uploads implements UploadServices {
  readonly #context: ServiceContext;
  readonly #limits: UploadLimits;
  readonly #uploads = new Map<string, Upload>();

  constructor(context: ServiceContext, limits: UploadLimits) {
    this.#context = context;
    this.#limits = limits;
  }

  /** Finds what earlier processes received. */
  async open(): Promise<void> {
    const { folder } = this.#limits;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const file of await readdir(folder)) {
      const [id = '', kind] = file.split('.');
      if (kind !== 'json' || !idPattern.test(id)) continue;
      try {
        const { name, sizeBytes, startedBy } = JSON.parse(await readFile(join(folder, file), 'utf8'));
        const { size, mtimeMs } = await stat(this.#path(id));
        const known = { id, name: shownName(String(name)), sizeBytes: Number(sizeBytes), startedBy: String(startedBy) };
        this.#uploads.set(id, { ...known, receivedBytes: size, touchedMs: mtimeMs, sender: undefined });
      } catch (error) {
        this.#context.log(`the upload ${id} cannot be read, and is removed: ${String(error)}`);
        await this.#removeFiles(id);
      }
    }
    await this.#removeOld();
  }

  async create(
    user: WebUser,
    { name, sizeBytes }: { readonly name: string; readonly sizeBytes: number },
  ): Promise<UploadFacts> {
    requireRole(user, 'operator');
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
      throw new HoldfastError('request.invalid', {
        message: 'the size of the upload is a whole number of bytes, from 1 on',
      });
    }
    await this.#removeOld();
    await this.#requireRoom(sizeBytes);
    const { access, clock } = this.#context;
    const id = access.newId();
    const upload: Upload = {
      id,
      name: shownName(name),
      sizeBytes,
      startedBy: user.name,
      receivedBytes: 0,
      touchedMs: clock.nowMs(),
      sender: undefined,
    };
    // Counted before anything is awaited: many at once do not get past the limits.
    this.#uploads.set(id, upload);
    try {
      const file = await open(this.#path(id), 'wx', 0o600);
      await file.close();
      await this.#writeFacts(upload);
    } catch (thrown) {
      this.#uploads.delete(id);
      await this.#removeFiles(id);
      throw asStorageError(thrown);
    }
    await this.#context.record(user, 'upload', `${upload.name} (${sizeBytes} bytes)`);
    return this.#facts(upload);
  }

  async append(user: WebUser, id: string, offsetBytes: number, body: AsyncIterable<Uint8Array>): Promise<UploadFacts> {
    requireRole(user, 'operator');
    const upload = this.#own(user, id);
    const { sender } = upload;
    requireTurn(upload, offsetBytes, user.name);
    if (sender !== undefined) {
      // A client that lost its connection is back before the server knows: the old one would be waited for in vain.
      sender.ending.abort();
      await sender.ended;
      this.#own(user, id);
      requireTurn(upload, offsetBytes);
    }
    const ending = new AbortController();
    const received = this.#receive(upload, body, ending.signal).finally(() => {
      upload.sender = undefined;
      upload.touchedMs = this.#context.clock.nowMs();
    });
    upload.sender = { userName: user.name, ending, ended: received.catch(() => undefined) };
    await received;
    return this.#facts(upload);
  }

  list(user: WebUser): readonly UploadFacts[] {
    return [...this.#uploads.values()].filter((upload) => isOwn(user, upload)).map((upload) => this.#facts(upload));
  }

  get(user: WebUser, id: string): UploadFacts | undefined {
    const upload = this.#uploads.get(id);
    return upload !== undefined && isOwn(user, upload) ? this.#facts(upload) : undefined;
  }

  async remove(user: WebUser, id: string): Promise<void> {
    requireRole(user, 'operator');
    const upload = this.#own(user, id);
    if (upload.sender !== undefined) throw busy(upload);
    this.#uploads.delete(id);
    await this.#removeFiles(id);
    await this.#context.record(user, 'remove an upload', upload.name);
  }

  /** What was received is all there is: the size was not known when it began. Throws `request.invalid` where there is nothing. */
  async finish(user: WebUser, id: string): Promise<UploadFacts> {
    const upload = this.#own(user, id);
    if (upload.receivedBytes === 0) throw new HoldfastError('request.invalid', { message: 'the file is empty' });
    upload.sizeBytes = upload.receivedBytes;
    await this.#writeFacts(upload);
    return this.#facts(upload);
  }

  /** Where one lies that is there as a whole. Throws `request.not_found`, `request.conflict`. */
  complete(user: WebUser, id: string): { readonly path: string; readonly name: string } {
    const upload = this.#own(user, id);
    if (upload.receivedBytes !== upload.sizeBytes || upload.sender !== undefined) {
      throw new HoldfastError('request.conflict', {
        message: `${upload.name} is not whole yet`,
        hint: 'send the rest of it',
      });
    }
    upload.touchedMs = this.#context.clock.nowMs();
    return { path: this.#path(id), name: upload.name };
  }

  async #receive(upload: Upload, body: AsyncIterable<Uint8Array>, ending: AbortSignal): Promise<void> {
    const file = await open(this.#path(upload.id), 'r+');
    try {
      for await (const piece of untilAborted(body, ending)) {
        if (upload.receivedBytes + piece.length > upload.sizeBytes) {
          throw new HoldfastError('request.too_large', {
            message: `more comes than the ${upload.sizeBytes} bytes that were announced`,
          });
        }
        let written = 0;
        while (written < piece.length) {
          const { bytesWritten } = await file.write(
            piece,
            written,
            piece.length - written,
            upload.receivedBytes + written,
          );
          written += bytesWritten;
        }
        upload.receivedBytes += piece.length;
      }
    } catch (thrown) {
      throw asStorageError(thrown);
    } finally {
      // What is told as received is there after a crash too.
      await file.sync().finally(() => file.close());
    }
  }

  async #writeFacts({ id, name, sizeBytes, startedBy }: Upload): Promise<void> {
    await writeFile(this.#path(id, 'new'), JSON.stringify({ name, sizeBytes, startedBy }), { mode: 0o600 });
    await rename(this.#path(id, 'new'), this.#path(id, 'json'));
  }

  #own(user: WebUser, id: string): Upload {
    const upload = this.#uploads.get(id);
    // Of another's nobody learns that it is there.
    if (upload !== undefined && isOwn(user, upload)) return upload;
    throw new HoldfastError('request.not_found', {
      message: 'there is no such upload',
      hint: 'it may have been removed for its age',
    });
  }

  async #requireRoom(sizeBytes: number): Promise<void> {
    const { maximumSizeBytes, maximumTotalBytes, maximumCount, reserveBytes, folder } = this.#limits;
    const waiting = [...this.#uploads.values()];
    const totalBytes = waiting.reduce((sum, upload) => sum + upload.sizeBytes, 0);
    if (sizeBytes > maximumSizeBytes || totalBytes + sizeBytes > maximumTotalBytes || waiting.length >= maximumCount) {
      throw new HoldfastError('request.too_large', {
        message: `an upload of ${sizeBytes} bytes is more than is allowed beside the ${waiting.length} that wait`,
        hint: 'remove some, or raise web.uploads in the configuration',
      });
    }
    const { freeBytes } = await freeSpace(folder);
    const awaitedBytes = waiting.reduce((sum, upload) => sum + upload.sizeBytes - upload.receivedBytes, 0);
    if (freeBytes - awaitedBytes - sizeBytes < reserveBytes) throw new HoldfastError('storage.full');
  }

  async #removeOld(): Promise<void> {
    const nowMs = this.#context.clock.nowMs();
    for (const { id, touchedMs, sender } of this.#uploads.values()) {
      if (sender !== undefined || nowMs - touchedMs < this.#limits.keptMs) continue;
      this.#uploads.delete(id);
      await this.#removeFiles(id);
    }
  }

  async #removeFiles(id: string): Promise<void> {
    for (const kind of ['json', 'new', 'part'] as const) await rm(this.#path(id, kind), { force: true });
  }

  #path(id: string, kind: 'json' | 'new' | 'part' = 'part'): string {
    return join(this.#limits.folder, `${id}.${kind}`);
  }

  #facts({ sender: _, touchedMs, ...upload }: Upload): UploadFacts {
    const isComplete = upload.receivedBytes === upload.sizeBytes;
    return { ...upload, isComplete, expiresMs: touchedMs + this.#limits.keptMs };
  }
}

function busy({ receivedBytes: offsetBytes }: Upload): HoldfastError {
  return new HoldfastError('request.conflict', { message: 'somebody is sending to it', context: { offsetBytes } });
}

/** Throws `request.conflict` where it goes on elsewhere, or somebody else is sending: whose own sender is in the way takes over. */
function requireTurn(upload: Upload, offsetBytes: number, userName?: string): void {
  const { receivedBytes, sender } = upload;
  if (sender !== undefined && sender.userName !== userName) throw busy(upload);
  if (offsetBytes === receivedBytes) return;
  throw new HoldfastError('request.conflict', {
    message: `it goes on at ${receivedBytes}, not at ${offsetBytes}`,
    context: { offsetBytes: receivedBytes },
  });
}

/** The pieces of a body, of which the next one may never come. Throws `request.conflict` once it is aborted. */
async function* untilAborted(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      const stop = () => reject(new HoldfastError('request.conflict', { message: 'it goes on by another connection' }));
      // For each piece anew: what waits for all of them would keep them all.
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      const next = await Promise.race([aborted, pieces.next()]).finally(() =>
        signal.removeEventListener('abort', stop),
      );
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    const returned = pieces.return?.();
    returned?.catch(() => undefined);
    // It ends after the piece that is under way, which may be never.
    if (!signal.aborted) await returned;
  }
}

function isOwn(user: WebUser, { startedBy }: Upload): boolean {
  return startedBy === user.name || isAllowed(user.role, 'admin');
}

function asStorageError(thrown: unknown): unknown {
  if (!isSystemError(thrown)) return thrown;
  const code = thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT' ? 'storage.full' : 'storage.failed';
  return new HoldfastError(code, { message: `the upload cannot be written: ${thrown.message}`, cause: thrown });
}
