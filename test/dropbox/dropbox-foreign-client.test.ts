/** rclone's Dropbox backend, unchanged, judges the fake, and what is written here is what it reads, and the other way round. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Secret } from '../../src/secret.ts';
import { DropboxStorage } from '../../src/storage/dropbox/dropbox-storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { listNames, putBytes, readAll } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { requireProgram } from '../services/find-program.ts';
import { leftOut } from '../services/service-packages.ts';
import { makeDropboxCertificate } from './dropbox-certificate.ts';
import { DropboxFake } from './dropbox-fake.ts';
import { TlsProxy } from './tls-proxy.ts';

const run = promisify(execFile);
const workspace = makeWorkspace('rclone');

describe('rclone', { skip: leftOut('rclone') }, () => {
  let fake: DropboxFake;
  let proxy: TlsProxy;
  let storage: DropboxStorage;
  let certificatePath: string;

  before(async () => {
    fake = await new DropboxFake().start();
    const certificate = await makeDropboxCertificate(workspace);
    certificatePath = certificate.certificatePath;
    proxy = await TlsProxy.start(fake, certificate);
    storage = new DropboxStorage({ access: { accessToken: new Secret('access-token') }, apiUrl: fake.url });
  });
  after(async () => {
    proxy.stop();
    await fake.stop();
  });

  async function rclone(...args: string[]): Promise<Buffer> {
    const token = { access_token: 'access-token', token_type: 'bearer', expiry: '2099-01-01T00:00:00Z' };
    const env = {
      PATH: process.env['PATH'],
      HOME: workspace,
      HTTPS_PROXY: proxy.url,
      SSL_CERT_FILE: certificatePath,
      RCLONE_CONFIG: join(workspace, 'none.conf'),
      RCLONE_CONFIG_DB_TYPE: 'dropbox',
      RCLONE_CONFIG_DB_TOKEN: JSON.stringify(token),
      RCLONE_DROPBOX_CHUNK_SIZE: '4Mi',
      RCLONE_RETRIES: '1',
      RCLONE_LOW_LEVEL_RETRIES: '2',
    };
    const options = { env, encoding: 'buffer', maxBuffer: 64 << 20, timeout: 60_000 } as const;
    return (await run(requireProgram('rclone'), args, options)).stdout;
  }

  test('reads what is written here: its check of the content hash agrees, and its ranges', async () => {
    const bytes = new SeededRandom(1).bytes(9_000_000);
    for (const name of ['db/shop.holdfast', 'db/Ünï çødé 备份.holdfast']) await putBytes(storage, name, bytes);
    const folder = join(workspace, 'same');
    mkdirSync(folder);
    for (const name of ['shop.holdfast', 'Ünï çødé 备份.holdfast']) writeFileSync(join(folder, name), bytes);
    await rclone('check', folder, 'db:db');
    await rclone('check', '--download', folder, 'db:db');
    const part = await rclone('cat', '--offset', '5000000', '--count', '100', 'db:db/shop.holdfast');
    assert.equal(Buffer.compare(part, bytes.subarray(5_000_000, 5_000_100)), 0);
    const listed = (await rclone('lsf', '--format', 'sp', 'db:db')).toString().trim().split('\n').sort();
    assert.deepEqual(listed, ['9000000;shop.holdfast', '9000000;Ünï çødé 备份.holdfast']);
    await rclone('deletefile', 'db:db/shop.holdfast');
    assert.deepEqual(await listNames(storage, 'db/'), ['db/Ünï çødé 备份.holdfast']);
  });

  test('writes what is read here, by sessions and in one go, and moves it', async () => {
    const folder = join(workspace, 'copied');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'large'), new SeededRandom(2).bytes(9_000_000));
    writeFileSync(join(folder, 'deep', 'small'), 'small');
    await rclone('copy', folder, 'db:copied');
    await rclone('moveto', 'db:copied/deep/small', 'db:copied/moved');
    assert.deepEqual(await listNames(storage, 'copied/'), ['copied/large', 'copied/moved']);
    const access = await storage.open('copied/large');
    assert.equal(Buffer.compare(await readAll(access), readFileSync(join(folder, 'large'))), 0);
    await rclone('purge', 'db:copied');
    assert.deepEqual(await listNames(storage, 'copied/'), []);
  });
});
