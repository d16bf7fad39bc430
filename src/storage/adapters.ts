import { azureAdapter } from './azure/azure-adapter.ts';
import { dropboxAdapter } from './dropbox/dropbox-adapter.ts';
import { gcsAdapter } from './gcs/gcs-adapter.ts';
import { localAdapter } from './local/local-adapter.ts';
import { sftpAdapter } from './sftp/sftp-adapter.ts';

/** Every kind of storage that there is. The one place that lists them; each loads its library when it is opened. */
export const storageAdapters = [localAdapter, sftpAdapter, azureAdapter, gcsAdapter, dropboxAdapter] as const;
