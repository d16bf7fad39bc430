/** The contract of storages on OpenSSH: with all of its extensions, and with those that a server may lack. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { storageCases } from '../../src/testing/storage-cases.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';
import { openSftp } from './open-sftp.ts';

leaveOutWithout('sshd');

const servers = {
  OpenSSH: {},
  'OpenSSH that renews its keys every MiB': { settings: ['RekeyLimit 1M'] },
  'a server without extensions for copies and disks': { subsystem: 'internal-sftp -P copy-data,statvfs,fsync,limits' },
};

for (const [name, options] of Object.entries(servers)) {
  describe(name, () => {
    let server: SshdService;
    let count = 0;
    before(async () => {
      server = await startSshd(options);
    });
    after(() => server.stop());
    const root = () => join(server.folder, `${count}`, 'root');
    const make = async () => {
      count += 1;
      // Its root is not there yet: that is an empty storage too.
      return await openSftp(server, root());
    };
    /** Beside the server, which waits for the disk at each file. */
    const fill = async (names: readonly string[]) => {
      for (const name of names) {
        mkdirSync(dirname(join(root(), name)), { recursive: true });
        writeFileSync(join(root(), name), '');
      }
    };
    for (const each of storageCases) test(each.name, () => each.run(make, fill));
  });
}
