/** The contract of storages over a real WebDAV server, with Basic in clear and with Digest over TLS. */
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { WebdavStorage } from '../../src/storage/webdav/webdav-storage.ts';
import { storageCases } from '../../src/testing/storage-cases.ts';
import { leftOut } from '../services/service-packages.ts';
import { startWebdav, type WebdavService } from '../services/start-webdav.ts';

for (const authentication of ['basic', 'digest'] as const) {
  describe(`Apache with ${authentication}`, { skip: leftOut('apache') }, () => {
    let service: WebdavService;
    let count = 0;
    before(async () => {
      service = await startWebdav({ authentication, tls: authentication === 'digest' });
    });
    after(() => service.stop());
    const make = () => {
      count += 1;
      const { url, user, password, certificatePath } = service;
      const credentials = { username: user, password: new Secret(password) };
      const ca = readFileSync(certificatePath, 'utf8');
      return new WebdavStorage({
        server: { url: new URL(url), credentials, ca, timeoutMs: 5000 },
        rootPath: `space ${count}/root`,
      });
    };
    for (const each of storageCases) {
      const skip = each.needs?.includes('many objects')
        ? "a listing is one folder's, however long, and each of a thousand uploads takes half a dozen requests"
        : false;
      test(each.name, { skip }, () => each.run(async () => make()));
    }
  });
}
