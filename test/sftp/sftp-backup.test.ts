/** A whole backup to an SFTP server and back. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  createBackup,
  FilesSource,
  repairArchive,
  restoreBackup,
  type Storage,
  validateBackup,
} from '../../src/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { assertOneCreates } from '../../src/testing/storage-write-cases.ts';
import { describeTree, makeWorkspace } from '../end-to-end/workspace.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';
import { openSftp } from './open-sftp.ts';

leaveOutWithout('sshd');

const workspace = makeWorkspace('sftp');
const tree = join(workspace, 'tree');
let server: SshdService;

before(async () => {
  mkdirSync(tree);
  const random = new SeededRandom(4);
  for (let index = 0; index < 6; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(700_000 * index));
  server = await startSshd();
});
after(() => server.stop());

function backUp(storage: Storage, copies: number, onRead?: () => unknown) {
  const source = new FilesSource({ path: tree });
  const sources = [
    onRead === undefined
      ? source
      : Object.assign(Object.create(source) as FilesSource, {
          name: source.name,
          describe: source.describe.bind(source),
          close: source.close.bind(source),
          entries: async function* (...given: Parameters<FilesSource['entries']>) {
            let count = 0;
            for await (const entry of source.entries(...given)) {
              count += 1;
              if (count === 5) await onRead();
              yield entry;
            }
          },
        }),
  ];
  return createBackup({ threads: 1, sources, output: { storage, name: 'a/x.holdfast' }, encryption: 'none', copies });
}

for (const copies of [1, 2]) {
  test(`an archive of ${copies} is written, verified, read in part and in whole`, async () => {
    const storage = openSftp(server, join(server.folder, `copies-${copies}`));
    const report = await backUp(storage, copies);
    assert.equal(report.verified, 'contents');
    const archive = { storage, name: 'a/x.holdfast' };
    assert.equal((await storage.stat('a/x.holdfast')).sizeBytes, report.sizeBytes);
    const checked = await validateBackup({ archive, threads: 1 });
    assert.deepEqual([checked.state, checked.level], ['intact', 'contents']);
    const part = join(workspace, `part-${copies}`);
    await restoreBackup({ archive, threads: 1, filesTo: part, only: ['files/tree/f2'] });
    assert.deepEqual(readdirSync(join(part, 'tree')), ['f2']);
    const whole = join(workspace, `whole-${copies}`);
    await restoreBackup({ archive, threads: 1, filesTo: whole });
    assert.deepEqual(await describeTree(join(whole, 'tree')), await describeTree(tree));
    await storage.close();
  });
}

test('what a server without copy-data got is read by the recovery script', async (context) => {
  const other = await startSshd({ subsystem: 'internal-sftp -P copy-data' });
  context.after(() => other.stop());
  const storage = openSftp(other, other.folder);
  await backUp(storage, 2);
  assert.equal((await validateBackup({ archive: { storage, name: 'a/x.holdfast' }, threads: 1 })).state, 'intact');
  await storage.close();
  const script = fileURLToPath(new URL('../../recover/holdfast-recover.mjs', import.meta.url));
  const out = join(workspace, 'recovered');
  execFileSync(process.execPath, [script, join(other.folder, 'a/x.holdfast'), out], { stdio: 'pipe' });
  const found = readdirSync(out, { recursive: true }).map(String);
  const recovered = found.find((name) => name.endsWith('f5'));
  assert.ok(recovered !== undefined);
  assert.ok(readFileSync(join(out, recovered)).equals(readFileSync(join(tree, 'f5'))));
});

test('of several who make one object at once one does', async () => {
  const storage = openSftp(server, join(server.folder, 'at-once'));
  await assertOneCreates(storage);
  await storage.close();
});

test('a backup goes on through a server that dies and comes back, and damage on the server is repaired there', async () => {
  const root = join(server.folder, 'restarted');
  const storage = openSftp(server, root, { retryDelayMs: 500 });
  await backUp(storage, 2, async () => {
    await server.kill();
    void server.restart();
  });
  const path = join(root, 'a', 'x.holdfast');
  assert.deepEqual(readdirSync(join(root, 'a')), ['x.holdfast']);
  const bytes = readFileSync(path);
  const damaged = Buffer.from(bytes).fill(0, 100_000, 1_000_000);
  writeFileSync(path, damaged);
  const archive = { storage, name: 'a/x.holdfast' };
  assert.equal((await validateBackup({ archive, threads: 1 })).state, 'repairable');
  assert.equal((await repairArchive({ archive, threads: 1 })).state, 'repaired');
  assert.ok(readFileSync(path).equals(bytes));
  await storage.close();
});
