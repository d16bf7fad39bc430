/** What an archive tells of itself, with a key and without. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  createBackup,
  FilesSource,
  inspectArchive,
  openArchive,
  type Progress,
  type RunOptions,
  repairArchive,
  Secret,
  SqliteSource,
  summarizeArchive,
  validateBackup,
} from '../../src/index.ts';
import { FakeClock, memoryRandomAccess } from '../../src/testing/index.ts';
import { ageKeys, countingAccess, flyingClock, makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('inspect');
const archive = join(workspace, 'x.holdfast');
const createdMs = Date.UTC(2026, 4, 6, 7, 8, 9, 123);
const keys = { identities: [new Secret(ageKeys[0].identity)] };

before(async () => {
  const tree = join(workspace, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'a'), Buffer.alloc(2_000_000, 'a'));
  writeFileSync(join(tree, 'b'), '');
  makeDatabase(join(workspace, 'shop.db'), 7);
  await createBackup({
    threads: 0,
    sources: [new SqliteSource({ path: join(workspace, 'shop.db') }), new FilesSource({ path: tree })],
    output: archive,
    keys: { recipients: ageKeys.map(({ recipient }) => recipient) },
    compression: 'none',
    copies: 3,
    dataBlocks: 100,
    parityBlocks: 10,
    clock: new FakeClock(createdMs),
  });
});

test('a summary has all of the header, and reads nothing else', async () => {
  const access = countingAccess(memoryRandomAccess(readFileSync(archive)));
  const { archiveId, slots, ...summary } = await summarizeArchive(access);
  assert.match(archiveId, /^[0-9a-f]{32}$/);
  assert.deepEqual(summary, {
    formatVersion: 1,
    createdMs,
    encryption: 'aes-256-gcm',
    compression: 'none',
    copies: 3,
    dataBlocks: 100,
    parityBlocks: 10,
    sizeBytes: access.sizeBytes,
  });
  assert.deepEqual(
    slots.map(({ type, label, createdMs: slotCreatedMs }) => [type, label, slotCreatedMs]),
    [
      ['age', '', createdMs],
      ['age', '', createdMs],
    ],
  );
  assert.ok(slots.every(({ id }) => /^[0-9a-f]{8}$/.test(id)) && slots[0]?.id !== slots[1]?.id);
  assert.ok(access.readBytes <= 64 * 1024, `${access.readBytes} bytes were read`);
});

test('a header that is damaged everywhere but in the middle is found', async () => {
  const bytes = readFileSync(archive);
  const damaged = Buffer.from(bytes)
    .fill(0, 0, 4096 * 20)
    .fill(0, bytes.length - 4096 * 20);
  const { sizeBytes, ...expected } = await summarizeArchive(archive);
  assert.deepEqual(await summarizeArchive(memoryRandomAccess(damaged)), { ...expected, sizeBytes });
});

test('entries are there with a key, and absent without', async () => {
  const without = await inspectArchive({ archive, threads: 0 });
  assert.equal('entries' in without, false);
  const inspected = await inspectArchive({ archive, threads: 0, keys });
  const { entries, ...rest } = inspected;
  assert.deepEqual(rest, without);
  // In the order in which they were finished: what is empty is so at once.
  const listed = entries?.map(({ path, kind, sizeBytes }) => `${path} ${kind} ${sizeBytes}`);
  assert.deepEqual(listed?.sort(), [
    'databases/shop/database.sqlite sqlite 8192',
    'files/tree directory 0',
    'files/tree/a file 2000000',
    'files/tree/b file 0',
  ]);
  const database = entries?.find(({ kind }) => kind === 'sqlite');
  assert.deepEqual(database?.metadata['rows'], 7);
  assert.deepEqual(database?.metadata['tables'], [{ name: 'item', rows: 7 }]);
  await using opened = await openArchive({ archive, threads: 0, keys });
  const opens: unknown[] = [];
  for await (const entry of opened.entries()) opens.push(entry);
  assert.deepEqual(opens, entries);
});

test('the map shows which copy is damaged where, and what is lost', async () => {
  const bytes = readFileSync(archive);
  const copyBytes = bytes.length / 3;
  const blocks = copyBytes / 4096;
  const sound = await inspectArchive({ archive, threads: 0 });
  assert.equal(sound.state, 'intact');
  assert.deepEqual(sound.blocks, { perCopy: blocks, copies: 3, intact: blocks * 3, damaged: 0, solved: 0, lost: 0 });
  assert.deepEqual(
    sound.map.map(({ copy }) => copy),
    [0, 1, 2],
  );
  for (const { cells } of sound.map) assert.match(cells, /^={2,256}$/);
  // The second half of the second copy, and two blocks in all three, which parity solves.
  const damaged = Buffer.from(bytes).fill(0, copyBytes * 1.5, copyBytes * 2);
  for (const copy of [0, 1, 2]) damaged.fill(0, copy * copyBytes + 8 * 4096, copy * copyBytes + 10 * 4096);
  const inspected = await inspectArchive({ archive: memoryRandomAccess(damaged), threads: 0 });
  assert.equal(inspected.state, 'repairable');
  assert.deepEqual([inspected.blocks.solved, inspected.blocks.lost], [2, 0]);
  const halfBlocks = Math.floor(blocks / 2);
  assert.ok(Math.abs(inspected.blocks.damaged - halfBlocks - 6) <= 1, `${inspected.blocks.damaged} of ${halfBlocks}`);
  assert.equal(inspected.blocks.intact + inspected.blocks.damaged, blocks * 3);
  const [first = '', second = '', third = ''] = inspected.map.map(({ cells }) => cells);
  assert.equal(first, third);
  assert.match(first, /^=+\+{1,3}=+$/);
  assert.match(second, /^=+\+{1,3}=+\++$/);
  for (const copy of [0, 1, 2]) damaged.fill(0, copy * copyBytes + 8 * 4096, copy * copyBytes + 300 * 4096);
  const lost = await inspectArchive({ archive: memoryRandomAccess(damaged), threads: 0 });
  assert.equal(lost.state, 'lost');
  assert.ok(lost.blocks.lost > 100 && lost.map.every(({ cells }) => cells.includes('#')));
});

test('progress goes forward within a phase, and ends at its total', async () => {
  const record = async (run: (options: RunOptions) => Promise<unknown>): Promise<Progress[]> => {
    const seen: Progress[] = [];
    await run({ threads: 0, clock: flyingClock(), onProgress: (progress) => seen.push(progress) });
    for (const [index, progress] of seen.entries()) {
      const previous = seen[index - 1];
      const isForward = progress.phase !== previous?.phase || progress.doneBytes >= previous.doneBytes;
      assert.ok(isForward, JSON.stringify([previous, progress]));
      assert.ok(progress.totalBytes === 0 || progress.doneBytes <= progress.totalBytes, JSON.stringify(progress));
    }
    return seen;
  };
  const sources = [new FilesSource({ path: join(workspace, 'tree') })];
  const output = join(workspace, 'y');
  const backup = await record((options) => createBackup({ ...options, sources, output, encryption: 'none' }));
  const phases = new Set(backup.map(({ phase }) => phase));
  phases.delete('scan');
  assert.deepEqual([...phases], ['read', 'write', 'verify']);
  const verify = await record((options) => validateBackup({ ...options, archive, keys }));
  for (const { phase, doneBytes, totalBytes } of [backup, verify].flatMap((seen) => seen.slice(-1))) {
    assert.deepEqual([phase, doneBytes], ['verify', totalBytes]);
  }
  await record((options) => repairArchive({ ...options, archive, output }));
});
