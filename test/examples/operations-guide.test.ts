import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { configuredJobs } from '../../src/config/scheduled-jobs.ts';

test('the configuration of the guide is one, and every setting of its tables is known', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'));
  t.after(() => rm(folder, { recursive: true }));
  const guide = await readFile(new URL('../../docs/guides/operations.md', import.meta.url), 'utf8');
  const [example = ''] = /^ {4}export default defineConfig[\s\S]*?^ {4}\}\);$/m.exec(guide) ?? [];
  await writeFile(join(folder, 'holdfast.config.ts'), `import { defineConfig } from 'holdfast';\n${example}\n`);
  const { config } = await loadConfig(folder, {});
  assert.deepEqual(
    configuredJobs(config).map(({ name }) => name),
    ['backup', 'backup:crm'],
  );
  assert.equal(config.retention?.keepYearly, 5);
  const settings = [...guide.matchAll(/^\| `(schedule|retention)\.(\w+)` /gm)].map(([, part = '', name = '']) => [
    part,
    name,
  ]);
  assert.ok(settings.length > 12);
  const { configSchema } = await import('../../src/config/config-schema.ts');
  for (const part of ['schedule', 'retention'] as const) {
    const known = Object.keys(configSchema.shape[part].unwrap().shape);
    const told = settings.filter(([of]) => of === part).map(([, name]) => name);
    assert.deepEqual(told.sort(), known.sort());
  }
});
