/** rclone's Dropbox backend judges the fake: what is written here it reads, and the other way round. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { DropboxStorage } from '../../src/storage/dropbox/dropbox-storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { listNames, putBytes, readAll } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { Rclone } from '../network/rclone.ts';
import { leftOut } from '../services/service-packages.ts';
import { DropboxFake } from './dropbox-fake.ts';

const workspace = makeWorkspace('rclone-dropbox');
const hosts = ['api.dropboxapi.com', 'content.dropboxapi.com', 'notify.dropboxapi.com', 'api.dropbox.com'];

describe('rclone on the fake of Dropbox', { skip: leftOut('rclone') }, () => {
  let fake: DropboxFake;
  let rclone: Rclone;
  let storage: DropboxStorage;

  before(async () => {
    fake = await new DropboxFake().start();
    const token = { access_token: 'access-token', token_type: 'bearer', expiry: '2099-01-01T00:00:00Z' };
    const settings = { type: 'dropbox', token: JSON.stringify(token), chunk_size: '4Mi' };
    rclone = await Rclone.start(fake, { workspace, hosts, settings });
    storage = new DropboxStorage({ access: { accessToken: new Secret('access-token') }, apiUrl: fake.url });
  });
  after(async () => {
    rclone.stop();
    await fake.stop();
  });

  test('it reads what is written here: its check of the content hash agrees, and its ranges', async () => {
    const bytes = new SeededRandom(1).bytes(9_000_000);
    const names = ['shop.holdfast', 'Ünï çødé 备份.holdfast'];
    const folder = join(workspace, 'same');
    mkdirSync(folder);
    for (const name of names) {
      await putBytes(storage, `db/${name}`, bytes);
      writeFileSync(join(folder, name), bytes);
    }
    await rclone.run('check', folder, 'fake:db');
    await rclone.run('check', '--download', folder, 'fake:db');
    const part = await rclone.run('cat', '--offset', '5000000', '--count', '100', 'fake:db/shop.holdfast');
    assert.equal(Buffer.compare(part, bytes.subarray(5_000_000, 5_000_100)), 0);
    const listed = (await rclone.run('lsf', '--format', 'sp', 'fake:db')).toString().trim().split('\n').sort();
    assert.deepEqual(listed, names.map((name) => `9000000;${name}`).sort());
    await rclone.run('deletefile', 'fake:db/shop.holdfast');
    assert.deepEqual(await listNames(storage, 'db/'), ['db/Ünï çødé 备份.holdfast']);
  });

  test('what it writes, by sessions and in one go, and moves, is read here', async () => {
    const folder = join(workspace, 'copied');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'large'), new SeededRandom(2).bytes(9_000_000));
    writeFileSync(join(folder, 'deep', 'small'), 'small');
    await rclone.run('copy', folder, 'fake:copied');
    await rclone.run('moveto', 'fake:copied/deep/small', 'fake:copied/moved');
    assert.deepEqual(await listNames(storage, 'copied/'), ['copied/large', 'copied/moved']);
    const access = await storage.open('copied/large');
    assert.equal(Buffer.compare(await readAll(access), readFileSync(join(folder, 'large'))), 0);
    await rclone.run('purge', 'fake:copied');
    assert.deepEqual(await listNames(storage, 'copied/'), []);
  });
});
