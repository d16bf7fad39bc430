/** What `packaging/` holds fits the project: no container engine is needed to see that. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CommandContext } from '../../src/cli/command-context.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { findProgram } from '../services/find-program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** The instructions of the Dockerfile, each on one line. */
function instructions(): { name: string; rest: string }[] {
  const lines = read('packaging/Dockerfile')
    .split('\n')
    .filter((line) => !line.startsWith('#'));
  const joined = lines.join('\n').replace(/\s*\\\n\s*/g, ' ');
  return joined
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return { name, rest: rest.join(' ') };
    });
}

/** Fails unless `holdfast` takes these words. */
async function assertCommandLine([name = '', ...words]: readonly string[]): Promise<void> {
  const program = await buildProgram({} as CommandContext, name);
  const command = program.commands.find((one) => one.name() === name);
  assert.ok(command, name);
  const { unknown, operands } = command.parseOptions(words);
  assert.deepEqual([unknown, operands], [[], []]);
}

test('the Dockerfile has only instructions that there are, and none of its image runs as root', async () => {
  const all = instructions();
  const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'USER', 'EXPOSE', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'];
  assert.deepEqual(
    all.map(({ name }) => name).filter((name) => !known.includes(name)),
    [],
  );
  const last = all.slice(all.findLastIndex(({ name }) => name === 'FROM'));
  assert.equal(last.findLast(({ name }) => name === 'USER')?.rest, 'node');
  const json = (name: string) => JSON.parse(last.find((one) => one.name === name)?.rest ?? '') as string[];
  assert.deepEqual(json('ENTRYPOINT'), ['tini', '--', 'holdfast']);
  await assertCommandLine(json('CMD'));
  const health = last.find(({ name }) => name === 'HEALTHCHECK')?.rest.replace(/^.* CMD /, '') ?? '';
  const [program, flag, code = ''] = JSON.parse(health) as string[];
  assert.deepEqual([program, flag], ['node', '-e']);
  assert.doesNotThrow(() => new Function('require', code));
});

test('the image has a Node that runs Holdfast, and all files of the package', () => {
  const { engines, files } = JSON.parse(read('package.json')) as { engines: { node: string }; files: string[] };
  const [, least] = /^>=(\d+)$/.exec(engines.node) ?? [];
  for (const { rest } of instructions().filter(({ name }) => name === 'FROM')) {
    assert.match(rest, new RegExp(`^node:${least}-`));
  }
  const copied = instructions().find(({ name, rest }) => name === 'RUN' && rest.includes('cp -R'))?.rest ?? '';
  for (const file of [...files, 'package.json', 'node_modules', 'LICENSE']) {
    assert.match(copied, new RegExp(` ${file}(?= )`), file);
    // The others are made when it is built.
    if (!['dist', 'node_modules', 'sbom.cdx.json'].includes(file)) assert.ok(existsSync(join(root, file)), file);
  }
  // What the image is made from is not left out of what the engine is given.
  const ignored = read('packaging/Dockerfile.dockerignore').split('\n');
  for (const needed of ['src', 'scripts', 'kernel', 'bin', 'docs', 'recover']) assert.ok(!ignored.includes(needed));
});

test('the configuration of the compose example is one, and each variable is set there', () => {
  const source = read('packaging/holdfast.config.ts');
  const body = stripTypeScriptTypes(source)
    .replace(/^import .*$/gm, '')
    .replace('export default', 'return');
  const value: unknown = new Function('defineConfig', body)((config: unknown) => config);
  const compose = read('packaging/compose.yaml');
  const [, service = ''] = /^ {2}holdfast:\n([\s\S]*?)^ {2}postgres:/m.exec(compose) ?? [];
  const names = [...source.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name);
  assert.ok(names.length >= 5);
  const values: Record<string, string> = {
    DATABASE_URL: 'postgres://shop:x@postgres/shop',
    S3_ENDPOINT_URL: 'http://s3',
  };
  values['BACKUP_RECIPIENT'] = 'age1';
  for (const name of names) assert.match(service, new RegExp(`^ {6}${name}: `, 'm'), name);
  const config = parseConfig(value, { ...Object.fromEntries(names.map((name) => [name, 'x'])), ...values }, 'config');
  assert.deepEqual(Object.keys(config.storage ?? {}), ['bucket', 'local']);
  // What compose asks for, the example of its environment has.
  const asked = [...compose.matchAll(/\$\{(\w+):\?\}/g)].map(([, name = '']) => name);
  const given = [...read('packaging/example.env').matchAll(/^(\w+)=$/gm)].map(([, name = '']) => name);
  assert.deepEqual([...new Set(asked)].sort(), given.sort());
  // No secret has a default.
  assert.doesNotMatch(compose, /\$\{\w+:?-/);
});

test('systemd takes the unit, and finds little that it may do', async (t) => {
  const unit = join(root, 'packaging/holdfast.service');
  const [, start = ''] = /^ExecStart=\/usr\/bin\/env holdfast (.*)$/m.exec(read('packaging/holdfast.service')) ?? [];
  await assertCommandLine(start.split(' '));
  if (findProgram('systemd-analyze') === undefined) {
    assert.notEqual(process.env['CI'], 'true', 'systemd-analyze is not here, and what nobody ran is not green');
    t.skip('systemd-analyze is not here');
    return;
  }
  const analyze = (...words: string[]) => spawnSync('systemd-analyze', words, { encoding: 'utf8' });
  const verified = analyze('verify', unit);
  assert.equal(verified.status, 0, verified.stderr);
  assert.equal(verified.stderr, '');
  // Tenths: 2.0 of 10, which is all.
  const rated = analyze('security', '--offline=true', '--no-pager', '--threshold=20', unit);
  assert.equal(rated.status, 0, rated.stdout.slice(-200) + rated.stderr);
});
