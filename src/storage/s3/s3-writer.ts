import { HoldfastError } from '../../errors.ts';
import type { RandomAccess, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { WriterSteps } from '../writer-steps.ts';
import { type ObjectCreation, putWhole, removeOwn } from './object-creation.ts';
import { readHead } from './object-head.ts';
import { PartBuffer } from './part-buffer.ts';
import { lockObject } from './retention.ts';
import { openS3Object } from './s3-object.ts';
import { copyOnServer } from './server-copy.ts';
import { markUnchecked, removeKey } from './unchecked-mark.ts';
import { UploadLanes } from './upload-lanes.ts';

type Check = (stored: RandomAccess) => Promise<void>;

/** What an {@link S3Writer} makes. */
export interface S3WriterTarget {
  readonly name: string;
  /** The object itself; its signal is left to the writer. */
  readonly target: Omit<ObjectCreation, 'signal'>;
  /** A key for an object that is never listed. */
  readonly makeStagingKey: () => string;
  /** Of the mark on an object that stands under its name and is not checked yet. */
  readonly markKey: string;
  /** Removes marks that dead runs left on the name. */
  readonly removeOlderMarks: () => Promise<void>;
  /** Whether an object stands under the name: it is replaced by one that was checked only. */
  readonly replaces: boolean;
}

/**
 * Writes all copies side by side as lanes of one multipart upload, or small objects by one request. An object under a new name appears, is read
 * back, and is removed when the check fails; until then a mark keeps it out of listings. One that replaces another is uploaded under a key that is not listed, checked there, and
 * then copied by the server. A process that dies leaves an upload that the next writer removes when it is old enough, or an object that
 * is not listed. Memory: four parts, of 5 MiB up to some 20 GB, and of
 * a 3,500th of a copy from there on.
 */
export class S3Writer implements StorageWriter {
  readonly #options: WriterOptions;
  readonly #name: string;
  readonly #replaces: boolean;
  readonly #target: ObjectCreation;
  /** What is uploaded: the target itself, or an object that it is copied from. */
  readonly #first: ObjectCreation;
  /** Where copies are made by the server, because a lane could not end where it does. */
  readonly #repeats: number;
  readonly #makeStagingKey: () => string;
  readonly #markKey: string;
  readonly #removeOlderMarks: () => Promise<void>;
  /** Whether the mark may stand there. */
  #isMarked = false;
  readonly #buffer: PartBuffer;
  /** Objects that may stand there, to be removed when this fails. */
  readonly #made = new Set<ObjectCreation>();
  #lanes: UploadLanes | undefined;
  readonly #steps: WriterSteps;

  constructor(given: S3WriterTarget, options: WriterOptions) {
    const { name, target, makeStagingKey, replaces } = given;
    const { copies, signal } = options;
    this.#options = options;
    this.#name = name;
    this.#replaces = replaces;
    this.#makeStagingKey = makeStagingKey;
    this.#markKey = given.markKey;
    this.#removeOlderMarks = given.removeOlderMarks;
    this.#steps = new WriterSteps({
      signal,
      discard: () => this.#discard(),
      left: () => ({
        message: `what was uploaded of ${target.key} could not be removed`,
        context: { key: target.key },
      }),
    });
    const { stopped } = this.#steps;
    this.#target = { ...target, signal: signal === undefined ? stopped : AbortSignal.any([stopped, signal]) };
    const { equalParts } = target.settings;
    this.#repeats = equalParts ? copies : 1;
    this.#first = replaces || this.#repeats > 1 ? this.#staged() : this.#target;
    this.#buffer = new PartBuffer({
      lanes: copies / this.#repeats,
      equalParts,
      ...(options.expectedSizeBytes === undefined ? {} : { expectedSizeBytes: options.expectedSizeBytes }),
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#steps.run(async () => {
      for (let taken = 0; taken < bytes.length; ) {
        taken += this.#buffer.take(bytes.subarray(taken));
        if (this.#buffer.isFull) await this.#sendPart();
      }
    });
  }

  async commit(check?: Check): Promise<StoredObject> {
    return await this.#steps.run(() => this.#publish(check));
  }

  async abort(): Promise<void> {
    await this.#steps.abort();
  }

  async #sendPart(): Promise<void> {
    this.#lanes ??= await UploadLanes.begin(this.#first, this.#options.copies / this.#repeats);
    const { bytes, release } = this.#buffer.part();
    await this.#lanes.add(bytes, release);
  }

  async #publish(check: Check | undefined): Promise<StoredObject> {
    const { copies, onReplicate } = this.#options;
    if (check && !this.#replaces) await this.#mark();
    const isWhole = await this.#store();
    this.#buffer.close();
    let standing = this.#first;
    if (!isWhole) standing = await this.#repeat();
    const extraBytes = this.#buffer.takenBytes * (copies - 1);
    if (extraBytes > 0 && (isWhole || this.#repeats === 1)) onReplicate?.(extraBytes, extraBytes);
    if (check) await this.#check(standing, check);
    await this.#unmark();
    this.#steps.throwIfStopped();
    if (standing.key !== this.#target.key) await this.#copyToTarget(standing);
    if (this.#replaces) await this.#removeOlderMarks();
    const { objectLock } = this.#target.settings;
    if (objectLock) await lockObject(this.#target, objectLock);
    this.#steps.setCommitted();
    for (const staged of this.#made) if (staged !== this.#target) await removeIfPossible(staged);
    const { sizeBytes, modifiedMs } = await readHead(this.#target.connection, this.#target.key);
    return { name: this.#name, sizeBytes, modifiedMs };
  }

  /** Makes the first object; false where it has one copy and should have more. */
  async #store(): Promise<boolean> {
    if (this.#lanes === undefined) {
      const run = this.#buffer.rest();
      const { copies } = this.#options;
      const bytes = copies === 1 ? run : Buffer.concat(Array.from({ length: copies }, () => run));
      this.#made.add(this.#first);
      await putWhole(this.#first, bytes);
      return true;
    }
    if (this.#buffer.rest().length > 0) await this.#sendPart();
    this.#made.add(this.#first);
    await this.#lanes.complete();
    return this.#repeats === 1;
  }

  /** Has the server make an object of all copies from the one that was uploaded. */
  async #repeat(): Promise<ObjectCreation> {
    const { connection } = this.#target;
    const next = this.#replaces ? this.#staged() : this.#target;
    const runBytes = this.#buffer.takenBytes;
    const totalBytes = runBytes * (this.#repeats - 1);
    const { etag } = await readHead(connection, this.#first.key);
    this.#made.add(next);
    await copyOnServer(
      {
        key: this.#first.key,
        etag,
        sizeBytes: runBytes,
        repeats: this.#repeats,
        onProgress: (doneBytes) => {
          if (doneBytes > runBytes) this.#options.onReplicate?.(doneBytes - runBytes, totalBytes);
        },
      },
      next,
    );
    return next;
  }

  async #check({ connection, key }: ObjectCreation, check: Check): Promise<void> {
    const stored = await openS3Object(connection, { key });
    try {
      await check(stored);
    } finally {
      await stored.close();
    }
  }

  async #copyToTarget(standing: ObjectCreation): Promise<void> {
    const { etag, sizeBytes } = await readHead(standing.connection, standing.key);
    if (!this.#replaces) this.#made.add(this.#target);
    await copyOnServer({ key: standing.key, etag, sizeBytes, repeats: 1 }, this.#target);
    // Locks exist in versioned buckets alone: there removing it brings the older one back.
    if (this.#target.settings.objectLock) this.#made.add(this.#target);
  }

  async #mark(): Promise<void> {
    this.#isMarked = true;
    await markUnchecked(this.#target, this.#markKey);
  }

  async #unmark(): Promise<void> {
    if (!this.#isMarked) return;
    await removeKey(this.#target.connection, this.#markKey);
    this.#isMarked = false;
  }

  #staged(): ObjectCreation {
    const { objectLock: _, ...settings } = this.#target.settings;
    return { ...this.#target, settings, key: this.#makeStagingKey(), createOnly: false };
  }

  async #discard(): Promise<void> {
    this.#buffer.close();
    await this.#lanes?.abort();
    for (const creation of this.#made) await removeOwn(creation);
    await this.#unmark();
  }
}

/** What stays is never listed, and a later run removes it: no reason to call an archive failed that stands and was checked. */
async function removeIfPossible(staged: ObjectCreation): Promise<void> {
  await removeOwn(staged).catch((error: unknown) => {
    if (!(error instanceof HoldfastError)) throw error;
  });
}
