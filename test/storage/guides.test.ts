/** The configurations in the guides are read as a user's file is, and used on real servers. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { openStorage } from '../../src/config/open-storage.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { namedStorages, type StorageSettings } from '../../src/config/storage-settings.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { leftOut } from '../services/service-packages.ts';
import { startFtp } from '../services/start-ftp.ts';
import { startWebdav } from '../services/start-webdav.ts';

const workspace = makeWorkspace('guides');

/** The storage in the guide's configuration. */
async function storageOf(guide: string, environment: Record<string, string>): Promise<StorageSettings> {
  const text = readFileSync(new URL(`../../docs/guides/${guide}.md`, import.meta.url), 'utf8');
  const block = /```ts\n(.*?)```/s.exec(text)?.[1] ?? '';
  const path = join(workspace, `${guide}.config.ts`);
  const define = new URL('../../src/config/define-config.ts', import.meta.url).href;
  writeFileSync(path, block.replace("'holdfast'", JSON.stringify(define)));
  const { default: value } = (await import(pathToFileURL(path).href)) as { default: unknown };
  const { storage } = parseConfig(value, environment, guide);
  assert.ok(storage);
  const [, settings] = namedStorages(storage)[0] ?? [];
  return settings as StorageSettings;
}

async function assertWorks(settings: StorageSettings): Promise<string> {
  const storage = await openStorage(settings);
  const writer = await storage.writer('x', { copies: 2 });
  await writer.write(Buffer.from('abc'));
  await writer.commit();
  assert.equal((await storage.stat('x')).sizeBytes, 6);
  await storage.delete('x');
  await storage.close();
  return storage.url('x');
}

test('the configuration of the guide for FTP works', { skip: leftOut('proftpd') }, async () => {
  const service = await startFtp({ server: 'proftpd', requiresTls: true });
  try {
    const settings = await storageOf('storage-ftp', { FTP_PASSWORD: service.password });
    assert.ok(settings.backend === 'ftp' && settings.password === service.password);
    const { host, port, user, certificatePath } = service;
    const url = await assertWorks({ ...settings, host, port, username: user, ca: certificatePath });
    assert.equal(url, `ftps://127.0.0.1:${port}/backups/shop/x`);
    // All of it in the URL; and without trust.
    const whole = `ftps://${user}:${encodeURIComponent(service.password)}@127.0.0.1:${port}/backups`;
    await assertWorks({ backend: 'ftp', url: whole, ca: certificatePath });
    await assert.rejects(assertWorks({ backend: 'ftp', url: whole }), { code: 'storage.certificate' });
  } finally {
    await service.stop();
  }
});

test('the configuration of the guide for WebDAV works', { skip: leftOut('apache') }, async () => {
  const service = await startWebdav({ tls: true });
  try {
    const settings = await storageOf('storage-webdav', { WEBDAV_PASSWORD: service.password });
    assert.ok(settings.backend === 'webdav' && settings.password === service.password);
    const { url, user, certificatePath } = service;
    const shown = await assertWorks({ ...settings, url, username: user, ca: certificatePath });
    assert.equal(shown, `${url}/holdfast/shop/x`);
    const whole = new URL(url);
    whole.username = user;
    whole.password = encodeURIComponent(service.password);
    await assertWorks({ backend: 'webdav', url: whole.href, ca: certificatePath });
  } finally {
    await service.stop();
  }
});
