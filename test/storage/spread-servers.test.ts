/** An archive over real servers of several kinds: one that goes away, and one that loses its shard. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createBackup, FilesSource, LocalStorage, restoreBackup, scrubStorages } from '../../src/index.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { listNames } from '../../src/testing/storage-case.ts';
import { describeTree, makeWorkspace } from '../end-to-end/workspace.ts';
import { leftOut } from '../services/service-packages.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';
import { startWebdav, type WebdavService } from '../services/start-webdav.ts';
import { openSftp } from '../sftp/open-sftp.ts';
import { webdavStorage } from './remote-storages.ts';

const skip = leftOut('sshd') || leftOut('apache');
const workspace = makeWorkspace('spread-servers');
const tree = join(workspace, 'tree');
const name = 'shop.holdfast';
let sshd: SshdService;
let webdav: WebdavService;

before(async () => {
  mkdirSync(tree);
  const random = new SeededRandom(3);
  for (let index = 0; index < 4; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(700_000));
  if (skip) return;
  sshd = await startSshd();
  webdav = await startWebdav();
});
after(async () => {
  await sshd?.stop();
  await webdav?.stop();
});

test('SFTP, WebDAV, a disk and memory share an archive', { skip }, async () => {
  const sftp = await openSftp(sshd, join(sshd.folder, 'shards'));
  const dav = webdavStorage(webdav);
  const disk = new LocalStorage({ root: join(workspace, 'disk') });
  const storages: [string, Storage][] = [
    ['sftp', sftp],
    ['dav', dav],
    ['disk', disk],
    ['memory', new MemoryStorage()],
  ];
  const members = storages.map(([label, storage]) => ({ label, storage }));
  const storage = new SpreadStorage({ shape: { data: 2, parity: 2 }, members, slowAfterMs: 2000 });
  const source = new FilesSource({ path: tree });
  const output = { storage, name };
  const made = await createBackup({ sources: [source], output, copies: 1, encryption: 'none', threads: 0 });
  assert.deepEqual(made.outputs.length, 1);
  for (const [label, one] of storages) assert.equal((await listNames(one)).length, 1, label);
  await dav.delete((await listNames(dav))[0] ?? '');
  const { archives } = await scrubStorages({ storages: [{ name: 'spread', storage }], threads: 0 });
  assert.deepEqual(
    archives.map(({ state }) => state),
    ['repaired'],
  );
  await disk.delete((await listNames(disk))[0] ?? '');
  await sshd.stop();
  const filesTo = join(workspace, 'out');
  await restoreBackup({ archive: { storage, name }, filesTo, threads: 0 });
  assert.deepEqual(await describeTree(join(filesTo, 'tree')), await describeTree(tree));
  await storage.close();
});
