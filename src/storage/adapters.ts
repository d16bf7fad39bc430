import { ftpAdapter } from './ftp/ftp-adapter.ts';
import { localAdapter } from './local/local-adapter.ts';
import { webdavAdapter } from './webdav/webdav-adapter.ts';

/** Every kind of storage that there is. The one place that lists them; each loads its library when it is opened. */
export const storageAdapters = [localAdapter, ftpAdapter, webdavAdapter] as const;
