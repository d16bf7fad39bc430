import { localAdapter } from './local/local-adapter.ts';

/** Every kind of storage that there is. The one place that lists them; each loads its library when it is opened. */
export const storageAdapters = [localAdapter] as const;
