import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { findProgram } from './find-program.ts';
import { missingPackages, missingServices } from './service-packages.ts';

const module = new URL('service-packages.ts', import.meta.url).href;

/** What a process says whose PATH has nothing, so that it finds no `redis-cli`. */
function withoutPath(expression: string, env: Record<string, string> = {}): string {
  const script = `import * as found from ${JSON.stringify(module)}; console.log(JSON.stringify(${expression}));`;
  const args = ['--input-type=module', '--eval', script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env: { PATH: '', ...env }, encoding: 'utf8' });
  return stdout + stderr;
}

test('a missing server is named with its packages', () => {
  const reason = withoutPath("found.leftOut('redis')");
  assert.match(reason, /^"tests with redis are left out: no .*redis-cli; install redis-server"/);
  assert.match(withoutPath('found.missingPackages()'), /"redis-server"/);
  assert.match(withoutPath('found.missingServices()'), /tests with redis are left out/);
});

test('under CI leaving out is a failure', () => {
  assert.match(withoutPath("found.leftOut('redis')", { CI: 'true' }), /Error: tests with redis are left out/);
  assert.doesNotMatch(withoutPath("found.leftOut('redis')", { CI: '' }), /Error/);
});

test('packages are asked for if and only if something is missing', () => {
  assert.equal(missingPackages().length > 0, missingServices().length > 0);
});

test('programs are found by their whole path, PostgreSQL’s own before the wrappers on PATH', () => {
  assert.equal(findProgram('node-that-is-not-there'), undefined);
  assert.match(findProgram('sh') ?? '', /^\/.*\/sh$/);
  const dump = findProgram('pg_dump');
  if (findProgram('postgres')?.startsWith('/usr/lib/postgresql/') === true) {
    assert.match(dump ?? '', /^\/usr\/lib\/postgresql\/\d+\/bin\/pg_dump$/);
  }
});
