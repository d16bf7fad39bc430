/** The script for strangers, run as a stranger runs it, on every vector and on its own options. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { errorTable } from '../../src/errors.ts';

const root = join(import.meta.dirname, '../..');
const script = join(root, 'recover/holdfast-recover.mjs');
const archives = join(root, 'vectors/archives');

interface Expectation {
  readonly name: string;
  readonly passphrase: string | null;
  readonly identity: string | null;
  readonly expect: string;
  readonly entries: readonly { path: string; kind: string; sizeBytes: number; sha256: string }[];
  readonly lostEntries: readonly string[];
}

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const expectations = readdirSync(archives)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(archives, name), 'utf8')) as Expectation);

function environment(passphrase: string | null): NodeJS.ProcessEnv {
  const { HOLDFAST_PASSPHRASE: _, ...rest } = process.env;
  return passphrase === null ? rest : { ...rest, HOLDFAST_PASSPHRASE: passphrase };
}

/** Runs the script beside others: the tests of vectors are concurrent. */
function run(words: readonly string[], passphrase: string | null): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...words], {
      env: environment(passphrase),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

function runNow(
  words: readonly string[],
  options: { node?: string; env?: NodeJS.ProcessEnv } = {},
): SpawnSyncReturns<string> {
  const env = options.env ?? environment(null);
  return spawnSync(options.node ?? process.execPath, [script, ...words], { env, encoding: 'utf8' });
}

function archive(name: string): string {
  return join(archives, `${name}.holdfast`);
}

/** Every file below a folder, with the SHA-256 of its bytes; names as Latin-1, since some are not UTF-8. */
function filesBelow(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (path: Buffer, name: string) => {
    const state = lstatSync(path);
    if (state.isFile()) found.set(name, createHash('sha256').update(readFileSync(path)).digest('hex'));
    if (!state.isDirectory()) return;
    for (const child of readdirSync(path, { encoding: 'buffer' })) {
      walk(Buffer.concat([path, Buffer.from('/'), child]), `${name}/${child.toString('latin1')}`.replace(/^\//, ''));
    }
  };
  if (existsSync(folder)) walk(Buffer.from(folder), '');
  return found;
}

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-recover-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function exitCodeOf(expectation: Expectation): number {
  if (expectation.expect === 'ok') return 0;
  const code = expectation.expect as keyof typeof errorTable;
  // The script goes on with the other entries where a restore refuses all.
  return code === 'target.unsafe' ? 11 : errorTable[code].exitCode;
}

async function checkVector(expectation: Expectation): Promise<void> {
  const output = join(folder, expectation.name);
  const words = [archive(expectation.name), output];
  if (expectation.identity !== null) {
    const identity = `${output}.identity`;
    writeFileSync(identity, `# a comment\n${expectation.identity}\n`);
    words.push('--identity', identity);
  }
  const outcome = await run(words, expectation.passphrase);
  assert.equal(outcome.exitCode, exitCodeOf(expectation), outcome.stdout + outcome.stderr);
  const files = filesBelow(output);
  const wanted = expectation.entries.filter((entry) => entry.kind === 'file' && !entry.path.includes('\ufffd'));
  for (const entry of wanted) assert.equal(files.get(entry.path), entry.sha256, entry.path);
  for (const path of expectation.lostEntries) assert.ok(!files.has(path), `${path} was written`);
  for (const path of files.keys()) assert.ok(!path.includes('.partial'), `${path} was left behind`);
  if (expectation.expect === 'ok') assert.match(outcome.stdout, / 0 lost/);
  if (expectation.expect === 'ok')
    assert.equal(files.size, expectation.entries.filter((entry) => entry.kind === 'file').length);
  for (const path of expectation.lostEntries) assert.ok(outcome.stdout.includes(path.replaceAll('\0', '\ufffd')), path);
}

describe('the recovery script on the vectors', { concurrency: 2 }, () => {
  for (const expectation of expectations) {
    it(`${expectation.name}: ${expectation.expect}`, () => checkVector(expectation));
  }
});

describe('the recovery script', () => {
  it('lists without writing', () => {
    const result = runNow([archive('codec-gzip'), '--list']);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /file +files\/docs\/text.txt +1600 bytes/);
  });

  it('takes only what is asked for, by glob or by what lies under a path', () => {
    for (const [only, count] of [
      ['files/docs/1*.txt', 11],
      ['files/docs', 20],
      ['**/3.txt', 1],
      ['nothing', 0],
    ] as const) {
      const output = join(folder, `only-${count}`);
      const result = runNow([archive('index-small-files'), output, '--only', only]);
      assert.equal(result.status, 0, result.stderr);
      assert.equal(filesBelow(output).size, count, only);
    }
  });

  it('restores modes, times, folders and links', () => {
    const output = join(folder, 'attributes');
    assert.equal(runNow([archive('index-symlink'), output]).status, 0);
    const file = lstatSync(join(output, 'files/docs/a.txt'));
    assert.equal(file.mode & 0o777, 0o644);
    assert.equal(file.mtimeMs, 1_700_000_000_000);
    const docs = lstatSync(join(output, 'files/docs'));
    assert.equal(docs.mode & 0o777, 0o755);
    assert.equal(docs.mtimeMs, 1_700_000_000_000);
    assert.equal(readlinkSync(join(output, 'files/docs/link')), '/tmp');
  });

  it('writes a name that is not UTF-8 with its own bytes', () => {
    const output = join(folder, 'bytes');
    assert.equal(runNow([archive('index-path-bytes'), output]).status, 0);
    assert.deepEqual([...filesBelow(output).keys()], ['files/docs/\xe9.txt']);
  });

  it('does not write through a link that stands in the output folder', () => {
    const output = join(folder, 'linked');
    const outside = join(folder, 'outside');
    mkdirSync(join(output, 'files'), { recursive: true });
    mkdirSync(outside);
    symlinkSync(outside, join(output, 'files/docs'));
    const result = runNow([archive('codec-none'), output]);
    assert.equal(result.status, 11);
    assert.match(result.stdout, /LOST +files\/docs\/text.txt/);
    assert.deepEqual(readdirSync(outside), []);
  });

  it('may be run again over its own output', () => {
    const output = join(folder, 'again');
    for (const _ of [1, 2]) assert.equal(runNow([archive('index-symlink'), output]).status, 0);
    assert.equal(filesBelow(output).size, 2);
  });

  it('takes the passphrase from a file, without its line end', () => {
    const file = join(folder, 'passphrase');
    writeFileSync(file, 'correct horse\n');
    const result = runNow([archive('key-passphrase'), join(folder, 'from-file'), '--passphrase-file', file]);
    assert.equal(result.status, 0, result.stderr);
  });

  it('chooses one of two archives by its id', () => {
    const refused = runNow([archive('file-two-archives'), join(folder, 'two')]);
    assert.equal(refused.status, 13);
    const ids = refused.stderr.match(/[0-9a-f]{32}/g) ?? [];
    assert.equal(ids.length, 2);
    for (const id of ids) {
      const output = join(folder, id);
      assert.equal(runNow([archive('file-two-archives'), output, '--archive-id', id]).status, 0);
      assert.equal(filesBelow(output).size, 2);
    }
  });

  it('says how it is used, and refuses what it does not know', () => {
    assert.match(runNow(['--help']).stdout, /^usage: /);
    assert.equal(runNow([]).status, 2);
    assert.equal(runNow([archive('codec-none'), folder, '--loud']).status, 2);
    assert.equal(runNow([join(folder, 'not-there'), folder]).status, 1);
  });
});

/** Hides what newer Nodes have, as an older one lacks it. */
const olderNode = `
const crypto = require('node:crypto');
delete crypto.argon2Sync;
require('node:module').syncBuiltinESMExports();
`;

describe('the recovery script under an older Node', () => {
  it('hands over to a newer one and passes on its exit code and output', () => {
    const preload = join(folder, 'older.cjs');
    writeFileSync(preload, `if (!process.env.NEWER) { process.env.NEWER = '1'; ${olderNode} }`);
    const env = environment(null);
    const right = runNow([archive('codec-none'), join(folder, 'older')], {
      env: { ...env, NODE_OPTIONS: `--require ${preload}` },
    });
    assert.equal(right.status, 0, right.stderr);
    assert.match(right.stdout, /2 entries, 1900 bytes written/);
    const wrong = runNow([archive('file-empty'), join(folder, 'older')], {
      env: { ...env, NODE_OPTIONS: `--require ${preload}` },
    });
    assert.equal(wrong.status, 13);
  });

  it('names the Node that is needed when there is none', () => {
    const preload = join(folder, 'oldest.cjs');
    writeFileSync(preload, olderNode);
    const result = runNow([archive('codec-none'), join(folder, 'oldest')], {
      env: { PATH: '', NODE_OPTIONS: `--require ${preload}` },
    });
    assert.equal(result.status, 2);
    assert.match(result.stderr, /Node 24\.7 or newer is needed/);
    assert.ok(!existsSync(join(folder, 'oldest')));
  });
});
