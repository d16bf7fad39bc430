/** Archives beyond repair: what is lost is named, the rest can be had, and nothing is ever half. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  HoldfastError,
  openArchive,
  type RestoreOptions,
  repairArchive,
  restoreBackup,
  validateBackup,
} from '../../src/index.ts';
import { memoryRandomAccess, SeededRandom } from '../../src/testing/index.ts';
import { describeTree, dumpDatabase, emptyFolder, makeDatabase, makeWorkspace } from './workspace.ts';
import { type WrittenEntry, writeArchive } from './write-archive.ts';

const workspace = makeWorkspace('partial');
const blockBytes = 4096;
const fileBytes = 100_000;
const database = 'databases/shop/database.sqlite';
const contents = new Map<string, Uint8Array>();
let whole: Buffer;

before(async () => {
  const random = new SeededRandom(9);
  const databasePath = join(workspace, 'shop.db');
  makeDatabase(databasePath, 3000);
  for (const name of ['a', 'b', 'c', 'd', 'e']) contents.set(`files/tree/${name}`, random.bytes(fileBytes));
  contents.set(database, readFileSync(databasePath));
  contents.set('files/single', random.bytes(fileBytes));
  const files = [...contents].map(([path, bytes]): WrittenEntry => {
    return { path, bytes, kind: path === database ? 'sqlite' : 'file', metadata: { rows: 3000 } };
  });
  // Small segments, so that damage takes few entries, and two parity blocks for all: three lost blocks are beyond repair.
  const shape = { segmentSizeBytes: 16_384, dataBlocks: 253, parityBlocks: 2 };
  whole = Buffer.from(await writeArchive([{ path: 'files/tree', kind: 'directory' }, ...files], shape));
});

/** The archive with four blocks lost in the middle of each of these entries. */
function without(...paths: readonly string[]) {
  const bytes = Buffer.from(whole);
  for (const path of paths) {
    const content = Buffer.from(contents.get(path) ?? '');
    const middle = content.length >> 1;
    // Long enough to be found once; it may lie across the edge of a block, so a few places are tried.
    const offsets = [0, 100, 200].map((more) => whole.indexOf(content.subarray(middle + more, middle + more + 60)));
    const first = Math.floor(Math.max(...offsets) / blockBytes);
    assert.ok(first > 3);
    bytes.fill(0, first * blockBytes, (first + 4) * blockBytes);
  }
  return memoryRandomAccess(bytes);
}

async function target(name: string): Promise<{ folder: string; options: Omit<RestoreOptions, 'archive'> }> {
  const folder = await emptyFolder(workspace, name);
  return { folder, options: { threads: 0, to: [`sqlite:${folder}/shop.db`], filesTo: join(folder, 'new', 'out') } };
}

/** Everything but these came back, and nothing else is there. */
function assertRestored(folder: string, lost: readonly string[]): void {
  const expected = [...contents.keys()].filter((path) => !lost.includes(path));
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  const place = (path: string) => (path === database ? 'shop.db' : path.replace('files/', 'new/out/'));
  assert.deepEqual(found.sort(), expected.map(place).sort());
  for (const path of expected) {
    assert.ok(readFileSync(join(folder, place(path))).equals(contents.get(path) ?? new Uint8Array()), path);
  }
}

test('one lost entry: refused by name with nothing written, or left out', async () => {
  const lost = ['files/tree/c'];
  const { folder, options } = await target('one');
  const archive = without(...lost);
  const checked = await validateBackup({ archive, threads: 0 });
  assert.deepEqual([checked.state, checked.lostEntries, checked.entryCount], ['lost', lost, contents.size]);
  const failure = await restoreBackup({ archive, ...options }).catch((error: unknown) => error);
  assert.ok(failure instanceof HoldfastError && failure.code === 'archive.damaged', String(failure));
  assert.deepEqual(failure.context['lostEntries'], lost);
  assert.match(failure.message, /1 entry is lost \(files\/tree\/c\)/);
  assert.deepEqual(readdirSync(folder), []);
  const report = await restoreBackup({ archive, ...options, partial: true });
  assert.deepEqual(report.lostEntries, lost);
  assert.equal(report.entryCount, contents.size);
  assert.deepEqual(
    report.actions.map(({ entryCount }) => entryCount),
    [5, 1, 1],
  );
  assertRestored(folder, lost);
});

test('entries lost in every target', async () => {
  const lost = ['files/tree/a', 'files/tree/e'];
  const { folder, options } = await target('more');
  const report = await restoreBackup({ archive: without(...lost), ...options, partial: true });
  assert.deepEqual(report.lostEntries, lost);
  assertRestored(folder, lost);
});

test('a target that lost all its entries is not touched', async () => {
  const lost = [database, 'files/single'];
  const { folder, options } = await target('targets');
  const report = await restoreBackup({ archive: without(...lost), ...options, partial: true });
  assert.deepEqual(report.lostEntries, lost);
  assert.equal(report.rowCount, 5 * 3000);
  assert.deepEqual(
    report.actions.map((action) => action.target),
    [join(folder, 'new', 'out', 'tree')],
  );
  assertRestored(folder, lost);
  assert.deepEqual(readdirSync(folder), ['new']);
});

