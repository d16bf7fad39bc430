import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileRandomAccess, findEnd } from './file-random-access.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-read-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('offsets above 4 GiB are read', async () => {
  const path = join(folder, 'sparse');
  await writeFile(path, 'start');
  await truncate(path, 5 * 2 ** 30);
  await writeFile(path, 'end', { flag: 'a' });
  const access = await fileRandomAccess(path);
  const into = new Uint8Array(10);
  assert.equal(await access.read(5 * 2 ** 30 - 2, into), 5);
  assert.deepEqual([...into], [0, 0, ...Buffer.from('end'), 0, 0, 0, 0, 0]);
  await access.close();
});

test('a file that is cut while it is open reads to its new end', async () => {
  const path = join(folder, 'cut');
  await writeFile(path, '0123456789');
  const access = await fileRandomAccess(path);
  await truncate(path, 4);
  assert.equal(await access.read(2, new Uint8Array(8)), 2);
  await access.close();
});

test('folders, missing files and pipes are told apart', async () => {
  await assert.rejects(fileRandomAccess(folder), { code: 'storage.not_found', message: /is a folder/u });
  await assert.rejects(fileRandomAccess(join(folder, 'none')), {
    code: 'storage.not_found',
    message: /does not exist/u,
  });
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await assert.rejects(fileRandomAccess(pipe), { code: 'storage.failed', message: /neither a file nor a disk/u });
});

test('the end of a device is found by reading', async () => {
  for (const size of [0, 1, 2, 3, 4, 511, 512, 513, 4096, 5_000_000_001, 2 ** 45]) {
    let reads = 0;
    const end = await findEnd(async (offset) => {
      reads += 1;
      return offset < size;
    });
    assert.equal(end, size);
    assert.ok(reads < 120);
  }
});
