import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

/** A user without rights, for the part that root must not play. */
const nobody = 65_534;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-nobody-'));
  chmodSync(folder, 0o755);
});
afterEach(() => {
  spawnSync('chmod', ['-R', 'u+rwx', folder]);
  rmSync(folder, { recursive: true, force: true });
});

/** Loads the modules while it may, then becomes a user without rights and runs the body, which prints JSON. */
function asNobody(body: string): unknown {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    import { realpathSync } from 'node:fs';
    const { FilesSource } = await import(${url('./files-source.ts')});
    const { FileTreeTarget } = await import(${url('./file-tree-target.ts')});
    const { undoFiles } = await import(${url('./undo-files.ts')});
    if (process.getuid() === 0) { process.setgid(${nobody}); process.setuid(${nobody}); }
    const folder = realpathSync(${JSON.stringify(folder)});
    const problems = [];
    const context = { temporaryFolder: folder, report: (problem) => problems.push(problem) };
    ${body}`;
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    env,
    cwd: '/',
  });
  assert.equal(child.status, 0, child.stderr);
  return JSON.parse(child.stdout);
}

function giveToNobody(...paths: string[]): void {
  if (process.getuid?.() === 0) for (const path of paths) chownSync(path, nobody, nobody);
}

describe('FilesSource without rights', () => {
  it('reports what it may not read and leaves it out', () => {
    mkdirSync(join(folder, 'locked'));
    writeFileSync(join(folder, 'locked', 'inside'), 'x');
    writeFileSync(join(folder, 'secret'), 'x');
    writeFileSync(join(folder, 'open'), 'x');
    chmodSync(join(folder, 'locked'), 0o000);
    chmodSync(join(folder, 'secret'), 0o000);
    const result = asNobody(`
      const paths = [];
      for await (const entry of new FilesSource({ path: folder, name: 'n' }).entries(context)) paths.push(entry.path);
      console.log(JSON.stringify({ paths, problems: problems.map(({ code, path }) => [code, path]) }));`);
    assert.deepEqual(result, {
      paths: ['files/n', 'files/n/open'],
      problems: [
        ['source.unreadable', 'files/n/locked'],
        ['source.unreadable', 'files/n/secret'],
      ],
    });
  });

  it('throws for a root that it may not read, a folder or a file', () => {
    mkdirSync(join(folder, 'locked'));
    chmodSync(join(folder, 'locked'), 0o000);
    writeFileSync(join(folder, 'secret'), 'x', { mode: 0o000 });
    const result = asNobody(`
      const codes = [];
      for (const name of ['locked', 'secret']) {
        const source = new FilesSource({ path: folder + '/' + name });
        await source.describe(context).catch((error) => codes.push(error.code));
        try { for await (const entry of source.entries(context)) codes.push(entry.path); } catch (error) { codes.push(error.code); }
      }
      console.log(JSON.stringify(codes));`);
    assert.deepEqual(result, Array(4).fill('source.unreadable'));
  });
});

describe('FileTreeTarget without rights', () => {
  it('restores folders that not even their owner may write, and drops set-user-id', () => {
    giveToNobody(folder);
    const result = asNobody(`
      import { statSync } from 'node:fs';
      const target = new FileTreeTarget({ rootPath: folder + '/out', prefix: 'files/n' });
      const entry = (path, kind, mode, text) => [{ path, kind, sizeBytes: text.length, metadata: { mode, uid: 0, gid: 0 } }, (async function* () { if (text) yield Buffer.from(text); })()];
      await target.stage(...entry('files/n', 'directory', 0o555, ''));
      await target.stage(...entry('files/n/d', 'directory', 0o500, ''));
      await target.stage(...entry('files/n/d/f', 'file', 0o4755, 'text'));
      await target.commit();
      const modes = ['', '/d', '/d/f'].map((path) => (statSync(folder + '/out' + path).mode & 0o7777).toString(8));
      console.log(JSON.stringify({ modes, uid: statSync(folder + '/out/d/f').uid }));`);
    const uid = process.getuid?.() === 0 ? nobody : process.getuid?.();
    assert.deepEqual(result, { modes: ['555', '500', '755'], uid });
  });

  it('leaves nothing when it may not write', () => {
    mkdirSync(join(folder, 'parent'), { mode: 0o555 });
    const result = asNobody(`
      import { readdirSync } from 'node:fs';
      const target = new FileTreeTarget({ rootPath: folder + '/parent/out', prefix: 'files/n' });
      const codes = [];
      await target.stage({ path: 'files/n', kind: 'directory', sizeBytes: 0, metadata: {} }, []).catch((error) => codes.push(error.code));
      await target.abort();
      console.log(JSON.stringify({ codes, names: readdirSync(folder + '/parent') }));`);
    assert.deepEqual(result, { codes: ['storage.unauthorized'], names: [] });
  });

  const restoring = `
      import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
      const root = folder + '/out';
      const mode = (path) => (statSync(root + path).mode & 0o7777).toString(8);
      const text = (path) => readFileSync(root + path, 'utf8');
      const metadata = (mode) => (mode === undefined ? {} : { mode });
      const put = (target, path, kind, mode, text = '') => target.stage({ path: 'files/n' + path, kind, sizeBytes: text.length, metadata: metadata(mode) }, (async function* () { if (text) yield Buffer.from(text); })());
      const failed = [];
      const note = (error) => failed.push(error.code + ' ' + error.message);`;

  it('takes everything back, folders included that not even their owner may write', () => {
    const old = join(folder, 'out');
    mkdirSync(join(old, 'e'), { recursive: true });
    mkdirSync(join(old, 'z'));
    writeFileSync(join(old, 'a'), 'old');
    symlinkSync('old', join(old, 'z', 'link'));
    giveToNobody(folder, old, join(old, 'a'), join(old, 'e'));
    // Of somebody else where a test may do that, else missing when its turn comes.
    if (process.getuid?.() !== 0) rmSync(join(old, 'z'), { recursive: true });
    const result = asNobody(`${restoring}
      const target = new FileTreeTarget({ rootPath: root, prefix: 'files/n', overwrite: true });
      const before = [mode('/e'), statSync(root + '/e').mtimeMs];
      await put(target, '/a', 'file', 0o644, 'new');
      await put(target, '/d', 'directory', 0o555);
      await put(target, '/d/deep', 'directory', 0o555);
      await put(target, '/e', 'directory', 0o555);
      await put(target, '/e/new', 'file', 0o644, 'new');
      await put(target, '/z/x', 'file', 0o644, 'new');
      await target.stage({ path: 'files/n/z/link', kind: 'symlink', sizeBytes: 0, metadata: { target: 'new' } }, []);
      const partial = readdirSync(folder).find((name) => name.endsWith('.partial'));
      if (!existsSync(root + '/z')) rmSync(folder + '/' + partial + '/tree/z', { recursive: true });
      await target.commit().catch(note);
      await target.abort();
      const isAsBefore = JSON.stringify([mode('/e'), statSync(root + '/e').mtimeMs]) === JSON.stringify(before);
      console.log(JSON.stringify({ failed: failed.map((text) => text.includes('taken back')), a: text('/a'), isAsBefore, names: readdirSync(root).filter((name) => name !== 'z'), inFolder: readdirSync(root + '/e'), beside: readdirSync(folder) }));`);
    assert.deepEqual(result, {
      failed: [false],
      a: 'old',
      isAsBefore: true,
      names: ['a', 'e'],
      inFolder: [],
      beside: ['out'],
    });
  });

  it('replaces in folders of its own that it may not write, and undoes that', () => {
    giveToNobody(folder);
    const result = asNobody(`${restoring}
      const restore = async (content, folders) => {
        const target = new FileTreeTarget({ rootPath: root, prefix: 'files/n', overwrite: true });
        if (folders) await put(target, '/d', 'directory', 0o555);
        await put(target, '/d/f', 'file', 0o444, content);
        await target.commit().catch(note);
        await target.abort();
        return [text('/d/f'), mode('/d')];
      };
      const steps = [await restore('one', true), await restore('two', true), await restore('three', false)];
      await undoFiles(root, {}).catch(note);
      steps.push([text('/d/f'), mode('/d')]);
      const plain = new FileTreeTarget({ rootPath: root, prefix: 'files/n' });
      await put(plain, '/d/g', 'file', 0o444, 'added');
      await plain.commit().catch((error) => steps.push([error.code, readdirSync(root + '/d').join()]));
      await plain.abort();
      console.log(JSON.stringify({ failed, steps }));`);
    assert.deepEqual(result, {
      failed: [],
      steps: [
        ['one', '555'],
        ['two', '555'],
        ['three', '555'],
        ['two', '555'],
        ['storage.unauthorized', 'f'],
      ],
    });
  });

  it('puts back all that it can, and keeps what it cannot, wanted or not', () => {
    giveToNobody(folder);
    const result = asNobody(`${restoring}
      import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
      mkdirSync(root + '/m', { recursive: true });
      writeFileSync(root + '/a', 'old');
      writeFileSync(root + '/m/f', 'old');
      const target = new FileTreeTarget({ rootPath: root, prefix: 'files/n', overwrite: true, keepUndo: false });
      await put(target, '/a', 'file', 0o644, 'new');
      await put(target, '/m/f', 'file', 0o644, 'new');
      await target.place();
      const partial = readdirSync(folder).find((name) => name.endsWith('.partial'));
      chmodSync(folder + '/' + partial + '/replaced/m', 0o500);
      await target.abort().catch(note);
      const kept = readdirSync(folder).find((name) => name.includes('-undo-'));
      console.log(JSON.stringify({ a: text('/a'), f: text('/m/f'), kept: kept && readFileSync(folder + '/' + kept + '/m/f', 'utf8'), isNamed: failed[0].includes(folder + '/' + kept) && failed[0].includes('interrupted') }));`);
    assert.deepEqual(result, { a: 'old', f: 'new', kept: 'old', isNamed: true });
  });
});
