/** rclone's Google Cloud Storage backend judges the fake: what is written here it reads, and the other way round. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { GcsStorage } from '../../src/storage/gcs/gcs-storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { listNames, putBytes, readAll } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { Rclone } from '../network/rclone.ts';
import { leftOut } from '../services/service-packages.ts';
import { GcsFake } from './gcs-fake.ts';

const workspace = makeWorkspace('rclone-gcs');
const hosts = ['storage.googleapis.com', 'oauth2.googleapis.com', 'www.googleapis.com'];

describe('rclone on the fake of Google Cloud Storage', { skip: leftOut('rclone') }, () => {
  let fake: GcsFake;
  let rclone: Rclone;
  let storage: GcsStorage;

  before(async () => {
    fake = await new GcsFake().start();
    const keyFile = join(workspace, 'key.json');
    writeFileSync(keyFile, fake.key);
    const settings = { type: 'google cloud storage', service_account_file: keyFile, no_check_bucket: 'true' };
    rclone = await Rclone.start(fake, { workspace, hosts, settings: { ...settings, bucket_policy_only: 'true' } });
    const access = { credentials: new Secret(fake.key) };
    storage = new GcsStorage({ access, bucket: fake.bucket, endpoint: fake.url });
  });
  after(async () => {
    rclone.stop();
    await fake.stop();
  });

  test('it reads what is written here, whole and by ranges', async () => {
    const bytes = new SeededRandom(1).bytes(9_000_000);
    const names = ['shop.holdfast', 'Ünï çødé 备份.holdfast'];
    const folder = join(workspace, 'same');
    mkdirSync(folder);
    for (const name of names) {
      await putBytes(storage, `db/${name}`, bytes);
      writeFileSync(join(folder, name), bytes);
    }
    await rclone.run('check', '--download', folder, 'fake:archives/db');
    const part = await rclone.run('cat', '--offset', '5000000', '--count', '100', 'fake:archives/db/shop.holdfast');
    assert.equal(Buffer.compare(part, bytes.subarray(5_000_000, 5_000_100)), 0);
    const listed = (await rclone.run('lsf', '--format', 'sp', 'fake:archives/db')).toString().trim().split('\n').sort();
    assert.deepEqual(listed, names.map((name) => `9000000;${name}`).sort());
    await rclone.run('deletefile', 'fake:archives/db/shop.holdfast');
    assert.deepEqual(await listNames(storage, 'db/'), ['db/Ünï çødé 备份.holdfast']);
  });

  test('what it writes, in one go and by a resumable upload, and moves, is read here', async () => {
    const folder = join(workspace, 'copied');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    // Its chunks have 16 MiB.
    writeFileSync(join(folder, 'large'), new SeededRandom(2).bytes(17_000_000));
    writeFileSync(join(folder, 'deep', 'small'), 'small');
    await rclone.run('copy', folder, 'fake:archives/copied');
    await rclone.run('check', folder, 'fake:archives/copied');
    await rclone.run('moveto', 'fake:archives/copied/deep/small', 'fake:archives/copied/moved');
    assert.deepEqual(await listNames(storage, 'copied/'), ['copied/large', 'copied/moved']);
    const access = await storage.open('copied/large');
    assert.equal(Buffer.compare(await readAll(access), readFileSync(join(folder, 'large'))), 0);
    await rclone.run('purge', 'fake:archives/copied');
    assert.deepEqual(await listNames(storage, 'copied/'), []);
  });
});
