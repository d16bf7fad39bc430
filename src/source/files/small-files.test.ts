import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { collectSource } from '../../testing/source-cases.ts';
import { FilesSource } from './files-source.ts';
import { directorySize, heldBytes, joinPaths, measureFiles, readSmallFiles, splitPaths } from './read-small-files.ts';
import { pathsAtOnce, SmallFiles } from './small-files.ts';

let folder: string;
let tree: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-small-')));
  tree = join(folder, 'tree');
  mkdirSync(tree);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const mostBytes = 64 * 1024;
const pathOf = (name: string) => Buffer.from(join(tree, name));

describe('small files that are read together', () => {
  it('are all files up to 64 KiB; links, larger ones and what is not there are left to the one who asks', () => {
    writeFileSync(join(tree, 'a'), 'one', { mode: 0o640 });
    writeFileSync(join(tree, 'b'), '');
    writeFileSync(join(tree, 'c'), Buffer.alloc(mostBytes, 'c'));
    writeFileSync(join(tree, 'd'), Buffer.alloc(mostBytes + 1));
    symlinkSync('a', join(tree, 'e'));
    execFileSync('mkfifo', [join(tree, 'f')]);
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'missing', 'a'];
    const { bytes, files } = readSmallFiles(names.map(pathOf));
    assert.deepEqual(
      files.map((file) => file?.length),
      [3, 0, mostBytes, undefined, undefined, undefined, undefined, 3],
    );
    const last = files.at(-1);
    assert.ok(last);
    assert.equal(Buffer.from(bytes.subarray(last.offset)).toString(), 'one');
    const { mtimeNs, uid, gid } = statSync(join(tree, 'a'), { bigint: true });
    assert.deepEqual(
      { mode: last.mode & 0o7777n, mtimeNs: last.mtimeNs, uid: last.uid, gid: last.gid },
      { mode: 0o640n, mtimeNs, uid, gid },
    );
  });

  it('end behind a folder, and where there is no room for another one', () => {
    for (const name of ['a', 'c']) writeFileSync(join(tree, name), name);
    mkdirSync(join(tree, 'b'));
    assert.equal(readSmallFiles(['a', 'b', 'c'].map(pathOf)).files.length, 2);
    writeFileSync(join(tree, 'large'), Buffer.alloc(mostBytes));
    const fitting = heldBytes / mostBytes;
    const { bytes, files } = readSmallFiles(Array.from({ length: fitting + 1 }, () => pathOf('large')));
    assert.deepEqual([files.length, bytes.length], [fitting, heldBytes]);
  });

  it('are measured, and paths pass between threads as they are', () => {
    writeFileSync(join(tree, 'a'), 'four');
    symlinkSync('a', join(tree, 'link'));
    assert.deepEqual(
      [...measureFiles([pathOf('a'), Buffer.from(tree), pathOf('link'), pathOf('none')])],
      [4, directorySize, 0, 0],
    );
    const paths = [Buffer.from('/a'), Buffer.from([0x2f, 0xff, 0xfe]), Buffer.from('/ä/b')];
    assert.deepEqual(
      splitPaths(joinPaths(paths)).map((path) => Buffer.from(path)),
      paths,
    );
    assert.deepEqual(splitPaths(joinPaths([])), []);
  });

  it('are no longer waited for after an abort, or when the thread is closed', async () => {
    const files = new SmallFiles();
    const abort = new AbortController();
    const asked = files.read([pathOf('a')], abort.signal);
    abort.abort();
    await assert.rejects(asked, { code: 'operation.interrupted' });
    const other = files.measure([pathOf('a')], undefined);
    files.close();
    await assert.rejects(other, { code: 'operation.interrupted' });
    files.close();
  });
});

/** More than a thread is started for: in the root and in folders, in parts of several requests, with other things between. */
function makeTree(): Map<string, string> {
  const expected = new Map<string, string>();
  const add = (path: string, text: string) => {
    writeFileSync(join(tree, path), text);
    expected.set(`files/tree/${path}`, text);
  };
  for (let index = 0; index < 300; index += 1) add(`file-${index}`, `text ${index}`);
  add('file-150-large', 'L'.repeat(mostBytes + 1));
  for (const name of ['empty', 'file-120-folder', 'z']) mkdirSync(join(tree, name));
  for (let index = 0; index < pathsAtOnce + 1; index += 1) add(`z/${index}`, '');
  mkdirSync(join(tree, 'z', '3-deeper'));
  for (let index = 0; index < 40; index += 1) add(`z/3-deeper/${index}`, 'x'.repeat(60_000));
  symlinkSync('file-1', join(tree, 'file-130-link'));
  return expected;
}

describe('a source of many small files', () => {
  it('gives each file once, with what it holds, and folders before what is in them', async () => {
    const expected = makeTree();
    const { entries, problems } = await collectSource(new FilesSource({ path: tree }));
    assert.deepEqual(problems, []);
    const files = entries.filter(({ kind }) => kind === 'file');
    assert.deepEqual(new Map(files.map(({ path, bytes }) => [path, bytes.toString()])), expected);
    assert.equal(files.length, expected.size);
    const seen = new Set(['files']);
    for (const { path, kind } of entries) {
      assert.ok(seen.has(path.slice(0, path.lastIndexOf('/'))), path);
      if (kind === 'directory') seen.add(path);
    }
    assert.equal(entries.filter(({ kind }) => kind !== 'file').length, 6);
    const { mtimeNs, mode, uid, gid } = statSync(join(tree, 'file-77'), { bigint: true });
    assert.deepEqual(entries.find(({ path }) => path.endsWith('/file-77'))?.metadata, {
      mode: Number(mode & 0o7777n),
      mtimeNs: String(mtimeNs),
      uid: Number(uid),
      gid: Number(gid),
    });
  });

  it('leaves out what is excluded, and reports what is gone or cannot be read', async () => {
    const expected = makeTree();
    let calls = 0;
    const exclude = (path: string) => {
      calls += 1;
      // By now the names are listed, and those that are read are asked for in parts.
      if (calls === 1) unlinkSync(join(tree, 'file-250'));
      return /file-1\d$/.test(path);
    };
    const source = new FilesSource({ path: tree, exclude });
    const { entries, problems } = await collectSource(source);
    assert.deepEqual(
      problems.map(({ code, path }) => [code, path]),
      [['source.vanished', 'files/tree/file-250']],
    );
    for (let index = 10; index < 20; index += 1) expected.delete(`files/tree/file-${index}`);
    expected.delete('files/tree/file-250');
    const files = entries.filter(({ kind }) => kind === 'file').map(({ path }) => path);
    assert.deepEqual(files.sort(), [...expected.keys()].sort());
  });
});
