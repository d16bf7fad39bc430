import { createHash } from 'node:crypto';
import type { BlobRequestConditions, BlockBlobClient, BlockBlobCommitBlockListOptions } from '@azure/storage-blob';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { nameTaken } from '../name-taken.ts';
import type { AppendSteps, Check } from '../remote/append-steps.ts';
import type { Send } from '../remote/attempts.ts';
import { type Part, PartQueue } from '../remote/part-queue.ts';
import type { RandomAccess, StoredObject, WriterOptions } from '../storage.ts';
import { blockSizeBytes, blocksInFlight, blocksPerCopy } from './block-size.ts';

/** What a writer needs to know. */
export interface AzureWriterContext {
  readonly copies: number;
  readonly onReplicate: WriterOptions['onReplicate'] | undefined;
  readonly name: string;
  readonly blob: BlockBlobClient;
  /** One request, repeated where it failed for a moment. */
  readonly send: <Result>(request: Send<Result>, signal?: AbortSignal) => Promise<Result>;
  readonly openVersion: (etag: string, sizeBytes: number) => RandomAccess;
  readonly createOnly: boolean;
  readonly accessTier: string | undefined;
  readonly random: Random | undefined;
  readonly blockSizeBytes: ((index: number, copies: number) => number) | undefined;
}

/** What stood under the name before, kept as a snapshot until the new object has passed its check. */
interface Replaced {
  readonly etag: string;
  /** Only where there is a check. */
  readonly snapshot: string | undefined;
}

/** What is published and not checked yet. */
interface Published {
  readonly etag: string;
  readonly replaced: Replaced | undefined;
}

const commitTries = 5;
/** Metadata by which a writer knows its own blob again. */
const writerMark = 'holdfastwriter';

/**
 * Uploads each block once for each copy, in a range of block ids of its own, and puts all together at commit. Azure shows blocks to
 * nobody before that, so the check comes after; until it has passed, a snapshot keeps the object that stood there.
 */
export class AzureWriter implements AppendSteps {
  readonly #context: AzureWriterContext;
  readonly #signal: AbortSignal;
  readonly #queue: PartQueue;
  /** Blocks of several writers may wait under one name: none takes another's. */
  readonly #writer: string;
  #snapshot: string | undefined;
  #published: Published | undefined;

