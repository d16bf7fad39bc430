/** Objects that the server makes of others: no byte of them passes through here, but for the seams where parts have to be alike. */
import { Gate } from '../remote/ranged-access.ts';
import {
  type CopiedRun,
  type CopySource,
  type PlannedPart,
  planEqualParts,
  planUnequalParts,
  type SourceRange,
  totalOf,
  wholeCopyBytes,
} from './copy-plan.ts';
import { copySource, MultipartUpload } from './multipart-upload.ts';
import { type ObjectCreation, publish, removeOwn, withObjectInput } from './object-creation.ts';
import { readHead } from './object-head.ts';
import { equalPartBytes } from './part-sizes.ts';

const copiesAtOnce = 4;

/** What an object is made of, and how. */
export interface ServerCopy extends CopiedRun {
  /** A new object that is never listed, for what has to be put together before it can be copied. */
  readonly stage: () => ObjectCreation;
  readonly onProgress?: (doneBytes: number) => void;
  /** Of parts that are alike; S3's limit unless set. */
  readonly partsAtMost?: number | undefined;
}

/** Makes an object of others. An object under the key is replaced when all of the new one is there. Memory: 16 MiB at most. */
export async function copyOnServer(copy: ServerCopy, creation: ObjectCreation): Promise<void> {
  const [only] = copy.sources;
  const isSmall = only !== undefined && copy.sources.length === 1 && only.sizeBytes <= wholeCopyBytes;
  // A copy in one request knows no condition.
  if (isSmall && copy.repeats === 1 && !creation.createOnly) return await copyWhole(only, creation);
  const upload = await MultipartUpload.begin(creation);
  try {
    await copyParts(copy, upload, creation);
    await upload.complete();
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

async function copyWhole({ key, etag, sizeBytes }: CopySource, creation: ObjectCreation): Promise<void> {
  const { connection, signal } = creation;
  const source = { CopySource: copySource(connection.bucket, key), CopySourceIfMatch: etag };
  await publish(creation, () =>
    withObjectInput(creation, (made) =>
      connection.call({
        operation: 'CopyObject',
        key: creation.key,
        sizeBytes,
        signal,
        run: async (s3, options) => {
          const input = { ...made, ...source, MetadataDirective: 'REPLACE' } as const;
          await s3.copyObject({ ...input, Bucket: connection.bucket, Key: creation.key }, options);
        },
      }),
    ),
  );
}

async function copyParts(copy: ServerCopy, upload: MultipartUpload, creation: ObjectCreation): Promise<void> {
  const isEqual = creation.settings.equalParts && totalOf(copy.sources) * copy.repeats > equalPartBytes;
  const parts = isEqual ? planEqualParts(copy, copy.partsAtMost) : planUnequalParts(copy);
  const seams = new Seams(copy, upload, creation);
  let next = 0;
  let doneBytes = 0;
  const copyOnes = async (): Promise<void> => {
    for (let part = parts[next]; part !== undefined; part = parts[next]) {
      next += 1;
      const [range] = part.ranges;
      if (range !== undefined && part.ranges.length === 1) await upload.copy(part.number, rangeOf(range));
      else await seams.make(part);
      doneBytes += part.sizeBytes;
      copy.onProgress?.(doneBytes);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: copiesAtOnce }, copyOnes));
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
}

function rangeOf({ source, offset, sizeBytes }: SourceRange) {
  return { key: source.key, etag: source.etag, offset, sizeBytes };
}

/** Parts that no one range of a source has: one at a time is read, and sent; what is too large for memory, as an object that is then copied. */
class Seams {
  readonly #copy: ServerCopy;
  readonly #upload: MultipartUpload;
  readonly #creation: ObjectCreation;
  readonly #gate = new Gate(1);

  constructor(copy: ServerCopy, upload: MultipartUpload, creation: ObjectCreation) {
    this.#copy = copy;
    this.#upload = upload;
    this.#creation = creation;
  }

  async make(part: PlannedPart): Promise<void> {
    await this.#gate.run(async () => {
      const memory = Buffer.allocUnsafeSlow(Math.min(part.sizeBytes, equalPartBytes));
      if (part.sizeBytes > memory.length) return await this.#makeStaged(part, memory);
      await this.#read(part, 0, memory);
      await this.#upload.send(part.number, memory, undefined);
    });
  }

  async #makeStaged(part: PlannedPart, memory: Buffer): Promise<void> {
    const staged = this.#copy.stage();
    const upload = await MultipartUpload.begin(staged);
    try {
      for (let offset = 0; offset < part.sizeBytes; offset += memory.length) {
        const bytes = memory.subarray(0, Math.min(memory.length, part.sizeBytes - offset));
        await this.#read(part, offset, bytes);
        await upload.send(offset / memory.length + 1, bytes, undefined);
      }
      await upload.complete();
    } catch (error) {
      await upload.abort();
      throw error;
    }
    try {
      const { key, connection } = staged;
      const { etag } = await readHead(connection, key);
      await this.#upload.copy(part.number, { key, etag, offset: 0, sizeBytes: part.sizeBytes });
    } finally {
      await removeOwn(staged);
    }
  }

  /** Bytes of a part, from an offset in it. */
  async #read({ ranges }: PlannedPart, offset: number, into: Buffer): Promise<void> {
    const { connection } = this.#creation;
    const signal = this.#creation.signal ?? new AbortController().signal;
    let skipped = offset;
    let filled = 0;
    for (const { source, offset: start, sizeBytes } of ranges) {
      const length = Math.min(sizeBytes - skipped, into.length - filled);
      if (length > 0) {
        const { key, etag } = source;
        const bytes = into.subarray(filled, filled + length);
        await connection.readRange({ key, etag, offset: start + skipped, into: bytes, signal });
        filled += length;
      }
      skipped = Math.max(0, skipped - sizeBytes);
    }
  }
}
