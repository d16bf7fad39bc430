/** An archive that is spread over storages, downloaded by a browser: one file, also while a storage is gone. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import type { JobFacts } from '../../src/web/services/web-services.ts';
import { openTestAdmin } from './test-admin.ts';

test('a spread archive is downloaded whole and in parts, also without one of its storages, and not without two', async (t) => {
  const places = ['a', 'b', 'c'];
  const storage = Object.fromEntries(places.map((path) => [path, { backend: 'local', path }]));
  const protection = { spread: { data: 2, parity: 1 } };
  const config = { files: ['tree.txt'], encryption: 'none', storage, protection };
  const admin = await openTestAdmin(t, { clock: systemClock, config });
  await writeFile(join(admin.folder, 'tree.txt'), 'what is kept '.repeat(5000));
  const browser = await admin.as('admin');
  const headers = { 'x-csrf-token': await browser.csrf() };
  const { id } = (await (await browser.ask('/api/v1/jobs/backup', { headers, json: {} })).json()) as JobFacts;
  const { outputs } = (await admin.opened.services.jobs.ended(id)).result as { outputs: { output: string }[] };
  const name = outputs[0]?.output.replace('spread:', '') ?? '';
  const path = `/download/spread/${encodeURIComponent(name)}`;
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
  const whole = await bytesOf(await browser.ask(path));
  const file = join(admin.folder, 'downloaded.holdfast');
  await writeFile(file, whole);
  assert.equal((await validateBackup({ archive: file, threads: 0 })).state, 'intact');
  await rm(join(admin.folder, 'b'), { recursive: true });
  assert.ok((await bytesOf(await browser.ask(path))).equals(whole));
  const part = await browser.ask(path, { headers: { range: 'bytes=5000-9000' } });
  assert.ok((await bytesOf(part)).equals(whole.subarray(5000, 9001)));
  await rm(join(admin.folder, 'c'), { recursive: true });
  assert.equal((await browser.ask(path)).ok, false);
});
