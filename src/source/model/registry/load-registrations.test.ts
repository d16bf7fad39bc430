import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { HoldfastError } from '../../../errors.ts';
import { loadRegistrations } from './load-registrations.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-registry-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, text: string): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

const fails = (pattern: RegExp, hint = /./) => {
  return (error: HoldfastError) =>
    error.code === 'config.invalid' && pattern.test(error.message) && hint.test(error.hint);
};

const registration = (model: string, name = 'default') =>
  `import { defineBackup, exclude } from 'holdfast';\n${name === 'default' ? 'export default' : `export const ${name} =`} defineBackup('${model}', { fields: { cache: exclude() } });\n`;

test('registrations are found beside the code, in TypeScript and JavaScript, under any export', async () => {
  await write('src/invoices/invoice.backup.ts', registration('invoice'));
  await write('lib/order.backup.js', registration('order', 'orders'));
  await write(
    'src/two.backup.ts',
    `${registration('a', 'first')}export const second = defineBackup('b', {});\nexport { first as again };\nexport const note: string = 'x';\n`,
  );
  await write('src/invoice.ts', 'throw new Error("not a registration");');
  const ofOthers = ['node_modules/x/a.backup.js', 'dist/invoice.backup.js', 'packages/b/build/a.backup.js'];
  for (const path of ofOthers) await write(path, 'throw new Error("not ours");');
  const found = await loadRegistrations(folder);
  assert.deepEqual(
    found.map(({ file, registration: { model } }) => [file, model]),
    [
      ['lib/order.backup.js', 'order'],
      ['src/invoices/invoice.backup.ts', 'invoice'],
      ['src/two.backup.ts', 'a'],
      ['src/two.backup.ts', 'b'],
    ],
  );
});

test('globs of the configuration say where else, and must find something', async () => {
  await write('backup/models.ts', registration('invoice'));
  await write('src/other.backup.ts', registration('other'));
  const found = await loadRegistrations(folder, { registry: ['backup/*.ts'] });
  assert.deepEqual(
    found.map(({ file }) => file),
    ['backup/models.ts'],
  );
  await assert.rejects(
    loadRegistrations(folder, { registry: ['backups/*.ts'] }),
    fails(/no file fits backups\/\*\.ts/),
  );
  assert.deepEqual(await loadRegistrations(await mkdtemp(join(folder, 'empty-'))), []);
});

test('a file that does not load, or registers nothing, is named with the reason', async () => {
  const broken: [string, RegExp, RegExp?][] = [
    ['export const x = 1;', /^a\.backup\.ts: it exports no registration/, /export default defineBackup/],
    ["import './gone.ts';", /a\.backup\.ts cannot be loaded: Cannot find module/, /check the path/],
    ['throw new Error("no DATABASE_URL");', /cannot be loaded: no DATABASE_URL/],
    ['@entity class A {}\nexport default A;', /cannot be loaded/, /decorators/],
    ['export enum A { B }', /cannot be loaded/, /NODE_OPTIONS="--import tsx"/],
  ];
  for (const [text, message, hint] of broken) {
    await rm(folder, { recursive: true });
    folder = await mkdtemp(join(tmpdir(), 'holdfast-registry-'));
    await write('a.backup.ts', text);
    await assert.rejects(loadRegistrations(folder), fails(message, hint), text);
  }
});

test('a file that waits at its top level ends after the time limit', async () => {
  await write('a.backup.ts', 'await new Promise(() => undefined);\n');
  await assert.rejects(loadRegistrations(folder, { timeoutMs: 50 }), fails(/did not load within 0\.05 s/, /top level/));
});
