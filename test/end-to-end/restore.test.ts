/** What is restored, where to, and what is in the way. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { createBackup, FilesSource, type RestoreOptions, restoreBackup, SqliteSource } from '../../src/index.ts';
import { FakeClock, MemoryStorage, memoryRandomAccess, SeededRandom } from '../../src/testing/index.ts';
import { countingAccess, describeTree, dumpDatabase, emptyFolder, makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('restore');
const origin = join(workspace, 'origin');
const archive = join(workspace, 'all.holdfast');

/** Two databases and two trees, where they came from. */
function makeOrigin(): void {
  for (const [name, rows] of Object.entries({ shop: 10, forum: 20 })) {
    mkdirSync(join(origin, name), { recursive: true });
    makeDatabase(join(origin, name, `${name}.db`), rows);
  }
  for (const name of ['uploads', 'themes']) {
    mkdirSync(join(origin, name, '.hidden', 'deep'), { recursive: true });
    writeFileSync(join(origin, name, 'a.txt'), `a of ${name}`);
    writeFileSync(join(origin, name, 'b.bin'), `b of ${name}`);
    writeFileSync(join(origin, name, '.hidden', 'deep', 'c.txt'), `c of ${name}`);
  }
}

before(async () => {
  makeOrigin();
  const databases = ['shop', 'forum'].map((name) => new SqliteSource({ path: join(origin, name, `${name}.db`) }));
  const trees = ['uploads', 'themes'].map((name) => new FilesSource({ path: join(origin, name) }));
  await createBackup({ threads: 1, sources: [...databases, ...trees], output: archive, encryption: 'none' });
});

function restore(options: Partial<RestoreOptions>) {
  return restoreBackup({ archive, threads: 1, ...options });
}

/** Names below a folder, without folders. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

test('globs choose entries, hidden ones too', async () => {
  const cases: Record<string, readonly [readonly string[], readonly string[]]> = {
    'a whole tree': [['files/uploads/**'], ['uploads/.hidden/deep/c.txt', 'uploads/a.txt', 'uploads/b.bin']],
    'an extension': [['files/**/*.bin'], ['themes/b.bin', 'uploads/b.bin']],
    'hidden files': [['**/c.txt'], ['themes/.hidden/deep/c.txt', 'uploads/.hidden/deep/c.txt']],
    'two globs': [
      ['files/themes/a.*', 'files/uploads/b.bin'],
      ['themes/a.txt', 'uploads/b.bin'],
    ],
    'one star is one level': [['files/uploads/*.txt'], ['uploads/a.txt']],
    braces: [['files/{uploads,themes}/a.txt'], ['themes/a.txt', 'uploads/a.txt']],
  };
  for (const [name, [only, expected]] of Object.entries(cases)) {
    const filesTo = join(await emptyFolder(workspace, 'globs'), 'out');
    const report = await restore({ only, filesTo });
    assert.deepEqual(filesBelow(filesTo), expected, name);
    assert.ok(report.entryCount >= expected.length, name);
  }
  const filesTo = join(workspace, 'never');
  const missing = { code: 'archive.entry_not_found', message: /nothing\/here/ };
  await assert.rejects(restore({ only: ['files/**', 'nothing/here'], filesTo }), missing);
  await assert.rejects(restore({ only: [''], filesTo }), { code: 'usage.invalid' });
  assert.ok(!existsSync(filesTo));
});

test('a path with the signs of a glob is found as it stands', async () => {
  const folder = await emptyFolder(workspace, 'signs');
  mkdirSync(join(folder, 't'));
  writeFileSync(join(folder, 't', '[a]*.txt'), 'signs');
  writeFileSync(join(folder, 't', 'a.txt'), 'plain');
  const output = join(folder, 'x.holdfast');
  const sources = [new FilesSource({ path: join(folder, 't') })];
  await createBackup({ threads: 1, sources, output, encryption: 'none' });
  await restore({ archive: output, only: ['files/t/[a]*.txt'], filesTo: join(folder, 'out') });
  assert.ok(filesBelow(join(folder, 'out')).includes('t/[a]*.txt'));
});

test('one file of a large archive is had by reading a small part of it', async () => {
  const folder = await emptyFolder(workspace, 'large');
  mkdirSync(join(folder, 't'));
  const random = new SeededRandom(1);
  for (let index = 0; index < 24; index += 1) writeFileSync(join(folder, 't', `f${index}`), random.bytes(1_000_000));
  const storage = new MemoryStorage();
  const sources = [new FilesSource({ path: join(folder, 't') })];
  const output = { storage, name: 'x' };
  const { sizeBytes } = await createBackup({ threads: 2, sources, output, encryption: 'none', compression: 'none' });
  const access = countingAccess(await storage.open('x'));
  const report = await restore({ archive: access, only: ['files/t/f13'], filesTo: join(folder, 'out') });
  assert.ok(readFileSync(join(folder, 'out', 't', 'f13')).equals(readFileSync(join(folder, 't', 'f13'))));
  assert.equal(report.readBytes, access.readBytes);
  assert.ok(report.readBytes < 3_000_000 && sizeBytes > 50_000_000, `${report.readBytes} of ${sizeBytes}`);
});

