import { HoldfastError } from '../../errors.ts';
import type { RandomAccess, StorageWriter, StoredObject, WriterOptions } from '../storage.ts';
import { WriterSteps } from '../writer-steps.ts';
import { type ObjectCreation, putWhole, removeOwn } from './object-creation.ts';
import { readHead } from './object-head.ts';
import { PartBuffer } from './part-buffer.ts';
import {
  equalPartBytes,
  fitsInEqualParts,
  fitsInLanes,
  heldPartBytes,
  lanePartBytes,
  mostObjectBytes,
} from './part-sizes.ts';
import { lockObject } from './retention.ts';
import { openS3Object } from './s3-object.ts';
import { copyOnServer } from './server-copy.ts';
import { Stretches } from './stretches.ts';
import { markUnchecked, removeKey } from './unchecked-mark.ts';
import { tooManyParts, UploadLanes } from './upload-lanes.ts';

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
  readonly limits: UploadLimits;
}

/** How many parts there are at most, where that is less than S3 takes: for tests. */
export interface UploadLimits {
  /** Of one object that a part of the run is in. */
  readonly stretchParts?: number;
  /** Of an object that the server makes of parts that are alike. */
  readonly copiedParts?: number;
}

/**
 * Writes all copies side by side as lanes of one multipart upload, or small objects by one request. Where lanes do not fit in parts that may be held in
 * memory, or it is not known whether they do, one copy is uploaded as objects that are never listed, and the server makes all copies of them. An object under a new name appears, is read
 * back, and is removed when the check fails; until then a mark keeps it out of listings. One that replaces another is uploaded under a key that is not listed, checked there, and
 * then copied by the server. A process that dies leaves an upload that the next writer removes when it is old enough, or an object that
 * is not listed. Memory: four parts of 8 MiB, of 16 MiB where all have to be alike; more only where the archive gets much larger than was expected.
 */
export class S3Writer implements StorageWriter {
  readonly #options: WriterOptions;
  readonly #name: string;
  readonly #replaces: boolean;
  readonly #target: ObjectCreation;
  /** What lanes are uploaded to: the target itself, or an object that it is copied from. */
  readonly #first: ObjectCreation;
  readonly #stretches: Stretches | undefined;
  readonly #limits: UploadLimits;
  readonly #makeStagingKey: () => string;
  readonly #markKey: string;
  readonly #removeOlderMarks: () => Promise<void>;
  /** Whether the mark may stand there. */
  #isMarked = false;
  readonly #buffer: PartBuffer;
  /** Objects that may stand there, to be removed when this fails. */
  readonly #made = new Set<ObjectCreation>();
  #lanes: UploadLanes | undefined;
  /** Whether a part was sent: what is smaller goes by one request. */
  #isInParts = false;
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
    this.#limits = given.limits;
    this.#first = replaces ? this.#staged() : this.#target;
    const { equalParts } = target.settings;
    const { expectedSizeBytes } = options;
    const partBytes = equalParts ? equalPartBytes : heldPartBytes;
    if (equalParts ? copies === 1 && fitsInEqualParts(expectedSizeBytes) : fitsInLanes(expectedSizeBytes, copies)) {
      const lanePart = (index: number) => lanePartBytes(index, copies, expectedSizeBytes ?? 0);
      this.#buffer = new PartBuffer({ partBytes: equalParts ? () => partBytes : lanePart, holdsBack: copies > 1 });
    } else {
      this.#stretches = new Stretches({ stage: () => this.#staged(), partsAtMost: given.limits.stretchParts });
      // The last part of a stretch is no short one, so that the server can copy it as a part.
      this.#buffer = new PartBuffer({ partBytes: () => partBytes, holdsBack: !equalParts });
    }
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
    const { copies } = this.#options;
    if (this.#buffer.takenBytes * copies > mostObjectBytes) throw tooManyParts(this.#target.key);
    if (this.#stretches === undefined) this.#lanes ??= await UploadLanes.begin(this.#first, copies);
    const { bytes, release } = this.#buffer.part();
    this.#isInParts = true;
    await (this.#stretches ?? this.#lanes)?.add(bytes, release);
  }

  async #publish(check: Check | undefined): Promise<StoredObject> {
    const { copies, onReplicate } = this.#options;
    if (check && !this.#replaces) await this.#mark();
    const standing = await this.#store();
    this.#buffer.free();
    const extraBytes = this.#buffer.takenBytes * (copies - 1);
    if (extraBytes > 0) onReplicate?.(extraBytes, extraBytes);
    if (check) await this.#check(standing, check);
    await this.#unmark();
    this.#steps.throwIfStopped();
    if (standing.key !== this.#target.key) await this.#copyToTarget(standing);
    if (this.#replaces) await this.#removeOlderMarks();
    const { objectLock } = this.#target.settings;
    if (objectLock) await lockObject(this.#target, objectLock);
    this.#steps.setCommitted();
    for (const staged of this.#made) if (staged !== this.#target) await ifPossible(() => removeOwn(staged));
    await ifPossible(async () => this.#stretches?.remove());
    const { sizeBytes, modifiedMs } = await readHead(this.#target.connection, this.#target.key);
    return { name: this.#name, sizeBytes, modifiedMs };
  }

  /** Makes the object of all copies; gives where it stands. */
  async #store(): Promise<ObjectCreation> {
    this.#made.add(this.#first);
    if (!this.#isInParts) {
      const run = this.#buffer.rest();
      const { copies } = this.#options;
      const bytes = copies === 1 ? run : Buffer.concat(Array.from({ length: copies }, () => run));
      await putWhole(this.#first, bytes);
      return this.#first;
    }
    if (this.#buffer.rest().length > 0) await this.#sendPart();
    if (this.#stretches === undefined) await this.#lanes?.complete();
    else await this.#joinStretches(this.#stretches);
    return this.#first;
  }

  /** Has the server make an object of all copies from what was uploaded. */
  async #joinStretches(stretches: Stretches): Promise<void> {
    const { copies, onReplicate } = this.#options;
    const sources = await stretches.complete();
    this.#buffer.free();
    const runBytes = this.#buffer.takenBytes;
    const onProgress = (doneBytes: number) => {
      if (doneBytes > runBytes) onReplicate?.(doneBytes - runBytes, runBytes * (copies - 1));
    };
    const partsAtMost = this.#limits.copiedParts;
    await copyOnServer({ sources, repeats: copies, stage: () => this.#staged(), partsAtMost, onProgress }, this.#first);
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
    const sources = [{ key: standing.key, etag, sizeBytes }];
    await copyOnServer({ sources, repeats: 1, stage: () => this.#staged() }, this.#target);
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
    // It is there for hours: classes that charge for months are for what stays.
    const { objectLock: _, storageClass: _class, ...settings } = this.#target.settings;
    return { ...this.#target, settings, key: this.#makeStagingKey(), createOnly: false };
  }

  async #discard(): Promise<void> {
    this.#buffer.close();
    await this.#lanes?.abort();
    await this.#stretches?.remove();
    for (const creation of this.#made) await removeOwn(creation);
    await this.#unmark();
  }
}

/** What stays is never listed, and a later run removes it: no reason to call an archive failed that stands and was checked. */
async function ifPossible(remove: () => Promise<void>): Promise<void> {
  await remove().catch((error: unknown) => {
    if (!(error instanceof HoldfastError)) throw error;
  });
}
