import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, mkdtemp, open, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { partialPath } from '../../disk/partial-path.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { SpoolFile } from './spool-file.ts';

const mebibyte = 1024 * 1024;
const child = fileURLToPath(new URL('../../../test/storage/spool-child.ts', import.meta.url));
const unshare = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
const canMount =
  spawnSync('unshare', [...unshare, 'bash', '-c', 'mount -t tmpfs -o size=1m none "$0"', tmpdir()]).status === 0;
const needsMount = { skip: canMount ? false : 'mounting is not permitted here' };
const needsProc = { skip: process.platform === 'linux' ? false : 'open files without a name are seen by /proc' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-spool-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function readAll(spool: SpoolFile): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of spool.chunks()) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

/** The open file in the test's folder, which has no name any more. */
async function openFile(): Promise<string> {
  for (const number of await readdir('/proc/self/fd')) {
    const path = `/proc/self/fd/${number}`;
    const target = await readlink(path).catch(() => '');
    if (target.startsWith(folder)) return path;
  }
  throw new Error('it is not open');
}

test('what was appended in any pieces comes back, as often as it is read', async () => {
  const random = new SeededRandom(3);
  for (const sizeBytes of [0, 1, mebibyte - 1, mebibyte, mebibyte + 1, 3 * mebibyte + 7]) {
    const bytes = random.bytes(sizeBytes);
    const spool = await SpoolFile.create({ folder });
    for (let offset = 0; offset < sizeBytes; ) {
      const length = 1 + random.integer(700_000);
      await spool.append(bytes.subarray(offset, offset + length));
      offset += length;
    }
    assert.equal(spool.sizeBytes, sizeBytes);
    for (let time = 0; time < 2; time += 1) assert.ok((await readAll(spool)).equals(bytes));
    await spool.close();
    await spool.close();
  }
});

test('the file has no name, and nothing of the bytes stands in it', needsProc, async () => {
  const spool = await SpoolFile.create({ folder });
  await spool.append(Buffer.alloc(2 * mebibyte, 'in clear'));
  assert.deepEqual(await readdir(folder), []);
  const handle = await open(await openFile(), 'r');
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(3 * mebibyte), 0, 3 * mebibyte, 0);
  await handle.close();
  assert.equal(bytesRead, 2 * (mebibyte + 16));
  assert.equal(buffer.indexOf('in clear'), -1);
  // Equal bytes, equal only under one nonce.
  assert.ok(!buffer.subarray(0, mebibyte).equals(buffer.subarray(mebibyte + 16, 2 * mebibyte + 16)));
  await spool.close();
});

async function flipBit(handle: FileHandle, offset: number): Promise<void> {
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, offset);
  await handle.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, offset);
}

test('a bit that the disk changed, and a cut, are refused', needsProc, async () => {
  for (const harm of ['bit', 'cut'] as const) {
    const spool = await SpoolFile.create({ folder });
    await spool.append(Buffer.alloc(2 * mebibyte));
    const handle = await open(await openFile(), 'r+');
    if (harm === 'cut') await handle.truncate(mebibyte + 20);
    else await flipBit(handle, mebibyte + 500_000);
    await handle.close();
    await assert.rejects(readAll(spool), { code: 'storage.failed', message: /does not read back/ });
    await spool.close();
  }
});

test('a killed process leaves nothing, and what one left before the name was gone is removed', async () => {
  const running = spawn(process.execPath, [child, folder, '2', '0', 'hang'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(running.stdout, 'data');
  running.kill('SIGKILL');
  await once(running, 'exit');
  assert.deepEqual(await readdir(folder), []);
  const dead = partialPath(join(folder, 'holdfast-spool')).replace(`-${process.pid}-`, `-${running.pid}-`);
  const own = partialPath(join(folder, 'holdfast-spool'));
  const other = join(folder, 'holdfast-spool');
  for (const path of [dead, own, other]) await writeFile(path, 'x');
  await (await SpoolFile.create({ folder })).close();
  assert.deepEqual((await readdir(folder)).map((name) => join(folder, name)).sort(), [own, other].sort());
});

test('a folder that is not there is named', async () => {
  const missing = join(folder, 'missing');
  await assert.rejects(SpoolFile.create({ folder: missing }), {
    code: 'storage.not_found',
    context: { path: missing, errno: 'ENOENT' },
  });
});

test(
  'a full disk, and one with less than the reserve, are told with the folder; with just enough it passes',
  needsMount,
  () => {
    const run = (sizeMegabytes: number, megabytes: number, reserveMegabytes: number): string => {
      const script = `mount -t tmpfs -o size=${sizeMegabytes}m none "$0" && exec "$@"`;
      const order = [child, folder, `${megabytes}`, `${reserveMegabytes * mebibyte}`];
      const words = [...unshare, 'bash', '-c', script, folder, process.execPath, ...order];
      return spawnSync('unshare', words, { encoding: 'utf8' }).stdout.split(':')[0] ?? '';
    };
    assert.equal(run(4, 3, 0), 'done\n');
    assert.equal(run(4, 4, 0), `storage.full ${folder}`);
    assert.equal(run(40, 15, 30), 'done\n');
    assert.equal(run(40, 16, 30), `storage.full ${folder}`);
    assert.equal(run(46, 16, 30), 'done\n');
  },
);