  constructor(context: AzureWriterContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#writer = Buffer.from((context.random ?? systemRandom).bytes(8)).toString('hex');
    const sizeOf = context.blockSizeBytes ?? blockSizeBytes;
    this.#queue = new PartQueue({
      partBytes: (index) => sizeOf(index, context.copies),
      inFlight: blocksInFlight,
      send: (part) => this.#stage(part),
    });
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#queue.append(bytes);
  }

  async commit(check: Check | undefined): Promise<StoredObject> {
    const { name, copies, onReplicate } = this.#context;
    await this.#queue.finish();
    const sizeBytes = this.#queue.sizeBytes * copies;
    const { etag, modifiedMs } = await this.#publish(check !== undefined);
    if (copies > 1 && sizeBytes > 0)
      onReplicate?.(sizeBytes - this.#queue.sizeBytes, sizeBytes - this.#queue.sizeBytes);
    if (check) await this.#check(check, { etag, sizeBytes });
    this.#published = undefined;
    await this.#finish();
    return { name, sizeBytes, modifiedMs };
  }

  async discard(): Promise<void> {
    await this.#queue.settle();
    const published = this.#published;
    if (published !== undefined) await this.#takeBack(published);
    this.#published = undefined;
    await this.#dropSnapshot();
  }

  /** The new object stands from here on; whoever is told of a failure is told that too. */
  async #finish(): Promise<void> {
    try {
      await this.#dropSnapshot();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const message = `the new object is in place and passed its check, but the snapshot of the old one could not be removed: ${error.message}`;
      throw new HoldfastError(error.code, { message, hint: error.hint, context: error.context, cause: error });
    }
  }

  async #stage({ index, bytes }: Part): Promise<void> {
    const { copies, blob, send } = this.#context;
    if (index >= blocksPerCopy(copies)) throw tooLarge(blob.name);
    const transactionalContentMD5 = createHash('md5').update(bytes).digest();
    const staging = Array.from({ length: copies }, (_, copy) =>
      send(
        (abortSignal) =>
          blob.stageBlock(this.#blockId(copy, index), bytes, bytes.length, { transactionalContentMD5, abortSignal }),
        this.#signal,
      ),
    );
    for (const staged of await Promise.allSettled(staging)) if (staged.status === 'rejected') throw staged.reason;
  }

  /** All ids of a blob have one length. */
  #blockId(copy: number, index: number): string {
    return Buffer.from(`${this.#writer}-${copy}-${String(index).padStart(5, '0')}`).toString('base64');
  }

  #blockIds(): string[] {
    const { copies } = this.#context;
    return Array.from({ length: copies }, (_, copy) => copy).flatMap((copy) =>
      Array.from({ length: this.#queue.partCount }, (_, index) => this.#blockId(copy, index)),
    );
  }

  /** Takes the place of whatever stands there, which is looked at again when another program was faster. */
  async #publish(isChecked: boolean): Promise<{ etag: string; modifiedMs: number }> {
    for (let tryNumber = 1; ; tryNumber += 1) {
      try {
        const replaced = await this.#replaced(isChecked);
        if (replaced !== undefined && this.#context.createOnly) throw nameTaken(this.#context.name);
        return await this.#commitBlocks(replaced);
      } catch (error) {
        // Any other failure leaves open whether it arrived: then the snapshot is needed to take it back.
        if (!(error instanceof HoldfastError) || error.code !== 'storage.conflict') throw error;
        this.#published = undefined;
        await this.#dropSnapshot();
        if (error.context['azureCode'] === 'InvalidBlockList' || tryNumber >= commitTries) throw error;
      }
    }
  }

  async #replaced(isChecked: boolean): Promise<Replaced | undefined> {
    const { blob, send } = this.#context;
    const found = await this.#look();
    if (found === undefined) return undefined;
    const etag = found.etag ?? '';
    if (!isChecked) return { etag, snapshot: undefined };
    const conditions = { ifMatch: etag };
    const made = await send((abortSignal) => blob.createSnapshot({ conditions, abortSignal }), this.#signal);
    this.#snapshot = made.snapshot;
    return { etag, snapshot: made.snapshot };
  }

  async #look() {
    const { blob, send } = this.#context;
    try {
      return await send((abortSignal) => blob.getProperties({ abortSignal }), this.#signal);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
      throw error;
    }
  }

  async #commitBlocks(replaced: Replaced | undefined): Promise<{ etag: string; modifiedMs: number }> {
    const { blob, send, accessTier } = this.#context;
    const conditions: BlobRequestConditions = replaced ? { ifMatch: replaced.etag } : { ifNoneMatch: '*' };
    const options: BlockBlobCommitBlockListOptions = {
      conditions,
      metadata: { [writerMark]: this.#writer },
      blobHTTPHeaders: { blobContentType: 'application/octet-stream' },
      ...(accessTier === undefined ? {} : { tier: accessTier }),
    };
    const ids = this.#blockIds();
    // From here on it may be there, whatever the answer.
    this.#published = { etag: '', replaced };
    const committed = await send(async (abortSignal, tryNumber) => {
      try {
        return await blob.commitBlockList(ids, { ...options, abortSignal });
      } catch (error) {
        const own = tryNumber > 1 ? await this.#ownBlob(abortSignal) : undefined;
        if (own === undefined) throw error;
        return own;
      }
    }, this.#signal);
    const { etag = '', lastModified } = committed;
    this.#published = { etag, replaced };
    return { etag, modifiedMs: lastModified?.getTime() ?? 0 };
  }

  /** What stands there, if an earlier try put it there and its answer was lost. */
  async #ownBlob(abortSignal: AbortSignal) {
    const found = await this.#context.blob.getProperties({ abortSignal }).catch(ignoreMissing);
    return found?.metadata?.[writerMark] === this.#writer ? found : undefined;
  }

  async #check(check: Check, { etag, sizeBytes }: { etag: string; sizeBytes: number }): Promise<void> {
    const stored = this.#context.openVersion(etag, sizeBytes);
    try {
      await check(stored);
    } finally {
      await stored.close();
    }
  }

  /** Brings back what stood there before, if the blob is still the one that was published here. */
  async #takeBack({ replaced }: Published): Promise<void> {
    const { blob, send } = this.#context;
    await send(async (abortSignal) => {
      const own = await blob.getProperties({ abortSignal }).catch(ignoreMissing);
      if (own?.metadata?.[writerMark] !== this.#writer) return;
      const conditions = { ifMatch: own.etag ?? '' };
      if (replaced?.snapshot === undefined) {
        await blob.delete({ conditions, deleteSnapshots: 'include', abortSignal });
        return;
      }
      const source = blob.withSnapshot(replaced.snapshot).url;
      const copy = await blob.beginCopyFromURL(source, { conditions, abortSignal, intervalInMs: 500 });
      await copy.pollUntilDone();
    });
  }

  async #dropSnapshot(): Promise<void> {
    const { blob, send } = this.#context;
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    await send(async (abortSignal) => {
      await blob.withSnapshot(snapshot).deleteIfExists({ abortSignal });
    });
    this.#snapshot = undefined;
  }
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined;
  throw error;
}

function tooLarge(name: string): HoldfastError {
  return new HoldfastError('storage.full', {
    message: `${name}: the archive is larger than a blob of 50,000 blocks can be`,
    hint: 'make an archive for each database, or write fewer copies',
  });
}
