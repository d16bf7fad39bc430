import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { scheduledJobs } from '../../src/config/scheduled-jobs.ts';

test('the configuration of the guide is one, and every setting of its table is known', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'));
  t.after(() => rm(folder, { recursive: true }));
  const guide = await readFile(new URL('../../docs/guides/drill.md', import.meta.url), 'utf8');
  const [example = ''] = /^ {4}export default defineConfig[\s\S]*?^ {4}\}\);$/m.exec(guide) ?? [];
  await writeFile(join(folder, 'holdfast.config.ts'), `import { defineConfig } from 'holdfast';\n${example}\n`);
  const { config } = await loadConfig(folder, {});
  const jobs = scheduledJobs(config);
  assert.deepEqual(
    jobs.map(({ name, times }) => [name, times.timezone]),
    [
      ['backup', 'Europe/Berlin'],
      ['drill', 'Europe/Berlin'],
    ],
  );
  const checks = config.drill?.checks ?? [];
  const [, , invoicesAreRecent] = checks;
  assert.ok(typeof invoicesAreRecent === 'function' && checks.length === 3);
  const query = async (_: string) => [[new Date().toISOString()]];
  const context = { archive: '', databases: [], signal: new AbortController().signal, query };
  await invoicesAreRecent(context);
  await assert.rejects(
    async () => invoicesAreRecent({ ...context, query: async () => [['2020-01-01']] }),
    /the newest is of/,
  );
  const { configSchema } = await import('../../src/config/config-schema.ts');
  const told = [...guide.matchAll(/^\| `drill\.(\w+)` /gm)].map(([, name = '']) => name);
  assert.deepEqual(told.sort(), Object.keys(configSchema.shape.drill.unwrap().shape).sort());
});
