/** Buckets of a server that the tests started, and storages on them. */
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { z } from 'zod';
import { openS3Storage, s3Adapter } from '../../src/storage/s3/s3-adapter.ts';
import type { S3Patience } from '../../src/storage/s3/s3-connection.ts';
import type { S3Storage } from '../../src/storage/s3/s3-storage.ts';
import type { UploadLimits } from '../../src/storage/s3/s3-writer.ts';
import type { RgwService, RgwUser } from '../services/start-rgw.ts';

/** Settings as a user writes them. */
export type S3Input = Partial<z.input<typeof s3Adapter.schema>>;

/** For tests: faults are met at once. */
export const impatient: S3Patience = { idleMs: 5_000, attempts: 4, firstDelayMs: 1 };

/** A client of the SDK as it comes, for what a storage does not do. */
export function plainClient(server: RgwService, user: RgwUser = server): S3Client {
  return new S3Client({
    endpoint: server.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: user.accessKey, secretAccessKey: user.secretKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

let count = 0;

/** A new bucket. */
export async function makeBucket(client: S3Client, options: { objectLock?: boolean } = {}): Promise<string> {
  count += 1;
  const bucket = `bucket-${process.pid}-${count}`;
  await client.send(
    new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: options.objectLock ?? false }),
  );
  return bucket;
}

/** Puts objects without bytes, by the SDK alone. */
export async function fillBucket(client: S3Client, bucket: string, keys: readonly string[]): Promise<void> {
  const left = [...keys];
  const work = async () => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: '' }));
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
}

/** A storage on a bucket of the server. */
export async function openBucket(
  server: RgwService,
  bucket: string,
  options: { input?: S3Input; patience?: Partial<S3Patience>; user?: RgwUser; limits?: UploadLimits } = {},
): Promise<S3Storage> {
  const { accessKey, secretKey } = options.user ?? server;
  const settings = s3Adapter.schema.parse({
    backend: 's3',
    bucket,
    endpointUrl: server.url,
    accessKey,
    secretKey,
    ...options.input,
  });
  return await openS3Storage(settings, { folder: '/' }, { ...impatient, ...options.patience }, options.limits);
}
