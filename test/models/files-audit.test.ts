/** An application whose rows own files, by the command line: backups that tell what is missing, restores, and `holdfast files audit`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { runHere } from '../end-to-end/command-line.ts';

const environment = { HOLDFAST_PASSPHRASE: 'correct horse battery staple' };
const folder = mkdtempSync(join(tmpdir(), 'holdfast-audit-'));
const cwd = process.cwd();
const main = new URL('../../src/cli/main.ts', import.meta.url);
const script = `import { main } from '${main}'; await main(process.argv.slice(1));`;

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

before(() => {
  process.chdir(folder);
  write(
    'holdfast.config.ts',
    `import { defineConfig } from 'holdfast';
    export default defineConfig({
      databases: [{ alias: 'app', url: 'sqlite:app.db', models: {} }],
      files: ['uploads'],
      media: { scans: { backend: 'local', path: 'scans' }, fresh: { backend: 'local', path: 'fresh', enabled: false },
        late: { backend: 'local', path: 'late', enabled: false } },
      storage: { backend: 'local', path: 'backups' },
    });`,
  );
  write(
    'src/invoice.backup.ts',
    `import { defineBackup, file, filePath } from 'holdfast';
    export default defineBackup('invoice', {
      fields: { pdf: filePath({ root: 'uploads' }), scan: file('scans', { prefix: 'invoices/' }) },
      fileRoots: ['uploads/banners'],
    });`,
  );
  const database = new DatabaseSync('app.db');
  database.exec(`CREATE TABLE invoice (id INTEGER PRIMARY KEY, pdf TEXT, scan TEXT);
    INSERT INTO invoice VALUES (1, 'invoices/1.pdf', '1.png'), (2, 'invoices/2.pdf', NULL), (3, NULL, NULL)`);
  database.close();
  for (const path of ['uploads/invoices/1.pdf', 'uploads/invoices/2.pdf', 'uploads/banners/top.png'])
    write(path, `of ${path}`);
  write('scans/invoices/1.png', 'scanned');
  write('scans/other/note.txt', 'no column names what is here');
});

after(() => {
  process.chdir(cwd);
  rmSync(folder, { recursive: true, force: true });
});

test('rows and files that agree: a backup and an audit end with 0', async () => {
  const audit = await runHere(['files', 'audit'], { environment });
  assert.equal(audit.exitCode, 0, audit.stderr);
  assert.match(audit.stdout, /app: .*uploads: rows and files agree; 3 files/);
  assert.match(audit.stdout, /app: media:scans: rows and files agree; 1 file/);
  const backup = await runHere(['backup', '--output', 'whole.holdfast', '--verify', 'contents'], { environment });
  assert.equal(backup.exitCode, 0, backup.stderr);
  // The folder and the storage go along as a whole, too: what rows name comes with the rows, once.
  const media = ['--media-to', 'scans=fresh'];
  const words = [
    'restore',
    'whole.holdfast',
    '--to',
    'sqlite:copy.db',
    '--create-schema',
    '--files-to',
    'out',
    ...media,
  ];
  const restore = await runHere([...words, '--yes'], { environment });
  assert.equal(restore.exitCode, 0, restore.stderr);
  assert.equal(readFileSync('out/uploads/invoices/1.pdf', 'utf8'), 'of uploads/invoices/1.pdf');
  assert.equal(readFileSync('fresh/invoices/1.png', 'utf8'), 'scanned');
  assert.equal(readFileSync('fresh/other/note.txt', 'utf8'), 'no column names what is here');
});

test('a process that dies between files and rows leaves files alone, and the same restore goes on from there', async () => {
  const restore = [
    'restore',
    'whole.holdfast',
    '--to',
    'sqlite:again.db',
    '--files-to',
    'again',
    '--media-to',
    'scans=late',
    '--yes',
  ];
  const target = new DatabaseSync('again.db');
  target.exec('CREATE TABLE invoice (id INTEGER PRIMARY KEY, pdf TEXT, scan TEXT)');
  // Whoever reads lets nobody commit: the transaction waits for its end.
  target.exec('BEGIN; SELECT count(*) FROM invoice');
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', script, '--', ...restore, '--lock-timeout', '100'],
    {
      env: { ...process.env, ...environment },
      stdio: 'ignore',
    },
  );
  const ended = once(child, 'exit');
  const isThere = () => existsSync('again/uploads/invoices/1.pdf') && existsSync('late/invoices/1.png');
  while (!isThere() && child.exitCode === null) await setImmediate();
  assert.equal(child.exitCode, null, 'it waits');
  child.kill('SIGKILL');
  await ended;
  target.exec('COMMIT');
  const count = () => Number(target.prepare('SELECT count(*) AS count FROM invoice').get()?.['count']);
  assert.equal(count(), 0);
  const { exitCode, stderr } = await runHere(restore, { environment });
  assert.equal(exitCode, 0, stderr);
  assert.equal(count(), 3);
  assert.equal(readFileSync('again/uploads/invoices/2.pdf', 'utf8'), 'of uploads/invoices/2.pdf');
  target.close();
});

test('a row without its file, and files without rows: both are listed, and end with 3', async () => {
  rmSync('uploads/invoices/2.pdf');
  write('uploads/invoices/old.pdf', 'old');
  write('uploads/banners/unnamed.png', 'banners need no row');
  write('scans/invoices/stray.png', 'stray');
  const { exitCode, stdout, stderr } = await runHere(['files', 'audit', '--json'], { environment });
  assert.equal(exitCode, 3, stderr);
  const { databases } = JSON.parse(stdout);
  const [uploads, scans] = databases[0].trees;
  assert.deepEqual(uploads.rowsWithoutFiles, [
    { path: 'invoices/2.pdf', row: 'invoice:2', column: 'pdf', rowCount: 1 },
  ]);
  assert.deepEqual(uploads.filesWithoutRows, [{ path: 'invoices/old.pdf', sizeBytes: 3 }]);
  assert.equal(uploads.filesWithoutRowsBytes, 3);
  assert.deepEqual(scans.rowsWithoutFiles, []);
  assert.deepEqual(scans.filesWithoutRows, [{ path: 'invoices/stray.png', sizeBytes: 5 }]);
  const shown = await runHere(['files', 'audit'], { environment });
  assert.match(shown.stderr, /invoice:2 names invoices\/2\.pdf in pdf, which is not there/);
  assert.match(shown.stderr, /no row names invoices\/old\.pdf \(3 B\)/);
});

test('a backup in which a file is missing tells the row, and ends with 3', async () => {
  const { exitCode, stdout, stderr } = await runHere(['backup', '--output', 'part.holdfast'], { environment });
  assert.equal(exitCode, 3, stderr);
  assert.match(stdout, /written, not complete/);
  assert.match(
    stderr,
    /models\/app\/files\/uploads\/invoices\/2\.pdf: it is not there; invoice:2 names it in pdf \[source\.vanished\]/,
  );
  assert.ok(existsSync('part.holdfast'));
});

test('a database that there is not is named', async () => {
  const { exitCode, stderr } = await runHere(['files', 'audit', '--database', 'shop'], { environment });
  assert.equal(exitCode, 2);
  assert.match(stderr, /there is no database shop/);
});
