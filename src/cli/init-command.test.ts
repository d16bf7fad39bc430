import assert from 'node:assert/strict';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { parseConfig } from '../config/parse-config.ts';
import { formatConfig } from './init-command.ts';

/** The object that a configuration's text exports, without the package that it imports. */
function evaluate(text: string): unknown {
  const body = stripTypeScriptTypes(text)
    .replace(/^import .*$/m, '')
    .replace('export default', 'return');
  return new Function('defineConfig', body)((config: unknown) => config);
}

test('what init writes is a valid configuration that says what was given', () => {
  const config = evaluate(
    formatConfig({
      url: ["sqlite:it's.db", 'sqlite:///srv/a "b".db'],
      files: ['C:\\data'],
      storagePath: 'b',
      recipient: ['age1x'],
    }),
  );
  assert.deepEqual(parseConfig(config, {}, 'x'), {
    databases: [
      { alias: 'it-s', url: "sqlite:it's.db" },
      { alias: 'a-b--2', url: 'sqlite:///srv/a "b".db' },
    ],
    files: ['C:\\data'],
    storage: { backend: 'local', path: 'b' },
    recipients: ['age1x'],
  });
});

test('a password does not get into the file: a variable stands in its place', () => {
  const url = ['postgres://app:canary%40@db.example:5432/shop-1?sslmode=require', 'mysql://app@localhost/forum'];
  const text = formatConfig({ url });
  assert.doesNotMatch(text, /canary/);
  assert.deepEqual(parseConfig(evaluate(text), { SHOP_1_PASSWORD: 'x' }, 'x').databases, [
    { alias: 'shop-1', url: 'postgres://app:x@db.example:5432/shop-1?sslmode=require' },
    { alias: 'forum-2', url: 'mysql://app@localhost/forum' },
  ]);
});

test('without answers everything but the storage is a comment, and the comments are valid settings', () => {
  const text = formatConfig({});
  assert.deepEqual(evaluate(text), { storage: { backend: 'local', path: 'backups' } });
  const uncommented = text.replace(/^ {2}\/\/ (\w+: .*)$/gm, '  $1').replace('age1…', 'age1x');
  const config = parseConfig(evaluate(uncommented), {}, 'x');
  assert.deepEqual(Object.keys(config).sort(), [
    'compression',
    'copies',
    'databases',
    'environment',
    'filenameTemplate',
    'files',
    'recipients',
    'storage',
  ]);
});
