/** Sources that fail, vanish or change while they are read. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type BackupOptions,
  createBackup,
  FilesSource,
  HoldfastError,
  openArchive,
  type Source,
  SqliteSource,
  validateBackup,
} from '../../src/index.ts';
import { emptyFolder, entriesSource, flyingClock, makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('source');

/** A folder with an older archive; a backup of sources over it; and that nothing has changed. */
async function overOld(name: string) {
  const folder = await emptyFolder(workspace, name);
  const output = join(folder, 'out', 'x');
  mkdirSync(join(folder, 'out'));
  mkdirSync(join(folder, 'temporary'));
  writeFileSync(output, 'old');
  const common = { threads: 0, output, encryption: 'none', temporaryFolder: join(folder, 'temporary') } as const;
  const backUp = (sources: readonly Source[], options: Partial<BackupOptions> = {}) =>
    createBackup({ ...common, sources, ...options });
  const assertOld = () => {
    assert.deepEqual(readdirSync(join(folder, 'out')), ['x']);
    assert.equal(readFileSync(output, 'utf8'), 'old');
    assert.deepEqual(readdirSync(join(folder, 'temporary')), []);
  };
  return { folder, output, backUp, assertOld };
}

test('a source that throws in the middle ends the run with its error, and every source is closed', async () => {
  const { backUp, assertOld } = await overOld('throws');
  const closed: string[] = [];
  const failures = [
    new HoldfastError('source.unreadable', { message: 'the disk is gone' }),
    Object.assign(new Error('EIO: the disk is gone'), { code: 'EIO' }),
  ];
  for (const failure of failures) {
    const fail = () => {
      throw failure;
    };
    const bytes = new Uint8Array(3_000_000);
    const sources = [
      entriesSource('a', [{ path: 'files/a', bytes }], () => closed.push('a')),
      entriesSource(
        'b',
        [
          { path: 'files/b/1', bytes },
          { path: 'files/b/2', bytes, afterwards: fail },
        ],
        () => closed.push('b'),
      ),
      entriesSource('c', [{ path: 'files/c', bytes }], () => closed.push('c')),
    ].map((source, index) => ({ ...source, name: String(index) }));
    await assert.rejects(backUp(sources), (error) => error === failure);
    assertOld();
  }
  assert.deepEqual([...new Set(closed)], ['a', 'b', 'c']);
});

test('a source that cannot be closed does not hide why the run failed, and fails one that did not', async () => {
  const { backUp, assertOld } = await overOld('close');
  const stuck = () => {
    throw new HoldfastError('source.busy', { message: 'it is stuck' });
  };
  const fail = () => {
    throw new HoldfastError('source.unreadable', { message: 'the disk is gone' });
  };
  const failing = entriesSource('a', [{ path: 'files/a', afterwards: fail }], stuck);
  await assert.rejects(backUp([failing]), {
    code: 'source.unreadable',
    message: 'the disk is gone; cleaning up failed too: it is stuck',
  });
  assertOld();
  await assert.rejects(backUp([entriesSource('a', [{ path: 'files/a' }], stuck)]), { code: 'source.busy' });
});

test('what is not there, is no database, or is damaged fails the run', async () => {
  const { folder, backUp, assertOld } = await overOld('missing');
  const text = join(folder, 'text.db');
  writeFileSync(text, 'this is no database, but long enough to have been one: '.repeat(100));
  const broken = join(folder, 'broken.db');
  makeDatabase(broken, 2000);
  writeFileSync(broken, readFileSync(broken).fill(0xff, 5000, 9000));
  const good = new FilesSource({ path: text, name: 'good' });
  const cases: readonly [Source, string][] = [
    [new FilesSource({ path: join(folder, 'none') }), 'source.not_found'],
    [new SqliteSource({ path: join(folder, 'none.db') }), 'source.not_found'],
    [new SqliteSource({ path: text }), 'source.corrupt'],
    [new SqliteSource({ path: broken }), 'source.corrupt'],
  ];
  for (const [source, code] of cases) {
    await assert.rejects(backUp([good, source]), { code });
    assertOld();
  }
});

test('files that vanish or change while they are read are told, and the rest is kept', async () => {
  const { folder, output, backUp } = await overOld('changes');
  const tree = join(folder, 'tree');
  // The names at both ends come first.
  mkdirSync(join(tree, 'm-gone'), { recursive: true });
  for (const name of ['a', 'changes', 'm-gone/inside', 'n-vanishes', 'stays', 'z']) {
    writeFileSync(join(tree, name), 'x'.repeat(2_000_000));
  }
  let changed = false;
  const onProgress = ({ entry }: { readonly entry?: string }) => {
    if (entry !== 'files/tree/changes' || changed) return;
    changed = true;
    appendFileSync(join(tree, 'changes'), 'more');
    rmSync(join(tree, 'n-vanishes'));
    rmSync(join(tree, 'm-gone'), { recursive: true });
  };
  // One after another: what is opened beside the first one would not be gone yet.
  const source = Object.assign(new FilesSource({ path: tree }), { parallelEntries: 1 });
  const report = await backUp([source], { onProgress, clock: flyingClock() });
  assert.deepEqual(
    report.problems.map(({ code, path }) => [code, path]),
    [
      ['source.changed', 'files/tree/changes'],
      ['source.vanished', 'files/tree/m-gone'],
      ['source.vanished', 'files/tree/n-vanishes'],
    ],
  );
  assert.equal((await validateBackup({ archive: output, threads: 0 })).entryCount, report.entryCount);
  await using archive = await openArchive({ archive: output, threads: 0 });
  const entry = await archive.entry('files/tree/changes');
  assert.deepEqual([entry.sizeBytes, entry.metadata['changed']], [2_000_000, true]);
  await assert.rejects(archive.entry('files/tree/n-vanishes'), { code: 'archive.entry_not_found' });
});

test('sources that hold nothing are no backup', async () => {
  const { backUp, assertOld } = await overOld('nothing');
  await assert.rejects(backUp([entriesSource('a', [])]), { code: 'source.empty' });
  assertOld();
});

test('two sources that give entries below one root are refused: nothing could restore them', async () => {
  const { backUp, assertOld } = await overOld('roots');
  const tree = await emptyFolder(workspace, 'tree');
  await assert.rejects(backUp([new FilesSource({ path: tree }), entriesSource('other', [{ path: 'files/tree/b' }])]), {
    code: 'usage.invalid',
    message: /files\/tree/,
  });
  assertOld();
});

test('many problems are counted up to a limit', async () => {
  const { backUp } = await overOld('problems');
  const source: Source = {
    ...entriesSource('a', [{ path: 'files/a' }]),
    async *entries(context) {
      for (let index = 0; index < 10_005; index += 1) {
        context.report({ code: 'source.unreadable', path: `files/a/${index}`, message: 'denied' });
      }
      yield { path: 'files/a', kind: 'file', expectedSizeBytes: 0, metadata: {} };
    },
  };
  assert.equal((await backUp([source])).problems.length, 10_000);
});
