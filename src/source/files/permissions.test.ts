import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
});
