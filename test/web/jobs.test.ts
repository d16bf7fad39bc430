/** Backups by way of the web: started, followed, downloaded, uploaded, restored. Commands are real, as processes of their own. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { openArchive } from '../../src/operation/open.ts';
import { Secret } from '../../src/secret.ts';
import { runCommand } from '../../src/web/services/child-command.ts';
import type {
  ArchiveFacts,
  BlockMapFacts,
  JobFacts,
  LogLine,
  Overview,
  Page,
  UploadFacts,
} from '../../src/web/services/web-services.ts';
import { openTestAdmin, passphrase, type TestBrowser } from './test-admin.ts';

const databases = [{ alias: 'shop', url: 'sqlite:shop.db' }];
/** Keys are slow on purpose: where they do not matter there are none. */
const quick = { encryption: 'none' };

async function openShop(t: Parameters<typeof openTestAdmin>[0], config: object = {}) {
  const admin = await openTestAdmin(t, { clock: systemClock, config: { databases, ...config } });
  using shop = new DatabaseSync(join(admin.folder, 'shop.db'));
  shop.exec("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item (name) VALUES ('one'), ('two')");
  const browser = await admin.as('admin');
  const headers = { 'x-csrf-token': await browser.csrf() };
  const api = async <Body>(path: string, json?: unknown, method?: string): Promise<Body> => {
    const given = { headers, ...(json === undefined ? {} : { json }), ...(method === undefined ? {} : { method }) };
    const response = await browser.ask(`/api/v1${path}`, given);
    assert.ok(response.ok, `${path}: ${response.status} ${response.ok ? '' : await response.clone().text()}`);
    return (await response.json()) as Body;
  };
  const run = async (kind: string, body: object = {}): Promise<JobFacts> => {
    const { id } = await api<JobFacts>(`/jobs/${kind}`, body);
    return await admin.opened.services.jobs.ended(id);
  };
  return { admin, browser, headers, api, run };
}

/** One admin with one backup, for all tests that leave both as they are. */
let shared: ReturnType<typeof openShop> | undefined;
const untilTheEnd: (() => unknown)[] = [];
after(async () => {
  for (const close of untilTheEnd.reverse()) await close();
});
async function sharedShop() {
  shared ??= openShop({ after: (close: () => unknown) => void untilTheEnd.push(close) }, quick);
  return await shared;
}

