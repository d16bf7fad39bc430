import { azureAdapter } from './azure/azure-adapter.ts';
import { dropboxAdapter } from './dropbox/dropbox-adapter.ts';
import { ftpAdapter } from './ftp/ftp-adapter.ts';
import { gcsAdapter } from './gcs/gcs-adapter.ts';
import { localAdapter } from './local/local-adapter.ts';
import { s3Adapter } from './s3/s3-adapter.ts';
import { sftpAdapter } from './sftp/sftp-adapter.ts';
import { webdavAdapter } from './webdav/webdav-adapter.ts';

/** Every kind of storage that there is. The one place that lists them; each loads its library when it is opened. */
export const storageAdapters = [
  localAdapter,
  s3Adapter,
  sftpAdapter,
  ftpAdapter,
  webdavAdapter,
  azureAdapter,
  gcsAdapter,
  dropboxAdapter,
] as const;
