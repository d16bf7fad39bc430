/** Objects that the server makes of others: no byte of them passes through here, but for the seams of repeated ones. */
import { copySource, MultipartUpload } from './multipart-upload.ts';
import { type ObjectCreation, publish, withObjectInput } from './object-creation.ts';
import { mostParts } from './part-sizes.ts';

/** Up to here one request copies all: more could take longer than a connection lives. */
const wholeCopyBytes = 256 * 2 ** 20;
/** A part that holds a seam is held in memory. */
const seamPartBytes = 16 * 2 ** 20;
const granuleBytes = 64 * 1024;
const copiesAtOnce = 4;

/** What is to be copied: the object as it was when it had this tag, so many times in a row. */
export interface CopiedObject {
  readonly key: string;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly repeats: number;
  readonly onProgress?: (doneBytes: number) => void;
}

/** Makes an object of another one. An object under the key is replaced when all of the new one is there. */
export async function copyOnServer(source: CopiedObject, creation: ObjectCreation): Promise<void> {
  if (source.repeats === 1 && source.sizeBytes <= wholeCopyBytes) return await copyWhole(source, creation);
  const upload = await MultipartUpload.begin(creation);
  try {
    await copyParts(source, upload, creation);
    await upload.complete();
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

async function copyWhole({ key, etag, sizeBytes }: CopiedObject, creation: ObjectCreation): Promise<void> {
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

async function copyParts(source: CopiedObject, upload: MultipartUpload, creation: ObjectCreation): Promise<void> {
  const totalBytes = source.sizeBytes * source.repeats;
  const leastBytes = source.repeats === 1 ? wholeCopyBytes : seamPartBytes;
  const partBytes = Math.max(leastBytes, Math.ceil(totalBytes / mostParts / granuleBytes) * granuleBytes);
  let next = 0;
  let doneBytes = 0;
  const copyOnes = async (): Promise<void> => {
    while (next * partBytes < totalBytes) {
      const number = next + 1;
      const offset = next * partBytes;
      next += 1;
      const sizeBytes = Math.min(partBytes, totalBytes - offset);
      await copyPart(source, upload, creation, { number, offset, sizeBytes });
      doneBytes += sizeBytes;
      source.onProgress?.(doneBytes);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: copiesAtOnce }, copyOnes));
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
}

interface CopiedPart {
  readonly number: number;
  /** In the object that is made. */
  readonly offset: number;
  readonly sizeBytes: number;
}

async function copyPart(
  source: CopiedObject,
  upload: MultipartUpload,
  creation: ObjectCreation,
  { number, offset, sizeBytes }: CopiedPart,
): Promise<void> {
  const { key, etag } = source;
  const inSource = offset % source.sizeBytes;
  if (inSource + sizeBytes <= source.sizeBytes) {
    return await upload.copy(number, { key, etag, offset: inSource, sizeBytes });
  }
  // The end of one repeat and the beginning of the next: no range of the source.
  const { connection } = creation;
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  const signal = creation.signal ?? new AbortController().signal;
  for (let done = 0; done < sizeBytes; ) {
    const from = (offset + done) % source.sizeBytes;
    const into = bytes.subarray(done, done + Math.min(sizeBytes - done, source.sizeBytes - from));
    await connection.readRange({ key, etag, offset: from, into, signal });
    done += into.length;
  }
  await upload.send(number, bytes, undefined);
}