/** The archive of the shared admin. */
async function sharedArchive(): Promise<Buffer> {
  const { admin, run } = await sharedShop();
  const folder = join(admin.folder, 'backups');
  const archives = async () => {
    const names = await readdir(folder).catch((): string[] => []);
    return names.filter((name) => name.endsWith('.holdfast'));
  };
  if ((await archives()).length === 0) await run('backup');
  const [stored = ''] = await archives();
  return await readFile(join(folder, stored));
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

async function pathsIn(archive: string, key: string): Promise<string[]> {
  await using opened = await openArchive({ archive, keys: { passphrases: [new Secret(key)] }, threads: 1 });
  const paths: string[] = [];
  for await (const { path } of opened.entries()) paths.push(path);
  return paths;
}

test('a backup is started, followed by its events, and shown on the overview', async () => {
  const { browser, api, admin } = await sharedShop();
  const before = await api<Overview>('/overview');
  assert.deepEqual(
    before.sources.map(({ id, state, reason }) => `${id} ${state} ${reason}`),
    ['database:shop late never_backed_up', 'files:photos late never_backed_up'],
  );
  assert.deepEqual(before.firstSteps, { hasSources: true, hasKey: true, hasBackup: false });
  const started = await api<JobFacts>('/jobs/backup', {});
  assert.equal(started.state, 'running');
  await assert.rejects(admin.opened.services.jobs.start({ name: 'x', role: 'admin' }, { kind: 'backup' }), {
    code: 'job.running',
  });
  const stream = await browser.ask(`/api/v1/jobs/${started.id}/events`);
  assert.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  const text = await stream.text();
  const events = [...text.matchAll(/^event: (\w+)$/gm)].map(([, type]) => type);
  assert.equal(events[0], 'facts');
  assert.ok(events.includes('progress'));
  assert.equal(events.at(-1), 'ended');
  const ended = await api<JobFacts>(`/jobs/${started.id}`);
  assert.equal(ended.state, 'succeeded', JSON.stringify(ended));
  assert.equal(
    ended.progress?.parts.some(({ name }) => name.includes('photos')),
    true,
  );
  const after = await api<Overview>('/overview');
  assert.deepEqual(
    after.sources.map(({ state, reason }) => `${state} ${reason}`),
    ['well backed_up', 'well backed_up'],
  );
  assert.equal(after.archiveCount, 1);
  assert.equal(after.recentRuns[0]?.id, ended.runId);
  const run = await api<{ state: string; jobId: string; log: LogLine[] }>(`/runs/${ended.runId}`);
  assert.deepEqual([run.state, run.jobId], ['succeeded', ended.id]);
  assert.ok(run.log.some(({ text }) => text === 'phase: read'));
  const { items } = await api<Page<ArchiveFacts>>('/archives');
  assert.equal(items[0]?.health, 'proven');
  assert.ok(items[0]?.keptBy.includes('newest'));
});

test('an archive is looked into, verified, pinned, downloaded in parts, and deleted by its typed name', async (t) => {
  const { api, run, browser, headers, admin } = await openShop(t);
  await run('backup');
  const name = (await api<Page<ArchiveFacts>>('/archives')).items[0]?.name ?? '';
  const place = { storage: 'local', name };
  const base = `/storages/local/archives/${encodeURIComponent(name)}`;
  const contents = await api<{ parts: { name: string; rows: number }[]; contentsId: string }>(`${base}/open`, {
    passphrase,
  });
  assert.deepEqual(
    contents.parts.map((part) => `${part.name} ${part.rows}`),
    ['shop 2', 'photos 0'],
  );
  const wrong = await browser.ask(`/api/v1${base}/open`, { headers, json: { passphrase: 'another passphrase' } });
  assert.equal(wrong.status, 403);
  assert.equal(
    (await run('verify', { ...place, passphrase: 'another passphrase', level: 'contents' })).error?.code,
    'key.wrong',
  );
  assert.equal((await browser.ask(`/api/v1${base}/blocks`)).status, 404);
  assert.equal((await run('inspect', place)).state, 'succeeded');
  const map = await api<{ copies: string[] }>(`${base}/blocks`);
  assert.deepEqual(
    map.copies.map((cells) => /^=+$/.test(cells)),
    [true, true],
  );
  await api(`/archives/${encodeURIComponent(name)}/pin`, { pinned: true });
  assert.equal((await api<ArchiveFacts>(`/archives/${encodeURIComponent(name)}`)).isPinned, true);
  const stored = await readFile(join(admin.folder, 'backups', name));
  const whole = await browser.ask(`/download/local/${encodeURIComponent(name)}`);
  assert.equal(whole.headers.get('content-disposition')?.includes(name), true);
  assert.ok((await bytesOf(whole)).equals(stored));
  const part = await browser.ask(`/download/local/${encodeURIComponent(name)}`, {
    headers: { range: 'bytes=5000-9999' },
  });
  assert.deepEqual([part.status, part.headers.get('content-range')], [206, `bytes 5000-9999/${stored.length}`]);
  assert.ok((await bytesOf(part)).equals(stored.subarray(5000, 10_000)));
  const head = await browser.ask(`/download/local/${encodeURIComponent(name)}`, { method: 'HEAD' });
  assert.deepEqual([head.status, (await bytesOf(head)).length], [200, 0]);
  const refused = await browser.ask('/api/v1/jobs/delete', {
    headers,
    json: { name, storages: ['local'], confirm: 'x' },
  });
  assert.equal(refused.status, 400);
  assert.equal((await run('delete', { name, storages: ['local'], confirm: name })).state, 'succeeded');
  assert.equal((await api<Page<ArchiveFacts>>('/archives')).totalCount, 0);
  const { items } = await admin.opened.store.audit.list({ offset: 0, limit: 100 });
  assert.ok(
    items.some(
      ({ action, subject, address }) => action === 'delete' && subject.includes(name) && address === '192.0.2.1',
    ),
  );
  const everything = JSON.stringify([items, admin.opened.services.jobs.list(), admin.logged]);
  assert.equal(everything.includes(passphrase) || everything.includes('another passphrase'), false);
});

test('what a command at the terminal finds of the blocks is shown, and is there after a restart', async (t) => {
  const { api, run, admin } = await openShop(t, quick);
  await run('backup');
  const name = (await api<Page<ArchiveFacts>>('/archives')).items[0]?.name ?? '';
  const atTerminal = async (...words: string[]) => {
    const environment = { ...admin.environment, HOLDFAST_PASSPHRASE: passphrase };
    return await runCommand({ words, folder: admin.folder, environment, signal: new AbortController().signal });
  };
  const path = join(admin.folder, 'backups', name);
  const bytes = await readFile(path);
  await writeFile(path, bytes.fill(0x55, 20_000, 24_000));
  const drawn = async () => {
    const { copies } = await api<BlockMapFacts>(`/storages/local/archives/${encodeURIComponent(name)}/blocks`);
    return copies.map((cells) => [...new Set(cells)].sort().join(''));
  };
  assert.equal((await atTerminal('verify', '--level', 'structure', '--json', path)).exitCode, 10);
  assert.deepEqual(await drawn(), ['+=', '=']);
  assert.equal((await atTerminal('scrub', '--json')).exitCode, 0);
  assert.deepEqual(await drawn(), ['=~', '=']);
  await admin.reopen();
  assert.deepEqual(await drawn(), ['=~', '=']);
  assert.equal((await atTerminal('verify', '--storage', 'local', '--json', name)).exitCode, 0);
  assert.deepEqual(await drawn(), ['=', '=']);
});

test('an archive is made on the fly for a passphrase, which is kept nowhere', async (t) => {
  const { browser, admin } = await openShop(t);
  const own = 'only for this download';
  const form = { passphrase: own, repeat: own };
  assert.equal((await browser.send('/download', { ...form, repeat: 'something else' })).status, 400);
  assert.equal((await browser.send('/download', { passphrase: 'short', repeat: 'short' })).status, 400);
  const response = await browser.send('/download', form);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-disposition') ?? '', /filename="shop_\d{8}_\d{6}\.holdfast"/);
  const path = join(admin.folder, 'fetched.holdfast');
  await writeFile(path, await bytesOf(response));
  assert.ok((await pathsIn(path, own)).includes('files/photos/a.txt'));
  await assert.rejects(pathsIn(path, passphrase), { code: 'key.wrong' });
  assert.deepEqual(await readdir(admin.folder).then((names) => names.includes('backups')), false, 'nothing stays here');
  const { items } = await admin.opened.store.audit.list({ offset: 0, limit: 100 });
  assert.equal(JSON.stringify([items, admin.logged]).includes(own), false);
});

test('a download that cannot be made is told, and one that nobody takes ends', async (t) => {
  const { browser, admin } = await openShop(t, { databases: [{ alias: 'gone', url: 'sqlite:gone.db' }] });
  const form = { passphrase: 'only for this download', repeat: 'only for this download' };
  const response = await browser.send('/download', form);
  assert.equal(response.status, 500);
  assert.match(await response.text(), /gone\.db/);
  await writeFile(join(admin.folder, 'photos', 'large.bin'), Buffer.alloc(40_000_000, 'x'));
  new DatabaseSync(join(admin.folder, 'gone.db')).exec('CREATE TABLE a (b)');
  const left = await browser.send('/download', form);
  await left.body?.cancel();
  const again = await browser.send('/download', form);
  assert.equal(again.status, 200);
  await again.body?.cancel();
});

async function announce(browser: TestBrowser, headers: Record<string, string>, name: string, sizeBytes: number) {
  const response = await browser.ask('/api/v1/uploads', { headers, json: { name, sizeBytes } });
  return { status: response.status, upload: (await response.json()) as UploadFacts };
}

async function append(
  browser: TestBrowser,
  headers: Record<string, string>,
  id: string,
  offset: number,
  bytes: Uint8Array,
) {
  const path = `/api/v1/uploads/${id}`;
  const body = bytes as Uint8Array<ArrayBuffer>;
  return await browser.ask(path, { method: 'PATCH', headers: { ...headers, 'upload-offset': String(offset) }, body });
}

test('an upload goes on where it stopped, is verified, and is restored', async () => {
  const bytes = await sharedArchive();
  const { browser, headers, admin, api, run } = await sharedShop();
  const { upload } = await announce(browser, headers, '../../etc/cron.d/evil\u202e.holdfast', bytes.length);
  assert.equal(upload.name, 'evil.holdfast');
  assert.match(upload.id, /^[0-9a-f]{24}$/);
  const half = Math.floor(bytes.length / 2);
  assert.equal((await append(browser, headers, upload.id, 0, bytes.subarray(0, half))).status, 200);
  assert.equal((await append(browser, headers, upload.id, 0, bytes)).status, 409, 'it goes on at the half');
  assert.equal((await api<UploadFacts>(`/uploads/${upload.id}`)).receivedBytes, half);
  const early = await browser.ask('/api/v1/jobs/verify-upload', { headers, json: { upload: upload.id } });
  assert.equal(early.status, 409, 'it is not whole');
  assert.equal((await append(browser, headers, upload.id, half, bytes.subarray(half))).status, 200);
  assert.equal((await run('verify-upload', { upload: upload.id, passphrase })).state, 'succeeded');
  const operator = await admin.as('operator');
  assert.equal((await operator.ask(`/api/v1/uploads/${upload.id}`)).status, 404, "another's");
  using shop = new DatabaseSync(join(admin.folder, 'shop.db'));
  shop.exec("DELETE FROM item; INSERT INTO item (name) VALUES ('wrong')");
  shop.close();
  const request = { upload: upload.id, passphrase, to: ['sqlite:shop.db'], only: ['databases/**'], overwrite: true };
  const plan = await run('restore', { ...request, dryRun: true });
  assert.equal(plan.state, 'succeeded', JSON.stringify(plan.error));
  assert.deepEqual(
    plan.actions?.map(({ action, kind }) => `${action} ${kind}`),
    ['replace sqlite'],
  );
  const unconfirmed = await browser.ask('/api/v1/jobs/restore', { headers, json: request });
  assert.equal(unconfirmed.status, 400);
  const ofArchive = await browser.ask('/api/v1/jobs/restore', {
    headers,
    json: { ...request, confirm: 'evil.holdfast' },
  });
  assert.equal(ofArchive.status, 400, 'what is read is not what is written to');
  const done = await run('restore', { ...request, confirm: 'shop.db' });
  assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
  const names = () => {
    using again = new DatabaseSync(join(admin.folder, 'shop.db'));
    return again
      .prepare('SELECT name FROM item')
      .all()
      .map(({ name }) => name);
  };
  assert.deepEqual(names(), ['one', 'two']);
  assert.equal((await run('undo', { to: 'sqlite:shop.db' })).state, 'succeeded');
  assert.deepEqual(names(), ['wrong']);
  await api(`/uploads/${upload.id}`, undefined, 'DELETE');
  assert.deepEqual(await readdir(join(admin.folder, '.holdfast', 'uploads')), []);
});

test('a form uploads without scripts', async () => {
  const { browser, admin } = await sharedShop();
  const csrf = await browser.csrf();
  const form = new FormData();
  form.set('csrf', csrf);
  form.set('file', new Blob([new Uint8Array(300_000).fill(7)]), 'my backup.holdfast');
  form.set('other', 'x');
  const request = new Request('http://admin.test/', { method: 'POST', body: form });
  const body = await bytesOf(new Response(request.body));
  const headers = { 'content-type': request.headers.get('content-type') ?? '', 'content-length': String(body.length) };
  const response = await browser.ask('/uploads', { headers, body });
  const [upload] = admin.opened.services.uploads.list({ name: 'admin', role: 'admin' });
  assert.equal(response.headers.get('location'), `/restore?upload=${upload?.id}`);
  assert.deepEqual([upload?.name, upload?.sizeBytes, upload?.isComplete], ['my backup.holdfast', 300_000, true]);
});

test('hostile uploads are refused by their reader, and harm nobody else', async () => {
  const good = await sharedArchive();
  const { browser, headers, run } = await sharedShop();
  const broken = Buffer.from(good);
  for (let at = 0; at < broken.length; at += 512) broken.fill(0xff, at, at + 64);
  const cases = { noise: Buffer.alloc(100_000, 'x'), broken };
  for (const [name, bytes] of Object.entries(cases)) {
    const { upload } = await announce(browser, headers, name, bytes.length);
    await append(browser, headers, upload.id, 0, bytes);
    const { state, error } = await run('verify-upload', { upload: upload.id, passphrase });
    assert.equal(state, 'failed', name);
    assert.match(error?.code ?? '', /^archive\./, name);
  }
  const { upload } = await announce(browser, headers, 'short', 10);
  assert.equal((await append(browser, headers, upload.id, 0, Buffer.alloc(11))).status, 413, 'more than was announced');
  for (const sizeBytes of [0, -1, 1.5, 2 ** 60, 'x']) {
    assert.equal((await browser.ask('/api/v1/uploads', { headers, json: { name: 'x', sizeBytes } })).ok, false);
  }
  assert.equal((await announce(browser, headers, 'x', 2 ** 41)).status, 413);
});

test('uploads are there after a restart, and go when nobody goes on with them', async (t) => {
  const admin = await openTestAdmin(t);
  const { uploads } = admin.opened.services;
  const user = { name: 'anna', role: 'operator' } as const;
  async function* bytes() {
    yield new Uint8Array(5);
  }
  const { id } = await uploads.create(user, { name: 'x', sizeBytes: 10 });
  await uploads.append(user, id, 0, bytes());
  const folder = join(admin.folder, '.holdfast', 'uploads');
  await writeFile(join(folder, `${'0'.repeat(24)}.json`), '{ broken');
  const { openAdmin } = await import('../../src/web/create-handler.ts');
  const again = await openAdmin({ folder: admin.folder, environment: {}, log: () => undefined, clock: systemClock });
  t.after(() => again.close());
  assert.deepEqual(
    again.services.uploads.list(user).map(({ receivedBytes, sizeBytes, name }) => [name, receivedBytes, sizeBytes]),
    [['x', 5, 10]],
  );
  admin.clock.advance(86_400_000);
  await uploads.create(user, { name: 'y', sizeBytes: 1 });
  assert.deepEqual(
    uploads.list(user).map(({ name }) => name),
    ['y'],
  );
  assert.equal(
    (await readdir(folder)).some((name) => name.startsWith(id)),
    false,
  );
});

test('a job is cancelled, and leaves nothing', async (t) => {
  const { admin, api } = await openShop(t, quick);
  await mkdir(join(admin.folder, 'photos', 'many'));
  await writeFile(join(admin.folder, 'photos', 'many', 'large.bin'), Buffer.alloc(200_000_000, 'abc'));
  const { id } = await api<JobFacts>('/jobs/backup', {});
  await api(`/jobs/${id}/cancel`, {});
  const ended = await admin.opened.services.jobs.ended(id);
  assert.deepEqual([ended.state, ended.error?.code], ['interrupted', 'operation.interrupted']);
  const left = await readdir(join(admin.folder, 'backups')).catch(() => []);
  assert.deepEqual(
    left.filter((name) => name.endsWith('.holdfast')),
    [],
  );
});

test('the API describes itself', async () => {
  const { api } = await sharedShop();
  const document = await api<{ openapi: string; paths: Record<string, Record<string, { operationId: string }>> }>(
    '/openapi.json',
  );
  assert.equal(document.openapi, '3.1.0');
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.includes('startRestore') && ids.includes('appendUpload'));
  const { operations } = await import('../../src/web/api/api-routes.ts');
  assert.equal(ids.length, operations.length);
});
