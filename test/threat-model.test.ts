/** Each row of the threat model names a test that is there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(join(root, 'docs/threat-model.md'), 'utf8');

/** Rows of tables that have attempts, as their cells. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) =>
    line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim()),
  )
  .filter(([first = '']) => !first.startsWith('---') && first !== 'attempt');

test('each row names a test that is there', () => {
  const wrong: string[] = [];
  for (const [attempt = '', , cell = ''] of rows) {
    const [, file, name] = /^`((?:src|test)\/[\w/.-]+\.test\.ts)`: (.+)$/.exec(cell) ?? [];
    if (file === undefined || name === undefined) wrong.push(`${attempt}: no test`);
    else if (!existsSync(join(root, file))) wrong.push(`${attempt}: there is no ${file}`);
    else if (!readFileSync(join(root, file), 'utf8').includes(name)) wrong.push(`${attempt}: ${file} has no ${name}`);
  }
  assert.deepEqual(wrong, []);
  assert.ok(rows.length > 30, `${rows.length} rows`);
});
