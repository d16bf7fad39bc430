/** A key that was split opens archives again: from the command line, and with the recovery script alone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import decodeQR from 'qr/decode.js';
import { ageKeys, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('key-shares');
const root = join(import.meta.dirname, '../..');
const { HOLDFAST_PASSPHRASE: _, ...environment } = process.env;
const passphrase = 'die Schlüssel – 鍵 of the tests';

function run(script: string, args: readonly string[], more: NodeJS.ProcessEnv = {}) {
  const env = { ...environment, ...more };
  return spawnSync(process.execPath, [join(root, script), ...args], { cwd: workspace, env, encoding: 'utf8' });
}

function holdfast(...args: string[]): string {
  const { status, stdout, stderr } = run('test/transcript/holdfast.ts', args);
  assert.equal(status, 0, stderr);
  return stdout;
}

const shareFiles = (folder: string, ...numbers: number[]) =>
  numbers.flatMap((number) => ['--share-file', join(folder, `share-${number}.txt`)]);

for (const kind of ['passphrase', 'identity'] as const) {
  test(`shares of ${kind === 'passphrase' ? 'a passphrase' : 'an identity'}`, () => {
    const [first] = ageKeys;
    const isPassphrase = kind === 'passphrase';
    mkdirSync(join(workspace, kind, 'tree'), { recursive: true });
    writeFileSync(join(workspace, kind, 'tree', 'a.txt'), 'what was saved');
    const keyFile = join(kind, 'key');
    writeFileSync(join(workspace, keyFile), isPassphrase ? `${passphrase}\n` : `${first.identity}\n`);
    const archive = join(kind, 'a.holdfast');
    const seal = isPassphrase ? ['--passphrase-file', keyFile] : ['--recipient', first.recipient];
    holdfast('backup', '--files', join(kind, 'tree'), '--output', archive, ...seal);

    const sheets = join(kind, 'sheets');
    const given = [isPassphrase ? '--passphrase-file' : '--identity-file', keyFile];
    const label = ['--label', 'Shop <backups>'];
    const split = ['key', 'split', '--shares', '4', '--threshold', '3', '--output', sheets, ...given, ...label];
    const { files } = JSON.parse(holdfast(...split, '--json')) as { files: { text: string; page: string }[] };
    assert.equal(files.length, 4);
    assert.equal(statSync(join(workspace, sheets)).mode & 0o777, 0o700);
    for (const { text, page } of files) {
      assert.equal(statSync(join(workspace, text)).mode & 0o777, 0o600);
      const html = readFileSync(join(workspace, page), 'utf8');
      assert.match(html, /Shop &#60;backups&#62;: share \d of 4/);
      assert.ok(!html.includes(passphrase) && !html.includes(first.identity));
      assert.equal(codeOf(html), readShare(text).toUpperCase());
    }
    const again = run('test/transcript/holdfast.ts', split);
    assert.equal(again.status, 1, 'sheets are never replaced');
    assert.match(again.stderr, /sheets is there already.*\[storage\.conflict\]\nhint: name a folder/);

    const three = shareFiles(sheets, 4, 1, 3);
    const joined = holdfast('key', 'join', ...three);
    assert.equal(joined, `${isPassphrase ? passphrase : first.identity}\n`);
    const drill = JSON.parse(holdfast('key', 'drill', archive, ...three, '--json'));
    assert.deepEqual(drill, { archives: [{ archive, key: 'the shares', isOpened: true, entryCount: 2 }] });
    holdfast('restore', archive, ...three, '--files-to', join(kind, 'out'), '--yes');
    assert.equal(readFileSync(join(workspace, kind, 'out/tree/a.txt'), 'utf8'), 'what was saved');

    const script = run('recover/holdfast-recover.mjs', [archive, join(kind, 'recovered'), ...three]);
    assert.equal(script.status, 0, script.stderr);
    assert.equal(readFileSync(join(workspace, kind, 'recovered/files/tree/a.txt'), 'utf8'), 'what was saved');

    const two = shareFiles(sheets, 1, 2);
    const few = run('test/transcript/holdfast.ts', ['key', 'drill', archive, ...two]);
    assert.match(
      few.stderr,
      /2 of 3 shares are there: 1 more is needed \[key\.invalid\]\nhint: give a different share/,
    );
    assert.notEqual(run('recover/holdfast-recover.mjs', [archive, join(kind, 'never'), ...two]).status, 0);
  });
}

test('a drill names every archive that the key does not open, and ends with the code of a wrong key', () => {
  mkdirSync(join(workspace, 'drill', 'tree'), { recursive: true });
  const folder = join(workspace, 'drill');
  writeFileSync(join(folder, 'tree', 'a.txt'), 'a');
  const storage = "{ one: { backend: 'local', path: 'one' }, two: { backend: 'local', path: 'two' } }";
  writeFileSync(join(folder, 'holdfast.config.js'), `export default { files: ['tree'], storage: ${storage} };`);
  const inFolder = (args: readonly string[], key: string) =>
    spawnSync(process.execPath, [join(root, 'test/transcript/holdfast.ts'), ...args], {
      cwd: folder,
      env: { ...environment, HOLDFAST_PASSPHRASE: key },
      encoding: 'utf8',
    });
  const first = inFolder(['backup'], 'first');
  assert.equal(first.status, 0, first.stderr);
  const right = JSON.parse(inFolder(['key', 'drill', '--json'], 'first').stdout);
  const outcome = right.archives.map((one: { storage: string; isOpened: boolean }) => [one.storage, one.isOpened]);
  assert.deepEqual(outcome, [
    ['one', true],
    ['two', true],
  ]);
  const wrong = inFolder(['key', 'drill', '--storage', 'two'], 'second');
  assert.equal(wrong.status, 12, wrong.stderr);
  assert.match(wrong.stdout, /two .*key/);
  // One storage without an archive does not keep the other from being tried.
  rmSync(join(folder, 'one'), { recursive: true });
  const empty = inFolder(['key', 'drill', '--json'], 'first');
  assert.notEqual(empty.status, 0);
  const [none, opened] = JSON.parse(empty.stdout).archives;
  assert.deepEqual([none.storage, none.isOpened, none.error.code], ['one', false, 'storage.not_found']);
  assert.deepEqual([opened.storage, opened.isOpened], ['two', true]);
});

test('a drill tries what is named, each by itself, whatever the environment holds', () => {
  const folder = join(workspace, 'named');
  mkdirSync(join(folder, 'tree'), { recursive: true });
  writeFileSync(join(folder, 'tree', 'a.txt'), 'a');
  writeFileSync(join(folder, 'right'), 'first\n');
  writeFileSync(join(folder, 'wrong'), 'second\n');
  const archive = join('named', 'a.holdfast');
  holdfast('backup', '--files', 'named/tree', '--output', archive, '--passphrase-file', 'named/right');
  const sheets = join('named', 'sheets');
  const label = ['--label', 'two\nlines'];
  const split = ['key', 'split', '--shares', '2', '--threshold', '2', '--passphrase-file', 'named/wrong', ...label];
  holdfast(...split, '--output', sheets);
  assert.match(readFileSync(join(workspace, sheets, 'share-1.txt'), 'utf8'), /^# two lines: share 1 of 2\n#/);
  const drill = (...keys: string[]) => {
    const words = ['key', 'drill', archive, ...keys, '--json'];
    const { status, stdout } = run('test/transcript/holdfast.ts', words, { HOLDFAST_PASSPHRASE: 'first' });
    const { archives } = JSON.parse(stdout) as { archives: { key: string; isOpened: boolean }[] };
    return [status, ...archives.map(({ key, isOpened }) => `${key}: ${isOpened}`)];
  };
  assert.deepEqual(drill(), [0, '$HOLDFAST_PASSPHRASE: true']);
  assert.deepEqual(drill(...shareFiles(sheets, 1, 2)), [12, 'the shares: false']);
  assert.deepEqual(drill(...shareFiles(sheets, 1, 2), '--passphrase-file', 'named/right'), [
    12,
    'the shares: false',
    'named/right: true',
  ]);
});

/** The share in a text file, without comments and spaces. */
function readShare(file: string): string {
  return readFileSync(join(workspace, file), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('')
    .replaceAll(' ', '');
}

/** What a camera sees in the code of a page. */
function codeOf(html: string): string {
  const [, size = '0'] = /viewBox="0 0 (\d+) \d+"/.exec(html) ?? [];
  const side = Number(size);
  const scale = 4;
  const data = new Uint8Array((side * scale) ** 2 * 4).fill(255);
  const dark = (x: number, y: number) => {
    for (let dy = 0; dy < scale; dy++) {
      for (let dx = 0; dx < scale; dx++) {
        data.fill(
          0,
          (((y * scale + dy) * side + x) * scale + dx) * 4,
          (((y * scale + dy) * side + x) * scale + dx) * 4 + 3,
        );
      }
    }
  };
  // One subpath for each dark square: where it begins, in full or from the one before.
  const at = { x: 0, y: 0 };
  for (const [, letter, x, y] of html.matchAll(/([Mm])(-?\d+) (-?\d+)h1v1/g)) {
    at.x = Number(x) + (letter === 'm' ? at.x : 0);
    at.y = Number(y) + (letter === 'm' ? at.y : 0);
    dark(at.x, at.y);
  }
  return decodeQR({ width: side * scale, height: side * scale, data });
}
