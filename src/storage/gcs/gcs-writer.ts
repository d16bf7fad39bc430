import { createHash } from 'node:crypto';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { nameTaken } from '../name-taken.ts';
import type { AppendSteps, Check } from '../remote/append-steps.ts';
import { type Part, PartQueue } from '../remote/part-queue.ts';
import { rangedAccess } from '../remote/ranged-access.ts';
import type { RandomAccess, StoredObject, WriterOptions } from '../storage.ts';
import type { GcsClient, GcsObject } from './gcs-client.ts';
import { ResumableUpload } from './resumable-upload.ts';

/** What a writer needs to know. */
export interface GcsWriterContext {
  readonly name: string;
  readonly key: string;
  /** Where objects lie that are being written, with its slash. */
  readonly partialFolder: string;
  readonly client: GcsClient;
  readonly copies: number;
  readonly onReplicate: WriterOptions['onReplicate'] | undefined;
  readonly createOnly: boolean;
  readonly random: Random | undefined;
  /** A multiple of 256 KiB. */
  readonly chunkBytes: number;
}

const commitTries = 5;
/** Metadata by which a writer knows its own object again. */
const writerMark = 'holdfast-writer';

/**
 * Uploads each copy to an object of its own, side by side; at commit, when these have passed their check, Google joins them into
 * the one that is seen. Memory: two chunks.
 */
export class GcsWriter implements AppendSteps {
  readonly #context: GcsWriterContext;
  readonly #signal: AbortSignal;
  readonly #queue: PartQueue;
  readonly #writer: string;
  readonly #uploads: readonly ResumableUpload[];
  readonly #hash = createHash('md5');
  /** That were uploaded whole. */
  #parts: GcsObject[] = [];
  #isPublishing = false;
  /** The generation that the new object takes the place of; `0` when there was none. */
  #replaced = '0';

  constructor(context: GcsWriterContext, signal: AbortSignal) {
    const { client, copies, chunkBytes, random = systemRandom } = context;
    this.#context = context;
    this.#signal = signal;
    this.#writer = Buffer.from(random.bytes(16)).toString('hex');
    this.#uploads = Array.from(
      { length: copies },
      (_, copy) => new ResumableUpload(client, this.#partKey(copy), signal),
    );
    this.#queue = new PartQueue({ partBytes: () => chunkBytes, inFlight: () => 1, send: (part) => this.#send(part) });
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#queue.append(bytes);
  }

  async commit(check: Check | undefined): Promise<StoredObject> {
    const { name, copies, onReplicate } = this.#context;
    const copyBytes = this.#queue.sizeBytes;
    await this.#finishParts();
    if (copies > 1 && copyBytes > 0) onReplicate?.(copyBytes * (copies - 1), copyBytes * (copies - 1));
    if (check) await this.#check(check, copyBytes);
    const object = await this.#publish();
    this.#isPublishing = false;
    await this.#removeParts();
    return { name, sizeBytes: object.sizeBytes, modifiedMs: object.modifiedMs };
  }

  async discard(): Promise<void> {
    await this.#queue.settle();
    if (this.#isPublishing) await this.#takeBack();
    const { client, copies } = this.#context;
    const known = new Map(this.#parts.map(({ name, generation }) => [name, generation]));
    for (const upload of this.#uploads) await upload.cancel();
    for (let copy = 0; copy < copies; copy += 1) {
      // One whose last answer was lost is there without being known.
      await client.delete(this.#partKey(copy), known.get(this.#partKey(copy)));
    }
    this.#parts = [];
  }

  #partKey(copy: number): string {
    return `${this.#context.partialFolder}${this.#writer}-${copy}`;
  }

  async #send(part: Part): Promise<void> {
    this.#hash.update(part.bytes);
    await all(this.#uploads.map((upload) => upload.send(part)));
  }

  async #finishParts(): Promise<void> {
    const last = await this.#queue.finishExceptLast();
    const md5Hash = this.#hash.update(last.bytes).digest('base64');
    this.#parts = await all(this.#uploads.map((upload) => upload.finish(last)));
    const wrong = this.#parts.find((part) => part.md5Hash !== md5Hash);
    if (wrong === undefined) return;
    throw new HoldfastError('storage.failed', {
      message: `${this.#context.client.place(wrong.name)}: what arrived is not what was sent: its hash is another`,
      hint: 'run it again; if it happens again, check the memory of this machine',
    });
  }

  async #check(check: Check, copyBytes: number): Promise<void> {
    const stored = this.#joined(copyBytes);
    try {
      await check(stored);
    } finally {
      await stored.close();
    }
  }

  /** The copies as they will stand in the object. */
  #joined(copyBytes: number): RandomAccess {
    const { client } = this.#context;
    const parts = this.#parts;
    return rangedAccess(copyBytes * parts.length, async (offset, into, closed) => {
      for (let done = 0; done < into.length; ) {
        const at = offset + done;
        const part = parts[Math.floor(at / copyBytes)];
        if (part === undefined) throw new HoldfastError('storage.failed', { message: 'a read past the end' });
        const within = at % copyBytes;
        const piece = into.subarray(done, done + copyBytes - within);
        await client.read(part, within, piece, closed);
        done += piece.length;
      }
    });
  }

  /** Takes the place of whatever stands there, which is looked at again when another program was faster. */
  async #publish(): Promise<GcsObject> {
    const { client, key, createOnly } = this.#context;
    for (let tryNumber = 1; ; tryNumber += 1) {
      const before = (await client.findIfThere(key, this.#signal))?.generation ?? '0';
      if (before !== '0' && createOnly) throw nameTaken(client.place(key));
      this.#replaced = before;
      this.#isPublishing = true;
      try {
        const metadata = { [writerMark]: this.#writer };
        return await client.compose(key, { parts: this.#parts, before, metadata }, this.#signal);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        if (error.code !== 'storage.conflict') return await this.#confirm(error);
        if (tryNumber >= commitTries) throw error;
      }
    }
  }

  /** Looks whether a commit arrived whose answer did not. */
  async #confirm(error: HoldfastError): Promise<GcsObject> {
    throwIfAborted(this.#signal);
    const found = error.retryable ? await this.#findOwn() : undefined;
    if (found !== undefined) return found;
    if (!error.retryable) this.#isPublishing = false;
    throw error;
  }

  async #findOwn(): Promise<GcsObject | undefined> {
    const { client, key } = this.#context;
    const found = await client.findIfThere(key);
    return found?.metadata[writerMark] === this.#writer ? found : undefined;
  }

  /** Of a commit whose answer never came nobody knows whether it arrived. */
  async #takeBack(): Promise<void> {
    const { client, key } = this.#context;
    const found = await this.#findOwn();
    // It has passed its check: where the object before it is gone, it is better than none.
    if (found !== undefined && this.#replaced === '0') await client.delete(key, found.generation);
    this.#isPublishing = false;
  }

  /** The object stands from here on; whoever is told of a failure is told that too. */
  async #removeParts(): Promise<void> {
    try {
      for (const { name, generation } of this.#parts) await this.#context.client.delete(name, generation);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const message = `the object is in place and passed its check, but a part could not be removed: ${error.message}`;
      throw new HoldfastError(error.code, { message, hint: error.hint, context: error.context, cause: error });
    }
    this.#parts = [];
  }
}

/** Waits for all of them, also where one fails. */
async function all<Result>(tasks: readonly Promise<Result>[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const task of await Promise.allSettled(tasks)) {
    if (task.status === 'rejected') throw task.reason;
    results.push(task.value);
  }
  return results;
}
