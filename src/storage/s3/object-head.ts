import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { HoldfastError } from '../../errors.ts';
import type { ObjectHeaders } from '../storage.ts';
import { writerIdName } from './object-settings.ts';
import { bodyOf, type S3Connection } from './s3-connection.ts';

/** What a server tells of an object without its bytes. */
export interface ObjectHead {
  readonly sizeBytes: number;
  /** Whole seconds: headers tell no more. */
  readonly modifiedMs: number;
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly headers: ObjectHeaders;
}

/** What answers to GET and to HEAD tell alike. */
type AnswerHeaders = Pick<
  HeadObjectCommandOutput,
  'ContentType' | 'CacheControl' | 'ContentDisposition' | 'ContentEncoding' | 'ContentLanguage' | 'Metadata'
>;

/** The headers of an object, without what a writer noted for itself. */
export function headersFrom(answer: AnswerHeaders): ObjectHeaders {
  const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Metadata = {} } = answer;
  const metadata = Object.fromEntries(Object.entries(Metadata).filter(([name]) => name !== writerIdName));
  return {
    ...(ContentType ? { contentType: ContentType } : {}),
    ...(CacheControl ? { cacheControl: CacheControl } : {}),
    ...(ContentDisposition ? { contentDisposition: ContentDisposition } : {}),
    ...(ContentEncoding ? { contentEncoding: ContentEncoding } : {}),
    ...(ContentLanguage ? { contentLanguage: ContentLanguage } : {}),
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
  };
}

function headFrom(answer: HeadObjectCommandOutput): ObjectHead {
  const { ContentLength, LastModified, ETag, VersionId, Metadata } = answer;
  return {
    sizeBytes: ContentLength ?? 0,
    modifiedMs: wholeSeconds(LastModified),
    etag: ETag ?? '',
    // A bucket that is not versioned may say `null`.
    versionId: VersionId === 'null' ? undefined : VersionId,
    metadata: Metadata ?? {},
    headers: headersFrom(answer),
  };
}

/** A time as every answer can tell it: lists tell milliseconds, headers do not. */
export function wholeSeconds(time: Date | undefined): number {
  return Math.floor((time?.getTime() ?? 0) / 1000) * 1000;
}

/** Throws what {@link S3Connection.call} does; a failed HEAD says no reason, so that the same is asked again in a way that does. */
export async function readHead(connection: S3Connection, key: string): Promise<ObjectHead> {
  const place = { Bucket: connection.bucket, Key: key };
  try {
    const head = await connection.call({
      operation: 'HeadObject',
      key,
      run: (s3, options) => s3.headObject(place, options),
    });
    return headFrom(head);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.retryable) throw error;
    await connection.call({
      operation: 'GetObject',
      key,
      run: async (s3, options) => {
        for await (const _ of bodyOf(await s3.getObject({ ...place, Range: 'bytes=0-0' }, options))) break;
      },
    });
    throw error;
  }
}

/** Undefined where there is no such object. */
export async function headIfThere(reading: Promise<ObjectHead>): Promise<ObjectHead | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
    throw error;
  }
}
