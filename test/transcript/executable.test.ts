import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const executable = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url));

/** Starts the executable as if it ran on another Node. */
function runOnNode(version: string, ...words: string[]) {
  const fake = `Object.defineProperty(process,'versions',{value:{...process.versions,node:'${version}'}})`;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(fake)}`, executable, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('a Node older than 24 is told what to do in one line', () => {
  for (const version of ['20.1.0', '23.11.1', '9.0.0']) {
    assert.deepEqual(runOnNode(version, 'verify', 'x'), {
      status: 2,
      stdout: '',
      stderr: `holdfast: this Node is too old (v${version}): install Node 24 or newer\n`,
    });
  }
});

test('--version answers without loading anything', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  for (const option of ['--version', '-V']) {
    assert.deepEqual(runOnNode('24.0.0', option), { status: 0, stdout: `${version}\n`, stderr: '' });
  }
});

test('the executable has nothing in it that Node 12 cannot parse, and no import before its check', () => {
  const text = readFileSync(executable, 'utf8');
  assert.match(text, /^#!\/usr\/bin\/env node\n/);
  assert.doesNotMatch(text, /\?\.|\?\?|^import |\bawait\b|#\w+\s*[=(;]/m);
});