test('each database goes where its name is told to, and nowhere else', async () => {
  const folder = await emptyFolder(workspace, 'to');
  const all = [`forum=sqlite:${folder}/f.db`, `shop=sqlite:${folder}/s=t.db`];
  const report = await restore({ only: ['databases/**'], to: all });
  assert.equal(report.rowCount, 30);
  assert.equal(dumpDatabase(join(folder, 'f.db')).length, 21);
  assert.equal(dumpDatabase(join(folder, 's=t.db')).length, 11);
  await restore({ only: ['databases/shop/**'], to: [`sqlite:${folder}/alone=yes.db`] });
  assert.equal(dumpDatabase(join(folder, 'alone=yes.db')).length, 11);
  const filesTo = join(folder, 'files');
  const kept = filesBelow(folder);
  const refused: Record<string, Partial<RestoreOptions>> = {
    'several databases': { to: [`sqlite:${folder}/x.db`], filesTo },
    'has two targets': { to: [`shop=sqlite:${folder}/x.db`, `shop=sqlite:${folder}/y.db`], filesTo },
    'no database blog': { to: [`blog=sqlite:${folder}/x.db`], filesTo },
    'not supported': { only: ['databases/shop/**'], to: [`shop=oracle://u:p@h/d`] },
    'same place': { to: [`shop=sqlite:${folder}/x.db`, `forum=sqlite:${folder}/./x.db`], filesTo },
    'same place: ': {
      only: ['databases/shop/**', 'files/uploads/**'],
      to: [`sqlite:${filesTo}/uploads/a.txt`],
      filesTo,
      overwrite: true,
    },
  };
  for (const [message, options] of Object.entries(refused)) {
    await assert.rejects(restore(options), { code: 'usage.invalid', message: new RegExp(message) }, message);
  }
  const elsewhere = restore({ only: ['databases/shop/**'], to: ['shop=postgres://u:p@h/d'] });
  await assert.rejects(elsewhere, { code: 'target.incompatible' });
  assert.deepEqual(filesBelow(folder), kept);
  // A command line that names all targets is narrowed by `only` alone.
  const narrowed = await restore({ only: ['files/**'], to: [`sqlite:${folder}/x.db`], filesTo });
  assert.deepEqual(new Set(narrowed.actions.map(({ kind }) => kind)), new Set(['files']));
  await restore({ only: ['databases/forum/**'], to: [`shop=sqlite:${folder}/y.db`, `forum=sqlite:${folder}/z.db`] });
  assert.equal(existsSync(join(folder, 'z.db')), true);
  assert.equal(existsSync(join(folder, 'x.db')) || existsSync(join(folder, 'y.db')), false);
});

test('without targets everything goes back to where it came from', async () => {
  renameSync(origin, `${origin}-away`);
  try {
    const report = await restore({});
    assert.deepEqual([...new Set(report.actions.map(({ action }) => action))], ['create']);
    for (const name of ['uploads', 'themes']) {
      assert.deepEqual(await describeTree(join(origin, name)), await describeTree(join(`${origin}-away`, name)));
    }
    for (const name of ['shop/shop.db', 'forum/forum.db']) {
      assert.deepEqual(dumpDatabase(join(origin, name)), dumpDatabase(join(`${origin}-away`, name)));
    }
    assert.deepEqual(filesBelow(origin), filesBelow(`${origin}-away`));
    const changed = join(origin, 'uploads', 'a.txt');
    writeFileSync(changed, 'changed');
    await assert.rejects(restore({}), { code: 'target.exists' });
    assert.equal(readFileSync(changed, 'utf8'), 'changed');
  } finally {
    await rm(origin, { recursive: true });
    renameSync(`${origin}-away`, origin);
  }
});

