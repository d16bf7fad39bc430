/** The contract of storages over real FTP servers, with and without TLS. */
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { FtpStorage } from '../../src/storage/ftp/ftp-storage.ts';
import { storageCases } from '../../src/testing/storage-cases.ts';
import { leftOut } from '../services/service-packages.ts';
import { type FtpService, startFtp, whyNoFtp } from '../services/start-ftp.ts';

for (const server of ['vsftpd', 'proftpd'] as const) {
  const skip = leftOut(server) || (whyNoFtp(server) ?? false);
  describe(server, { skip }, () => {
    let service: FtpService;
    let count = 0;
    before(async () => {
      service = await startFtp({ server, requiresTls: server === 'vsftpd' });
    });
    after(() => service.stop());
    const make = () => {
      count += 1;
      const { host, port, user, password, certificatePath } = service;
      const secure = server === 'vsftpd';
      const ca = readFileSync(certificatePath, 'utf8');
      return new FtpStorage({
        server: { host, port, username: user, password: new Secret(password), secure, ca, timeoutMs: 5000 },
        rootPath: `space ${count}/root`,
      });
    };
    for (const each of storageCases) {
      const skip = each.needs?.includes('many objects')
        ? "a listing is one folder's, however long, and each of a thousand uploads takes a dozen turns"
        : false;
      test(each.name, { skip }, () => each.run(async () => make()));
    }
  });
}
