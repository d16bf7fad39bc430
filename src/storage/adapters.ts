import { localAdapter } from './local/local-adapter.ts';
import { s3Adapter } from './s3/s3-adapter.ts';

/** Every kind of storage that there is. The one place that lists them; each loads its library when it is opened. */
export const storageAdapters = [localAdapter, s3Adapter] as const;
