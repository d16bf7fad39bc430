// biome-ignore-all lint/suspicious/noTemplateCurlyInString: configurations have variables of their own in plain strings
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { HoldfastError } from '../errors.ts';
import { loadConfig } from './load-config.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFile(join(folder, name), text);
const hasCode = (code: string) => (error: HoldfastError) => error.code === code;

test('TypeScript, JavaScript and JSON are read', async () => {
  await write('holdfast.config.json', '{ "environment": "json" }');
  assert.equal((await loadConfig(folder, {})).config.environment, 'json');
  await rm(join(folder, 'holdfast.config.json'));
  await write('holdfast.config.js', 'export default { environment: "js" };');
  assert.equal((await loadConfig(folder, {})).config.environment, 'js');
  await rm(join(folder, 'holdfast.config.js'));
  await write('holdfast.config.ts', 'const environment: string = "ts"; export default { environment };');
  const { config, file } = await loadConfig(folder, {});
  assert.equal(config.environment, 'ts');
  assert.equal(file, join(folder, 'holdfast.config.ts'));
});

test('of two in one folder none is taken, and both are named', async () => {
  await write('holdfast.config.json', '{ "environment": "json" }');
  await write('holdfast.config.ts', 'export default { environment: "ts" };');
  await assert.rejects(
    loadConfig(folder, {}),
    (error: HoldfastError) =>
      error.code === 'config.invalid' &&
      error.message.includes(join(folder, 'holdfast.config.ts')) &&
      error.message.includes(join(folder, 'holdfast.config.json')),
  );
});

test('a configuration imports holdfast where no package of that name is installed', async () => {
  await write(
    'holdfast.config.ts',
    "import { defineConfig } from 'holdfast';\nexport default defineConfig({ files: ['${HOME_FOLDER}'] });\n",
  );
  assert.deepEqual((await loadConfig(folder, { HOME_FOLDER: 'home' })).config.files, ['home']);
});

for (const [what, packageText] of [
  ['that calls its files CommonJS, as `npm init` does', '{ "type": "commonjs" }'],
  ['of no type', '{}'],
] as const) {
  test(`a configuration is a module in a package ${what}, without a warning`, async (t) => {
    await write('package.json', packageText);
    await write('places.ts', "import names from './names.js';\nexport const folder: string = names.folder;\n");
    await write('names.js', "module.exports = { folder: 'uploads' };\n");
    const text = "import { defineConfig } from 'holdfast';\nimport { folder } from './places.ts';\n";
    const warn = t.mock.method(process, 'emitWarning');
    for (const extension of ['ts', 'js']) {
      await write(`holdfast.config.${extension}`, `${text}export default defineConfig({ files: [folder] });\n`);
      assert.deepEqual((await loadConfig(folder, {})).config.files, ['uploads'], extension);
      await rm(join(folder, `holdfast.config.${extension}`));
    }
    assert.equal(warn.mock.callCount(), 0);
  });
}

test('a configuration that exports by module.exports is read too', async () => {
  await write('package.json', '{ "type": "commonjs" }');
  await write('holdfast.config.js', "module.exports = { files: ['of require'] };\n");
  assert.deepEqual((await loadConfig(folder, {})).config.files, ['of require']);
});

test('without a file the answer is config.not_found', async () => {
  await assert.rejects(loadConfig(folder, {}), hasCode('config.not_found'));
});

test('a file that cannot be read or exports nothing is config.invalid', async () => {
  const broken: [string, string][] = [
    ['holdfast.config.json', '{ "environment": '],
    ['holdfast.config.js', 'export default {'],
    ['holdfast.config.ts', 'export const config = {};'],
  ];
  for (const [name, text] of broken) {
    await write(name, text);
    await assert.rejects(loadConfig(folder, {}), hasCode('config.invalid'), name);
    await rm(join(folder, name));
  }
});

test('variables come from .env beside the file, and those of the process go before them', async () => {
  await write('.env', 'FOLDER="from file"\nOTHER=other # a comment\nNODE_ENV=staging\n');
  await write('holdfast.config.json', '{ "files": ["${FOLDER}", "${OTHER}"] }');
  const first = await loadConfig(folder, {});
  assert.deepEqual(first.config.files, ['from file', 'other']);
  assert.equal(first.config.environment, 'staging');
  const second = await loadConfig(folder, { FOLDER: 'mine', NODE_ENV: 'production' });
  assert.deepEqual(second.config.files, ['mine', 'other']);
  assert.equal(second.config.environment, 'production');
});

test('a function makes a configuration for an environment', async () => {
  await write(
    'holdfast.config.ts',
    "import { defineConfig } from 'holdfast';\nexport default defineConfig(async (environment) => ({ storage: { backend: 'local', path: `/srv/${environment}` } }));\n",
  );
  const { config } = await loadConfig(folder, { NODE_ENV: 'production' });
  assert.deepEqual(config.storage, { backend: 'local', path: '/srv/production' });
  assert.equal((await loadConfig(folder, {})).config.environment, 'default');
});

test('all mistakes are told at once, and variables that are not set are named with their places', async () => {
  await write('holdfast.config.json', '{ "copies": 9, "compresion": "xz", "files": ["${A}/${B}"] }');
  await assert.rejects(loadConfig(folder, {}), (error: HoldfastError) => {
    const { problems } = error.context as { problems: { path: string; message: string }[] };
    assert.deepEqual(
      problems.map(({ path, message }) => `${path}: ${message.split(':')[0]}`),
      [
        'files[0]: the variable A is not set',
        'files[0]: the variable B is not set',
        'copies: Too big',
        'compresion: there is no such setting (did you mean compression?)',
      ],
    );
    return true;
  });
});