test('what is in the way stays, is kept as an undo, or goes, as told', async () => {
  const folder = await emptyFolder(workspace, 'overwrite');
  const options = {
    only: ['databases/shop/**', 'files/uploads/**'],
    to: [`sqlite:${folder}/shop.db`],
    filesTo: join(folder, 'files'),
    clock: new FakeClock(Date.UTC(2026, 1, 3, 4, 5, 6)),
  };
  await restore(options);
  const fresh = await describeTree(folder, { times: false });
  const spoil = () => {
    writeFileSync(join(folder, 'files', 'uploads', 'a.txt'), 'mine');
    writeFileSync(join(folder, 'files', 'uploads', 'own.txt'), 'own');
    writeFileSync(join(folder, 'shop.db'), readFileSync(join(origin, 'forum', 'forum.db')));
  };
  spoil();
  const spoiled = await describeTree(folder);
  await assert.rejects(restore(options), { code: 'target.exists' });
  await assert.rejects(restore({ ...options, dryRun: true }), { code: 'target.exists' });
  const plan = await restore({ ...options, overwrite: true, dryRun: true });
  assert.deepEqual(await describeTree(folder), spoiled);
  assert.equal(plan.dryRun, true);

  const report = await restore({ ...options, overwrite: true });
  assert.deepEqual(report.actions, plan.actions);
  const undos = report.actions.map(({ undo = '' }) => undo).sort();
  assert.deepEqual(undos, [
    join(folder, 'files', 'uploads.holdfast-undo-20260203T040506Z'),
    join(folder, 'shop.db.holdfast-undo-20260203T040506Z'),
  ]);
  assert.equal(readFileSync(join(undos[0] ?? '', 'a.txt'), 'utf8'), 'mine');
  assert.equal(dumpDatabase(undos[1] ?? '').length, 21);
  for (const undo of undos) await rm(undo, { recursive: true });
  assert.equal(readFileSync(join(folder, 'files', 'uploads', 'own.txt'), 'utf8'), 'own');
  await rm(join(folder, 'files', 'uploads', 'own.txt'));
  assert.deepEqual(await describeTree(folder, { times: false }), fresh);

  spoil();
  const second = await restore({ ...options, overwrite: true, keepUndo: false });
  assert.ok(second.actions.every(({ undo }) => undo === undefined));
  await rm(join(folder, 'files', 'uploads', 'own.txt'));
  assert.deepEqual(await describeTree(folder, { times: false }), fresh);
});

test('a dry run of everything writes nothing', async () => {
  const folder = await emptyFolder(workspace, 'dry');
  const to = ['shop', 'forum'].map((name) => `${name}=sqlite:${folder}/new/${name}.db`);
  const report = await restore({ to, filesTo: join(folder, 'files'), dryRun: true });
  assert.deepEqual(readdirSync(folder), []);
  assert.deepEqual(
    report.actions.map(({ target, kind, action, entryCount }) => [
      target.slice(folder.length),
      kind,
      action,
      entryCount,
    ]),
    [
      ['/new/shop.db', 'sqlite', 'create', 1],
      ['/new/forum.db', 'sqlite', 'create', 1],
      ['/files/uploads', 'files', 'create', 6],
      ['/files/themes', 'files', 'create', 6],
    ],
  );
  assert.deepEqual([report.dryRun, report.rowCount, report.entryCount], [true, 30, 14]);
});

test('when a later target fails, what stands already is told', async () => {
  const folder = await emptyFolder(workspace, 'second');
  const filesTo = join(folder, 'files');
  // The file appears in the second target after the plan was made, as another program might make it.
  let count = 0;
  const onProgress = () => {
    count += 1;
    mkdirSync(join(filesTo, 'themes'), { recursive: true });
    writeFileSync(join(filesTo, 'themes', 'a.txt'), 'in the way');
  };
  const failure = await restore({ only: ['files/**'], filesTo, onProgress }).catch((error: unknown) => error);
  assert.ok(count > 0);
  assert.ok(failure instanceof Error && 'code' in failure && 'context' in failure, String(failure));
  assert.equal(failure.code, 'target.exists');
  assert.match(failure.message, /restored already: .*uploads/);
  assert.deepEqual(
    (failure.context as { restored: { target: string }[] }).restored.map(({ target }) => target),
    [join(filesTo, 'uploads')],
  );
  assert.deepEqual(readdirSync(filesTo), ['themes', 'uploads']);
  assert.equal(readFileSync(join(filesTo, 'themes', 'a.txt'), 'utf8'), 'in the way');
  assert.deepEqual(readdirSync(join(filesTo, 'themes')), ['a.txt']);
});

test('bytes that are given stay open, and another replica heals them', async () => {
  const whole = readFileSync(archive);
  // In each copy all but the headers at its start.
  const half = whole.length / 2;
  const damaged = memoryRandomAccess(
    Buffer.from(whole)
      .fill(0, 3 * 4096, half)
      .fill(0, half + 3 * 4096),
  );
  const filesTo = join(await emptyFolder(workspace, 'from'), 'out');
  const options = { archive: damaged, only: ['files/**'] };
  await assert.rejects(restore({ ...options, filesTo }), { code: 'archive.damaged' });
  const replica = memoryRandomAccess(whole);
  const report = await restore({ ...options, filesTo, from: [replica] });
  assert.ok(report.healedBlocks > 0);
  assert.deepEqual(await describeTree(join(filesTo, 'uploads')), await describeTree(join(origin, 'uploads')));
  const byte = new Uint8Array(1);
  assert.deepEqual([await damaged.read(0, byte), await replica.read(0, byte)], [1, 1]);
});
