/** A check of a storage leaves no folder behind, and touches none that holds something. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LocalStorage } from '../../src/index.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { prefixStorage } from '../../src/storage/wrap/prefix.ts';
import { retryStorage } from '../../src/storage/wrap/retry.ts';
import { assertCode, get, listNames, put } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { leftOut } from '../services/service-packages.ts';
import { type FtpService, startFtp, whyNoFtp } from '../services/start-ftp.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';
import { startWebdav, type WebdavService } from '../services/start-webdav.ts';
import { openSftp } from '../sftp/open-sftp.ts';
import { ftpStorage, webdavStorage } from './remote-storages.ts';

const workspace = makeWorkspace('folders');

/** Makes folders by names, empties some, and looks what stays. */
async function tidy(storage: Storage): Promise<void> {
  const wrapped = retryStorage(prefixStorage(storage, 'part'));
  for (const name of ['check/a/b/one', 'check/a/two', 'check/c d/ü%/three', 'other/four'])
    await put(wrapped, name, 'x');
  for (const name of ['check/a/b/one', 'check/c d/ü%/three', 'other/four']) await wrapped.delete(name);
  await wrapped.removeEmptyFolders?.('check');
  await wrapped.removeEmptyFolders?.('never-made');
  assert.deepEqual(await listNames(wrapped), ['check/a/two']);
  assert.equal(await get(wrapped, 'check/a/two'), 'x');
}

/** By another way than the storage's own listing. */
function foldersIn(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
    .sort();
}

const expected = ['part', 'part/check', 'part/check/a', 'part/other'];

test('on local disk', async () => {
  const root = join(workspace, 'local');
  await tidy(new LocalStorage({ root }));
  assert.deepEqual(foldersIn(root), expected);
  mkdirSync(join(workspace, 'outside/empty'), { recursive: true });
  symlinkSync(join(workspace, 'outside'), join(root, 'link'));
  await assertCode(new LocalStorage({ root }).removeEmptyFolders('link'), 'storage.unauthorized');
  assert.deepEqual(readdirSync(join(workspace, 'outside')), ['empty']);
});

describe('on an SFTP server', { skip: leftOut('sshd') }, () => {
  let server: SshdService;
  before(async () => {
    server = await startSshd();
  });
  after(() => server.stop());
  test('what is empty goes, what is not stays', async () => {
    const root = join(server.folder, 'root');
    const storage = openSftp(server, root);
    await tidy(storage);
    assert.deepEqual(foldersIn(root), expected);
    await storage.close();
  });
});

for (const server of ['vsftpd', 'proftpd'] as const) {
  describe(`on ${server}`, { skip: leftOut(server) || (whyNoFtp(server) ?? false) }, () => {
    let service: FtpService;
    before(async () => {
      service = await startFtp({ server });
    });
    after(() => service.stop());
    test('what is empty goes, what is not stays', async () => {
      const storage = ftpStorage(service);
      await tidy(storage);
      assert.deepEqual(foldersIn(join(service.home, 'backups')), expected);
      await storage.close();
    });
  });
}

describe('on a WebDAV server', { skip: leftOut('apache') }, () => {
  let service: WebdavService;
  before(async () => {
    service = await startWebdav();
  });
  after(() => service.stop());
  test('what is empty goes, what is not stays', async () => {
    const storage = webdavStorage(service);
    await tidy(storage);
    assert.deepEqual(foldersIn(join(service.home, 'backups')), expected);
    await storage.close();
  });
});
