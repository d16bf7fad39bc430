import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import type { CompletedPart, S3 } from '@aws-sdk/client-s3';
import { HoldfastError } from '../../errors.ts';
import { type ObjectCreation, publish, withObjectInput } from './object-creation.ts';
import type { S3Connection } from './s3-connection.ts';
import type { S3Operation } from './s3-errors.ts';

/** A range of an object of the same bucket. */
export interface CopiedRange {
  readonly key: string;
  readonly etag: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

interface PartRequest {
  readonly operation: S3Operation;
  readonly sizeBytes: number;
  run(s3: S3, place: UploadPlace, options: { abortSignal: AbortSignal }): Promise<string | undefined>;
}

interface UploadPlace {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

/** A multipart upload. The first part that fails stops the others. */
export class MultipartUpload {
  readonly #creation: ObjectCreation;
  readonly #place: UploadPlace;
  readonly #stopping = new AbortController();
  readonly #parts = new Map<number, CompletedPart>();
  readonly #underWay = new Set<Promise<void>>();

  /** Announces the object to the server. */
  static async begin(creation: ObjectCreation): Promise<MultipartUpload> {
    const { connection, key, settings, signal } = creation;
    const uploadId = await withObjectInput(creation, (input) =>
      connection.call({
        operation: 'CreateMultipartUpload',
        key,
        signal,
        run: async (s3, options) => {
          const checksums = settings.checksums ? ({ ChecksumAlgorithm: 'CRC32' } as const) : {};
          const place = { Bucket: connection.bucket, Key: key };
          return (await s3.createMultipartUpload({ ...input, ...checksums, ...place }, options)).UploadId;
        },
      }),
    );
    if (uploadId === undefined) {
      throw new HoldfastError('storage.failed', { message: `${connection.host} gave no id of an upload` });
    }
    return new MultipartUpload(creation, uploadId);
  }

  private constructor(creation: ObjectCreation, uploadId: string) {
    this.#creation = creation;
    this.#place = { Bucket: creation.connection.bucket, Key: creation.key, UploadId: uploadId };
  }

  /** Sends a part. Its bytes must stay as they are until this ends. */
  async send(number: number, bytes: Uint8Array, checksum: string | undefined): Promise<void> {
    const sum = checksum === undefined ? {} : { ChecksumCRC32: checksum };
    const input = { PartNumber: number, ...sum };
    const algorithm = checksum === undefined ? {} : ({ ChecksumAlgorithm: 'CRC32' } as const);
    await this.#request(input, {
      operation: 'UploadPart',
      sizeBytes: bytes.length,
      run: async (s3, place, options) =>
        (await s3.uploadPart({ ...place, ...input, ...algorithm, Body: bytes }, options)).ETag,
    });
  }

  /** Has the server copy a part from another object. */
  async copy(number: number, range: CopiedRange): Promise<void> {
    const source = {
      CopySource: copySource(this.#place.Bucket, range.key),
      CopySourceIfMatch: range.etag,
      CopySourceRange: `bytes=${range.offset}-${range.offset + range.sizeBytes - 1}`,
    };
    await this.#request(
      { PartNumber: number },
      {
        operation: 'UploadPartCopy',
        sizeBytes: range.sizeBytes,
        run: async (s3, place, options) => {
          const answer = await s3.uploadPartCopy({ ...place, ...source, PartNumber: number }, options);
          return answer.CopyPartResult?.ETag;
        },
      },
    );
  }

  /** Makes the object of what was sent, in the order of the numbers. */
  async complete(): Promise<void> {
    const { connection, key, signal } = this.#creation;
    const parts = [...this.#parts.values()].sort((one, other) => (one.PartNumber ?? 0) - (other.PartNumber ?? 0));
    await publish(this.#creation, (condition) =>
      connection.call({
        operation: 'CompleteMultipartUpload',
        key,
        signal,
        run: async (s3, options) => {
          const input = { ...this.#place, ...condition, MultipartUpload: { Parts: parts } };
          await s3.completeMultipartUpload(input, options);
        },
      }),
    );
  }

  /** Removes what was sent. May be repeated. */
  async abort(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#underWay);
    const { connection, key } = this.#creation;
    await abortUpload(connection, key, this.#place.UploadId);
  }

  async #request(part: CompletedPart & { readonly PartNumber: number }, request: PartRequest): Promise<void> {
    const sending = this.#makePart(part, request);
    this.#underWay.add(sending);
    try {
      await sending;
    } catch (error) {
      // What else is on its way is of no use any more.
      this.#stopping.abort();
      throw error;
    } finally {
      this.#underWay.delete(sending);
    }
  }

  async #makePart(part: CompletedPart & { readonly PartNumber: number }, request: PartRequest): Promise<void> {
    const { connection, key, signal } = this.#creation;
    const { operation, sizeBytes } = request;
    const stopped = this.#stopping.signal;
    const etag = await connection.call({
      operation,
      key,
      sizeBytes,
      signal: signal === undefined ? stopped : AbortSignal.any([stopped, signal]),
      run: (s3, options) => request.run(s3, this.#place, options),
    });
    assert(etag !== undefined, 'a part has a tag');
    this.#parts.set(part.PartNumber, { ...part, ETag: etag });
  }
}

/** Removes the parts of an upload; one that is not there any more is no error. */
export async function abortUpload(connection: S3Connection, key: string, uploadId: string): Promise<void> {
  try {
    await connection.call({
      operation: 'AbortMultipartUpload',
      key,
      run: async (s3, options) => {
        await s3.abortMultipartUpload({ Bucket: connection.bucket, Key: key, UploadId: uploadId }, options);
      },
    });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.context['answer'] !== 'NoSuchUpload') throw error;
  }
}

/** An object as the source of a copy is named. */
export function copySource(bucket: string, key: string): string {
  return `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
}

/** As the header wants it: big-endian, in Base64. */
export function crc32Base64(bytes: Uint8Array): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  return checksum.toString('base64');
}