test('where nothing at all can be had, not even a partial restore succeeds', async () => {
  const { folder, options } = await target('nothing');
  const only = [database, 'files/single'];
  const restored = restoreBackup({ archive: without(...only), ...options, only, partial: true });
  await assert.rejects(restored, { code: 'archive.damaged', message: /2 entries are lost/ });
  assert.deepEqual(readdirSync(folder), []);
});

test('what is lost elsewhere does not matter to entries that are chosen', async () => {
  const { folder, options } = await target('chosen');
  const archive = without('files/tree/c');
  const report = await restoreBackup({ archive, threads: 0, filesTo: folder, only: ['files/tree/{b,d}'] });
  assert.deepEqual(report.lostEntries, []);
  assert.deepEqual(readdirSync(join(folder, 'tree')), ['b', 'd']);
  assert.ok(options.filesTo);
});

test('a file whose entry is lost is not replaced', async () => {
  const { folder, options } = await target('kept');
  const tree = join(folder, 'new', 'out', 'tree');
  mkdirSync(tree, { recursive: true });
  for (const name of ['b', 'c']) writeFileSync(join(tree, name), `mine ${name}`);
  makeDatabase(join(folder, 'shop.db'), 1);
  const before = await describeTree(folder);
  const archive = without('files/tree/c', database);
  await assert.rejects(restoreBackup({ archive, ...options, overwrite: true }), { code: 'archive.damaged' });
  assert.deepEqual(
    (await describeTree(folder)).map((line) => line.replace(/\/ .*/, '/')),
    before.map((line) => line.replace(/\/ .*/, '/')),
  );
  const report = await restoreBackup({ archive, ...options, overwrite: true, partial: true, keepUndo: false });
  assert.deepEqual(report.lostEntries, ['files/tree/c', database]);
  assert.equal(readFileSync(join(tree, 'c'), 'utf8'), 'mine c');
  assert.equal(readFileSync(join(tree, 'b')).length, fileBytes);
  assert.equal(dumpDatabase(join(folder, 'shop.db')).length, 2);
});

test('a lost index is told, whatever is asked for', async () => {
  const { folder, options } = await target('index');
  const bytes = Buffer.from(whole);
  // The last data blocks and all that is behind them: index, tail, parity.
  bytes.fill(0, bytes.length - 10 * blockBytes, bytes.length - 3 * blockBytes);
  const archive = memoryRandomAccess(bytes);
  for (const partial of [false, true]) {
    await assert.rejects(restoreBackup({ archive, ...options, partial }), { code: 'archive.damaged' });
  }
  assert.deepEqual(readdirSync(folder), []);
  const checked = await validateBackup({ archive, threads: 0 });
  assert.deepEqual([checked.state, checked.entryCount], ['lost', 0]);
});

test('an opened archive gives what is whole and refuses what is lost', async () => {
  await using archive = await openArchive({ archive: without('files/tree/c'), threads: 0 });
  const read = async (path: string) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive.read(path)) chunks.push(chunk.slice());
    return Buffer.concat(chunks);
  };
  await assert.rejects(read('files/tree/c'), { code: 'archive.damaged' });
  assert.ok((await read('files/tree/b')).equals(contents.get('files/tree/b') ?? new Uint8Array()));
  await assert.rejects(read('files/tree/none'), { code: 'archive.entry_not_found' });
});

test('repair refuses what is lost, or keeps what can be had', async () => {
  const { folder, options } = await target('repaired');
  const lost = ['files/tree/d'];
  const path = join(folder, 'x.holdfast');
  const bytes = Buffer.alloc(whole.length);
  await without(...lost).read(0, bytes);
  writeFileSync(path, bytes);
  await assert.rejects(repairArchive({ archive: path, threads: 0 }), { code: 'archive.damaged', message: /block/ });
  assert.ok(readFileSync(path).equals(bytes));
  const dry = await repairArchive({ archive: path, threads: 0, partial: true, dryRun: true });
  assert.deepEqual([dry.state, dry.written], ['lost', false]);
  const report = await repairArchive({ archive: path, threads: 0, partial: true });
  assert.deepEqual([report.state, report.written, report.blocks.lost], ['lost', true, 4]);
  const restored = await restoreBackup({ archive: path, ...options, partial: true });
  assert.deepEqual(restored.lostEntries, lost);
  const [[first, last] = [0, 0]] = report.lostBlocks;
  assert.equal(last - first, 3);
  // The lost blocks come back from a replica that lost others.
  const other = without('files/tree/a');
  const healed = await repairArchive({ archive: path, threads: 0, from: [other] });
  assert.equal(healed.state, 'repaired');
  assert.ok(readFileSync(path).equals(whole));
});
