import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { nameTaken } from '../name-taken.ts';
import type { AppendSteps, Check } from '../remote/append-steps.ts';
import { type Part, PartQueue } from '../remote/part-queue.ts';
import type { RandomAccess, StoredObject } from '../storage.ts';
import { ContentHash } from './content-hash.ts';
import { type DropboxClient, type DropboxFile, fileFrom } from './dropbox-client.ts';
import { correctOffset, summaryOf } from './dropbox-errors.ts';

/** What a writer needs to know. */
export interface DropboxWriterContext {
  readonly name: string;
  readonly path: string;
  /** For people. */
  readonly place: string;
  readonly client: DropboxClient;
  readonly openFile: (file: DropboxFile) => RandomAccess;
  readonly createOnly: boolean;
  readonly chunkBytes: number;
}

interface Published {
  /** Undefined while nobody knows whether it is there. */
  readonly rev: string | undefined;
  readonly old: DropboxFile | undefined;
  readonly contentHash: string;
}

const commitTries = 5;
const noBytes = new Uint8Array(0);

/**
 * Appends to an upload session, which Dropbox forgets after a week, and makes it the file at commit. Each chunk goes with its hash, and
 * the hash of the whole is compared before the check, which reads the new revision; when that fails, the revision before comes back.
 */
export class DropboxWriter implements AppendSteps {
  readonly #context: DropboxWriterContext;
  readonly #signal: AbortSignal;
  readonly #queue: PartQueue;
  readonly #hash = new ContentHash();
  #session: string | undefined;
  #published: Published | undefined;

  constructor(context: DropboxWriterContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    const { chunkBytes } = context;
    this.#queue = new PartQueue({ partBytes: () => chunkBytes, inFlight: () => 1, send: (part) => this.#append(part) });
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#queue.append(bytes);
  }

  async commit(check: Check | undefined): Promise<StoredObject> {
    const { name, openFile } = this.#context;
    await this.#queue.finish();
    const file = await this.#publish(this.#hash.digest());
    if (check) {
      const stored = openFile(file);
      try {
        await check(stored);
      } finally {
        await stored.close();
      }
    }
    this.#published = undefined;
    return { name, sizeBytes: file.sizeBytes, modifiedMs: file.modifiedMs };
  }

  async discard(): Promise<void> {
    await this.#queue.settle();
    const published = this.#published;
    if (published !== undefined) await this.#takeBack(published);
    this.#published = undefined;
  }

  async #call(name: string, argument: Record<string, unknown>, more: { body?: Uint8Array; recover?: Recover } = {}) {
    const { client, place } = this.#context;
    return await client.call({ name: `files/upload_session/${name}`, argument, place, signal: this.#signal, ...more });
  }

  async #startSession(): Promise<string> {
    const answer = await this.#call('start', { close: false }, { body: noBytes });
    return String((answer as { session_id?: unknown }).session_id);
  }

  async #append({ offset, bytes }: Part): Promise<void> {
    this.#session ??= await this.#startSession();
    this.#hash.update(bytes);
    const cursor = { session_id: this.#session, offset };
    const argument = { cursor, close: false, content_hash: new ContentHash().update(bytes).digest() };
    // An earlier try may have arrived, and its answer may be lost.
    const recover: Recover = async (error) => (correctOffset(error) === offset + bytes.length ? {} : undefined);
    try {
      await this.#call('append_v2', argument, { body: bytes, recover });
    } catch (error) {
      throw sessionError(error, this.#context.place);
    }
  }

  /** Takes the place of whatever stands there, which is looked at again when another program was faster. */
  async #publish(contentHash: string): Promise<DropboxFile> {
    const { client, path, place, createOnly } = this.#context;
    this.#session ??= await this.#startSession();
    for (let tryNumber = 1; ; tryNumber += 1) {
      const old = await client.findFile(path, place, this.#signal);
      if (old !== undefined && createOnly) throw nameTaken(place);
      try {
        return await this.#finish(old, contentHash);
      } catch (error) {
        const isChanged = summaryOf(error).includes('path/conflict/file');
        if (!isChanged || tryNumber >= commitTries) throw sessionError(error, place);
        this.#published = undefined;
      }
    }
  }

  async #finish(old: DropboxFile | undefined, contentHash: string): Promise<DropboxFile> {
    const { path, place } = this.#context;
    const cursor = { session_id: this.#session, offset: this.#queue.sizeBytes };
    const mode = old === undefined ? 'add' : { '.tag': 'update', update: old.rev };
    const commit = { path, mode, autorename: false, mute: true };
    const recover: Recover = async (error, signal) =>
      /lookup_failed|not_found|closed/.test(summaryOf(error))
        ? await this.#findOwn(old, contentHash, signal)
        : undefined;
    this.#published = { rev: undefined, old, contentHash };
    const answer = await this.#call('finish', { cursor, commit }, { body: noBytes, recover });
    const file = fileFrom(answer);
    if (file === undefined)
      throw new HoldfastError('storage.failed', { message: `${place}: Dropbox made no file of it` });
    this.#published = { rev: file.rev, old, contentHash };
    throwIfAborted(this.#signal);
    if (file.contentHash === contentHash && file.sizeBytes === this.#queue.sizeBytes) return file;
    throw new HoldfastError('storage.failed', {
      message: `${place}: what arrived is not what was sent: its content hash is another`,
      hint: 'run it again; if it happens again, check the memory of this machine',
    });
  }

  /** What stands there, if it is what was written here; as Dropbox tells it. */
  async #findOwn(old: DropboxFile | undefined, contentHash: string, signal?: AbortSignal): Promise<unknown> {
    const { client, path, place } = this.#context;
    const found = await client
      .call({ name: 'files/get_metadata', argument: { path }, place, signal })
      .catch(ignoreMissing);
    const file = found === undefined ? undefined : fileFrom(found);
    return file?.contentHash === contentHash && file.rev !== old?.rev ? found : undefined;
  }

  /** Brings back what stood there before, if the file is still the one that was published here. */
  async #takeBack({ rev, old, contentHash }: Published): Promise<void> {
    const { client, path, place } = this.#context;
    const found = await this.#findOwn(old, contentHash);
    const current = found === undefined ? await client.findFile(path, place) : fileFrom(found);
    const isOwn = rev === undefined ? found !== undefined : current?.rev === rev;
    if (!isOwn || current === undefined || current.rev === old?.rev) return;
    if (old !== undefined) await client.call({ name: 'files/restore', argument: { path, rev: old.rev }, place });
    else await removeFile(client, { path, rev: current.rev, place });
  }
}

type Recover = (error: HoldfastError, signal: AbortSignal) => Promise<unknown>;

function ignoreMissing(error: unknown): undefined {
  if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
  throw error;
}

/** A session that is gone is no file that is not there. */
function sessionError(error: unknown, place: string): unknown {
  const isLost = /^(lookup_failed\/)?(not_found|closed|incorrect_offset)/.test(summaryOf(error));
  if (!isLost) return error;
  return new HoldfastError('storage.failed', {
    message: `${place}: Dropbox lost the upload; a session ends after a week`,
    hint: 'run it again',
    cause: error,
  });
}

/** Deletes that revision of a file, and never a folder. What is not there is no error. */
export async function removeFile(
  client: DropboxClient,
  { path, rev, place }: { path: string; rev: string; place: string },
): Promise<void> {
  try {
    await client.call({ name: 'files/delete_v2', argument: { path, parent_rev: rev }, place });
  } catch (error) {
    ignoreMissing(error);
  }
}
