import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { ObjectHeaders } from '../storage.ts';

/** What every object is made with. */
export interface S3ObjectSettings {
  /** A canned ACL: `private`. */
  readonly acl?: string;
  readonly storageClass?: string;
  readonly encryption?: { readonly type: 'SSE-S3' } | { readonly type: 'SSE-KMS'; readonly keyId?: string };
  readonly objectLock?: { readonly mode: 'GOVERNANCE' | 'COMPLIANCE'; readonly days: number };
  /** Sends the CRC-32 of what is uploaded. */
  readonly checksums: boolean;
  /** All parts of an upload but the last have to be equally long. */
  readonly equalParts: boolean;
  /** Knows `If-None-Match: *`, or is asked whether it does. */
  readonly createOnly: boolean;
  /** Of this object; a plain archive's unless set. */
  readonly headers?: ObjectHeaders;
  /** Anybody may read it, by the canned ACL `public-read`. */
  readonly isPublic?: boolean;
}

type ObjectInput = Pick<
  PutObjectCommandInput,
  | 'ACL'
  | 'StorageClass'
  | 'ServerSideEncryption'
  | 'SSEKMSKeyId'
  | 'Metadata'
  | 'ContentType'
  | 'CacheControl'
  | 'ContentDisposition'
  | 'ContentEncoding'
  | 'ContentLanguage'
>;

/** In the metadata of each object: which run of a writer made it. */
export const writerIdName = 'holdfast-writer';

/** Settings as requests that make an object take them. */
export function objectInput(settings: S3ObjectSettings, writerId: string): ObjectInput {
  const { acl, storageClass, encryption, headers = {} } = settings;
  const input: ObjectInput = {
    ContentType: headers.contentType ?? 'application/octet-stream',
    Metadata: { ...headers.metadata, [writerIdName]: writerId },
  };
  if (headers.cacheControl !== undefined) input.CacheControl = headers.cacheControl;
  if (headers.contentDisposition !== undefined) input.ContentDisposition = headers.contentDisposition;
  if (headers.contentEncoding !== undefined) input.ContentEncoding = headers.contentEncoding;
  if (headers.contentLanguage !== undefined) input.ContentLanguage = headers.contentLanguage;
  if (settings.isPublic === true) input.ACL = 'public-read';
  else if (acl !== undefined) input.ACL = acl as NonNullable<ObjectInput['ACL']>;
  if (storageClass !== undefined) input.StorageClass = storageClass as NonNullable<ObjectInput['StorageClass']>;
  if (encryption?.type === 'SSE-S3') input.ServerSideEncryption = 'AES256';
  if (encryption?.type === 'SSE-KMS') {
    input.ServerSideEncryption = 'aws:kms';
    if (encryption.keyId !== undefined) input.SSEKMSKeyId = encryption.keyId;
  }
  return input;
}
