import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { backUpAndRestore } from './back-up-and-restore.ts';

test('the example of the README runs', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const database = new DatabaseSync(join(folder, 'shop.db'));
  database.exec(
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO orders (note) VALUES ('first'), ('second')",
  );
  database.close();
  mkdirSync(join(folder, 'uploads'));
  writeFileSync(join(folder, 'uploads', 'picture.bin'), 'picture');
  const lines: string[] = [];
  context.mock.method(console, 'log', (line: string) => lines.push(line));

  await backUpAndRestore(folder);

  assert.match(lines[0] ?? '', /^3 entries, 2 rows, \d+ bytes$/);
  assert.equal(lines[1], 'intact: 0 damaged blocks');
  assert.match(lines[2] ?? '', /^key\.wrong: /);
  assert.equal(readFileSync(join(folder, 'out', 'uploads', 'picture.bin'), 'utf8'), 'picture');
  const copy = new DatabaseSync(join(folder, 'copy.db'), { readOnly: true });
  assert.deepEqual(
    copy
      .prepare('SELECT note FROM orders ORDER BY id')
      .all()
      .map((row) => row['note']),
    ['first', 'second'],
  );
  copy.close();
});

test('the README shows the example as it runs', () => {
  const root = join(import.meta.dirname, '../..');
  const example = readFileSync(join(import.meta.dirname, 'back-up-and-restore.ts'), 'utf8').replace(
    '../../src/index.ts',
    'holdfast',
  );
  assert.ok(readFileSync(join(root, 'README.md'), 'utf8').includes(example.trim()));
});
