import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { configuredStorages } from '../../src/config/configured-storages.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import {
  createBackup,
  FilesSource,
  MemoryStorage,
  openStorage,
  type StorageGiven,
  validateBackup,
} from '../../src/index.ts';
import { storageAdapters } from '../../src/storage/adapters.ts';
import { storageCases } from '../../src/testing/index.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import config, { announcing } from './own-storage.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/storages.md'), 'utf8');

describe('a storage of your own keeps the contract', () => {
  for (const each of storageCases) {
    test(each.name, () => each.run(async () => announcing(new MemoryStorage(), () => undefined)));
  }
});

test('the configuration with a storage of your own is taken as it is, and backed up to', async (context) => {
  const folder = makeWorkspace('own');
  mkdirSync(join(folder, 'uploads'));
  writeFileSync(join(folder, 'uploads/a.txt'), 'hello');
  const lines: string[] = [];
  context.mock.method(console, 'error', (line: string) => lines.push(line));
  const storages = configuredStorages(parseConfig(config, {}, 'holdfast.config.ts'));
  assert.deepEqual(
    storages.map(({ name }) => name),
    ['near', 'own'],
  );
  const output = await Promise.all(
    storages.map(async ({ name: label, given }) => ({
      storage: await openStorage(given as StorageGiven, { folder }),
      name: 'a.holdfast',
      label,
    })),
  );
  const sources = [new FilesSource({ path: join(folder, 'uploads') })];
  await createBackup({ sources, output, encryption: 'none', threads: 1 });
  const own = output[1]?.storage;
  assert.ok(own !== undefined);
  assert.equal((await validateBackup({ archive: { storage: own, name: 'a.holdfast' }, threads: 1 })).state, 'intact');
  await own.delete('a.holdfast');
  assert.deepEqual(lines, ['a.holdfast was deleted']);
});

test('the guide shows the example as it runs, and its configuration is valid', async () => {
  const example = readFileSync(join(import.meta.dirname, 'own-storage.ts'), 'utf8').replace(
    '../../src/index.ts',
    'holdfast',
  );
  assert.ok(guide.includes(example.trim()));
  const [, code = ''] = /```ts\n(.*?)```/s.exec(guide) ?? [];
  const text = code.replace("'holdfast'", `'${new URL('../../src/index.ts', import.meta.url).href}'`);
  const folder = makeWorkspace('guide');
  writeFileSync(join(folder, 'config.ts'), text);
  const { default: shown } = (await import(join(folder, 'config.ts'))) as { default: unknown };
  const storages = configuredStorages(parseConfig(shown, { NAS_FOLDER: join(folder, 'nas') }, 'holdfast.config.ts'));
  assert.deepEqual(
    storages.map(({ name, enabled }) => `${name} ${enabled}`),
    ['local true', 'nas true', 'lastYear false'],
  );
  for (const { given } of storages) await (await openStorage(given as StorageGiven, { folder })).close();
});

test('the names that other tools are mapped to are settings here', () => {
  const table = guide.slice(guide.indexOf('| there | here |'));
  let count = 0;
  for (const { backend, schema } of storageAdapters) {
    for (const [, , here = ''] of table.matchAll(/^\| (.*) \| (.*) \|$/gm)) {
      if (!here.startsWith(`\`backend: '${backend}'\``)) continue;
      for (const [, name = ''] of here.slice(here.indexOf('`', 2)).matchAll(/`([A-Za-z]+)`/g)) {
        assert.ok(Object.keys(schema.shape).includes(name), `${backend} has no setting ${name}`);
        count += 1;
      }
    }
  }
  assert.ok(count > 0);
});
