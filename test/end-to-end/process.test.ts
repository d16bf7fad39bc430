/** Operations where the process dies or the disk refuses: real kills, real full disks, real permissions. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBackup, FilesSource, restoreBackup, SqliteSource, validateBackup } from '../../src/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import type { ChildAnswer, ChildOrder } from './operation-child.ts';
import { describeTree, emptyFolder, makeDatabase } from './workspace.ts';

const program = fileURLToPath(new URL('operation-child.ts', import.meta.url));
const isSuperUser = process.getuid?.() === 0;
const nobody = 65534;
const unshare = isSuperUser ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
const canMount =
  spawnSync('unshare', [...unshare, 'bash', '-c', 'mount -t tmpfs -o size=1m none "$0"', tmpdir()]).status === 0;
const needsMount = { skip: canMount ? false : 'mounting is not permitted here' };

const workspace = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-test-process-')));
after(() => rmSync(workspace, { recursive: true, force: true }));
const tree = join(workspace, 'tree');
const database = join(workspace, 'shop.db');
const archive = join(workspace, 'whole.holdfast');

before(async () => {
  await chmod(workspace, 0o755);
  mkdirSync(tree);
  const random = new SeededRandom(2);
  for (let index = 0; index < 3; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(1_500_000));
  makeDatabase(database, 20);
  const sources = [new SqliteSource({ path: database }), new FilesSource({ path: tree })];
  await createBackup({ threads: 1, sources, output: archive, encryption: 'none', copies: 1 });
  await chmod(archive, 0o644);
});

function command(order: ChildOrder): readonly [string, ...string[]] {
  return [process.execPath, program, JSON.stringify(order)];
}

/** The answer of a child that runs below another program. */
function answerOf(words: readonly string[], options: { uid?: number; gid?: number } = {}): ChildAnswer {
  const [file = '', ...args] = words;
  const { stdout, stderr, status } = spawnSync(file, args, { encoding: 'utf8', ...options });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Starts a child and kills it where it stops. */
async function killAt(stopAt: string, order: Omit<ChildOrder, 'stopAt' | 'list'>): Promise<void> {
  const [file, ...args] = command({ ...order, stopAt, list: workspace });
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  for await (const line of createInterface(child.stdout)) {
    assert.equal(line, 'stopped', 'it was not stopped');
    child.kill('SIGKILL');
  }
  assert.deepEqual(await exited, [null, 'SIGKILL']);
}

for (const stopAt of ['read databases', 'read files', 'write', 'verify']) {
  test(`a backup killed in mid-${stopAt} leaves the old archive, and the next run cleans up`, async () => {
    const folder = await emptyFolder(workspace, 'killed');
    const temporaryFolder = await emptyFolder(workspace, 'temporary');
    const output = join(folder, 'x.holdfast');
    writeFileSync(output, 'old');
    const inputs = { databases: [database], trees: [tree] };
    await killAt(stopAt, { operation: 'backup', archive: output, temporaryFolder, ...inputs });
    assert.equal(readFileSync(output, 'utf8'), 'old');
    assert.ok(readdirSync(folder).every((name) => name === 'x.holdfast' || name.startsWith('.')));
    assert.equal(readdirSync(folder).length, 2);
    const [left = '', ...more] = readdirSync(temporaryFolder);
    assert.match(left, /^\.holdfast-run\.holdfast-\d+-[0-9a-f]{24}\.partial$/);
    assert.deepEqual(more, []);
    const copies = stopAt === 'read databases' ? 1 : 0;
    assert.equal(readdirSync(join(temporaryFolder, left)).length, copies);
    const sources = [new FilesSource({ path: tree })];
    await createBackup({ threads: 1, sources, output, encryption: 'none', temporaryFolder });
    assert.deepEqual([readdirSync(folder), readdirSync(temporaryFolder)], [['x.holdfast'], []]);
    assert.equal((await validateBackup({ archive: output, threads: 1 })).state, 'intact');
  });
}

test('a restore killed in the middle leaves its targets as they were, and the next one cleans up', async () => {
  const folder = await emptyFolder(workspace, 'restored');
  const target = { filesTo: join(folder, 'out'), to: [`sqlite:${folder}/shop.db`] };
  for (const stopAt of ['restore databases', 'restore files/tree/f0', 'restore files/tree/f2']) {
    await killAt(stopAt, { operation: 'restore', archive, ...target });
    const visible = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => !/(^|\/)\./.test(name));
    assert.deepEqual(
      visible,
      visible.filter((name) => name === 'out'),
    );
  }
  await restoreBackup({ threads: 1, archive, ...target });
  assert.deepEqual(readdirSync(folder).sort(), ['out', 'shop.db']);
  assert.deepEqual(readdirSync(target.filesTo), ['tree']);
  assert.deepEqual(await describeTree(join(target.filesTo, 'tree')), await describeTree(tree));
});

