import { HoldfastError } from '../../errors.ts';
import type { ObjectCreation } from './object-creation.ts';
import { readHead } from './object-head.ts';
import type { S3ObjectSettings } from './object-settings.ts';

const dayMs = 24 * 60 * 60 * 1000;

/**
 * Locks an object against removal, counted from when it was made. It is done once the object has been checked, since nobody could remove a
 * bad one afterwards; and older servers ignore locks that are asked for with an upload.
 */
export async function lockObject(
  creation: ObjectCreation,
  { mode, days }: NonNullable<S3ObjectSettings['objectLock']>,
): Promise<void> {
  const { connection, key, signal } = creation;
  const { modifiedMs, versionId } = await readHead(connection, key);
  const version = versionId === undefined ? {} : { VersionId: versionId };
  const retention = { Mode: mode, RetainUntilDate: new Date(modifiedMs + days * dayMs) };
  try {
    await connection.call({
      operation: 'PutObjectRetention',
      key,
      signal,
      run: async (s3, options) => {
        const place = { Bucket: connection.bucket, Key: key, ...version };
        await s3.putObjectRetention({ ...place, Retention: retention }, options);
      },
    });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'storage.failed') throw error;
    throw new HoldfastError('config.invalid', {
      message: `the bucket ${connection.bucket} cannot lock objects: ${error.message}`,
      hint: 'object lock is switched on when a bucket is made; take another bucket, or leave objectLock out',
      cause: error,
    });
  }
}
