/** Storages of the tests on real servers. */
import { readFileSync } from 'node:fs';
import { Secret } from '../../src/secret.ts';
import { FtpStorage } from '../../src/storage/ftp/ftp-storage.ts';
import { WebdavStorage } from '../../src/storage/webdav/webdav-storage.ts';
import type { FtpService } from '../services/start-ftp.ts';
import type { WebdavService } from '../services/start-webdav.ts';

interface Access {
  readonly rootPath?: string;
  /** Of a proxy before the server. */
  readonly port?: number;
  readonly password?: string;
  readonly timeoutMs?: number;
  readonly spoolFolder?: string;
}

export function ftpStorage(
  service: FtpService,
  access: Access & { secure?: boolean; trusts?: boolean } = {},
): FtpStorage {
  const { rootPath = 'backups', port = service.port, password = service.password, timeoutMs = 5000 } = access;
  const ca = access.trusts === false ? undefined : readFileSync(service.certificatePath, 'utf8');
  const { host, user } = service;
  const secret = new Secret(password);
  return new FtpStorage({
    server: { host, port, username: user, password: secret, secure: access.secure ?? false, ca, timeoutMs },
    rootPath,
    spoolFolder: access.spoolFolder,
  });
}

export function webdavStorage(service: WebdavService, access: Access & { trusts?: boolean } = {}): WebdavStorage {
  const { rootPath = 'backups', port = service.port, password = service.password, timeoutMs = 5000 } = access;
  const url = new URL(service.url);
  url.port = String(port);
  const ca = access.trusts === false ? undefined : readFileSync(service.certificatePath, 'utf8');
  const credentials = { username: service.user, password: new Secret(password) };
  return new WebdavStorage({ server: { url, credentials, ca, timeoutMs }, rootPath, spoolFolder: access.spoolFolder });
}