/** Runs an order on a disk of its own, mounted at `place`, with so much room. */
function onSmallDisk(size: string, place: string, order: ChildOrder): ChildAnswer {
  const script = `mount -t tmpfs -o size=${size} none "$0" && exec "$@"`;
  return answerOf(['unshare', ...unshare, 'bash', '-c', script, place, ...command(order)]);
}

test('a full disk is told, whichever copy it is full at, and nothing is left on it', needsMount, async () => {
  const place = await emptyFolder(workspace, 'disk');
  const order: ChildOrder = { operation: 'backup', archive: join(place, 'x'), trees: [tree], list: place };
  // One copy has some 5 MB.
  assert.deepEqual(onSmallDisk('2m', place, order), { result: 'storage.full', names: [] });
  assert.deepEqual(onSmallDisk('7m', place, order), { result: 'storage.full', names: [] });
  assert.deepEqual(onSmallDisk('16m', place, order), { result: 'done', names: ['x'] });
});

test('a disk that is full of a copy of the database is told', needsMount, async () => {
  const place = await emptyFolder(workspace, 'disk');
  const large = join(workspace, 'large.db');
  makeDatabase(large, 200_000);
  const output = join(await emptyFolder(workspace, 'out'), 'x');
  const order: ChildOrder = {
    operation: 'backup',
    archive: output,
    databases: [large],
    temporaryFolder: place,
    list: place,
  };
  const { result, names } = onSmallDisk('1m', place, order);
  assert.deepEqual(names, []);
  assert.match(result, /^(storage\.full|source\.unreadable)$/);
  assert.deepEqual(readdirSync(join(workspace, 'out')), []);
});

test('a disk without room for what is restored is told, and nothing is left on it', needsMount, async () => {
  const place = await emptyFolder(workspace, 'disk');
  const order: ChildOrder = {
    operation: 'restore',
    archive,
    filesTo: join(place, 'out'),
    to: [`sqlite:${place}/shop.db`],
    list: place,
  };
  assert.deepEqual(onSmallDisk('2m', place, order), { result: 'storage.full', names: [] });
  assert.equal(onSmallDisk('16m', place, order).result, 'done');
});

test('a folder that is another user’s is told', {
  skip: isSuperUser ? false : 'this user has no other to be',
}, async () => {
  const place = await emptyFolder(workspace, 'locked');
  const user = { uid: nobody, gid: nobody };
  const backup: ChildOrder = { operation: 'backup', archive: join(place, 'x'), trees: [tree], list: place };
  const restore: ChildOrder = {
    operation: 'restore',
    archive,
    filesTo: join(place, 'y'),
    to: [`sqlite:${place}/d`],
    list: place,
  };
  const denied = { result: 'storage.unauthorized', names: [] };
  assert.deepEqual(answerOf(command(backup), user), denied);
  assert.deepEqual(answerOf(command(restore), user), denied);
  await chmod(place, 0o777);
  const temporary = { ...backup, temporaryFolder: await emptyFolder(workspace, 'temporary') };
  assert.deepEqual(answerOf(command(temporary), user), denied);
  assert.deepEqual(answerOf(command(backup), user), { result: 'done', names: ['x'] });
});

test('a disk that may only be read is told', needsMount, async () => {
  const place = await emptyFolder(workspace, 'disk');
  const order: ChildOrder = { operation: 'backup', archive: join(place, 'x'), trees: [tree], list: place };
  const script = 'mount -t tmpfs none "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  const answer = answerOf(['unshare', ...unshare, 'bash', '-c', script, place, ...command(order)]);
  assert.deepEqual(answer, { result: 'storage.read_only', names: [] });
});
