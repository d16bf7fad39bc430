import { resolve } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import type { StorageAdapter } from '../storage-adapter.ts';

const gcsSettings = z.strictObject({
  backend: z.literal('gcs'),
  /** The bucket, which must exist. */
  bucket: z.string().min(3).max(222),
  /** A folder in the bucket. */
  prefix: z.string().optional(),
  /** The JSON key of a service account, relative to the configuration file. */
  keyFile: z.string().min(1).optional(),
  /** Instead of `keyFile`: its content, for where there is no file. */
  credentials: z.string().min(1).optional(),
  /** `https://storage.googleapis.com` unless set. */
  endpoint: z.url().optional(),
  /** Limit of one request: 120,000 unless set. */
  timeoutMs: z.int().min(100).optional(),
});

/** Where the credentials come from: Application Default Credentials when neither is given. */
export interface GcsAccess {
  readonly keyFile?: string | undefined;
  readonly credentials?: Secret | undefined;
}

/** Google Cloud Storage. */
export const gcsAdapter: StorageAdapter<typeof gcsSettings> = {
  backend: 'gcs',
  schema: gcsSettings,
  async open(settings, { folder, clock, random, wait }) {
    const { bucket, prefix, keyFile, credentials, endpoint, timeoutMs } = settings;
    if (keyFile !== undefined && credentials !== undefined) {
      const message = 'gcs: both `keyFile` and `credentials` are given';
      throw new HoldfastError('config.invalid', { message, hint: 'leave out one of them' });
    }
    const access: GcsAccess = {
      ...(keyFile === undefined ? {} : { keyFile: resolve(folder, keyFile) }),
      ...(credentials === undefined ? {} : { credentials: new Secret(credentials) }),
    };
    const { GcsStorage } = await import('./gcs-storage.ts');
    return new GcsStorage({ access, bucket, prefix, endpoint, timeoutMs, clock, random, wait });
  },
  placeOf: ({ bucket, endpoint = '', prefix = '' }) => ({ service: `${endpoint}/${bucket}`, folder: prefix }),
};
