/** The whole admin from outside: `holdfast serve --web` over PostgreSQL, files, a local storage and S3, in a browser. Each test goes on where the one before ended. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { openArchive } from '../../src/operation/open.ts';
import { Secret } from '../../src/secret.ts';
import { codeAt, codeStep, fromBase32 } from '../../src/web/access/one-time-code.ts';
import { makeBucket, plainClient } from '../s3/open-bucket.ts';
import { startTcpProxy } from '../services/faulty-proxy.ts';
import { leftOut } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { findBarriers, openWindow, startBrowser } from './browser.ts';
import { type ServedAdmin, serveAdmin } from './serve-child.ts';
import { passphrase, password } from './test-admin.ts';

/** As configurations name a variable. */
const variable = (name: string) => `\${${name}}`;

const skip = leftOut('chromium') || leftOut('postgres') || leftOut('rgw16');

describe('the web admin, from the first link to a restart', { skip }, () => {
  let folder: string;
  let postgres: PostgresService;
  let rgw: RgwService;
  let hook: Server;
  const told: string[] = [];
  let environment: Record<string, string>;
  let server: ServedAdmin;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  let archive: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-journey-'));
    hook = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => told.push(text));
      request.on('end', () => response.end());
    }).listen(0, '127.0.0.1');
    const [startedPostgres, startedRgw, startedBrowser] = await Promise.all([
      startPostgres(),
      startRgw(),
      startBrowser(),
      once(hook, 'listening'),
    ]);
    [postgres, rgw, browser] = [startedPostgres, startedRgw, startedBrowser];
    const url = await postgres.createDatabase('shop');
    await query(
      url,
      `CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item VALUES (1, 'one'), (2, '<b>two')`,
    );
    await mkdir(join(folder, 'photos'));
    // Nothing that compresses: the archive has some hundred blocks.
    for (let number = 0; number < 8; number++) {
      await writeFile(join(folder, 'photos', `${number}.jpg`), crypto.getRandomValues(new Uint8Array(65_536)));
    }
    const client = plainClient(rgw);
    const bucket = await makeBucket(client);
    client.destroy();
    const config = {
      databases: [{ alias: 'shop', url: variable('SHOP_URL') }],
      files: ['photos'],
      storage: {
        local: { backend: 'local', path: 'backups' },
        offsite: {
          backend: 's3',
          bucket,
          endpointUrl: rgw.url,
          accessKey: rgw.accessKey,
          secretKey: variable('S3_SECRET_KEY'),
        },
      },
      notifications: [{ type: 'webhook', url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook` }],
    };
    await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify(config));
    environment = { SHOP_URL: url, S3_SECRET_KEY: rgw.secretKey, HOLDFAST_PASSPHRASE: passphrase };
    server = await serveAdmin(folder, environment);
    ({ page, complaints } = await openWindow(browser));
    page.setDefaultTimeout(60_000);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    hook?.close();
    await Promise.all([postgres?.stop(), rgw?.stop()]);
    await rm(folder, { recursive: true });
  });

  async function query(url: string, text: string): Promise<unknown[]> {
    const client = new pg.Client(url);
    await client.connect();
    try {
      const { rows } = await client.query(text);
      return rows;
    } finally {
      await client.end();
    }
  }

  const show = async (path: string) => void (await page.goto(server.url + path));
  const press = (name: string | RegExp) => page.getByRole('button', { name, exact: typeof name === 'string' }).click();
  const atArchive = () => show(`/archive?name=${encodeURIComponent(archive)}`);
  /** Follows the job that a button has started, to its end. */
  const succeeds = () => page.locator('.job-state').getByText('Succeeded').waitFor();

  test('the first admin comes by the link that the server prints, and logs in', async () => {
    assert.ok(server.setupUrl, server.output());
    await page.goto(server.setupUrl);
    assert.deepEqual(await findBarriers(page), []);
    await page.getByLabel('Name').fill('anna');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('The same password again').fill(password);
    await press('Set it');
    await page.getByText('Your password is set').waitFor();
    await page.getByLabel('Name').fill('anna');
    await page.getByLabel('Password').fill(password);
    await press('Log in');
    await page.getByRole('heading', { name: 'The first backup' }).waitFor();
  });

  test('the first backup goes to both storages', async () => {
    await press('Back up now');
    await succeeds();
    await show('/');
    await page.getByRole('rowheader', { name: /shop/ }).first().waitFor();
    await show('/archives');
    await page.locator('tbody th a').first().click();
    archive = (await page.locator('h1').textContent()) ?? '';
    assert.match(archive, /^shop_\d{8}_\d{6}_default\.holdfast$/);
    for (const storage of ['local', 'offsite']) await page.getByRole('rowheader', { name: storage }).first().waitFor();
  });

  test('it is verified with a key that is typed, pinned, and drilled', async () => {
    await page.getByText('With a key of its own (Verify)').click();
    await page.locator('#archive-verify-passphrase').fill(passphrase);
    await page.locator('form[action$="/archive/verify"]').getByRole('button', { name: 'Start', exact: true }).click();
    await succeeds();
    await atArchive();
    await press('Start (Pin)');
    await page.locator('.tag', { hasText: 'pinned' }).waitFor();
    await press('Start (Unpin)');
    await page.locator('.tag', { hasText: 'pinned' }).waitFor({ state: 'detached' });
    await press('Start (Drill)');
    await succeeds();
    const databases = await query(postgres.url, 'SELECT datname FROM pg_database WHERE NOT datistemplate');
    assert.equal(databases.length, 2, 'what the drill made is gone again');
  });

  test('damage is drawn while a scrub finds it, and is healed', async () => {
    const file = await open(join(folder, 'backups', archive), 'r+');
    await file.write(Buffer.alloc(40_960, 0xa5), 0, 40_960, 200_704);
    await file.close();
    await atArchive();
    await press('Start (Scrub its storages)');
    const copy = (number: number) => page.getByRole('img', { name: `Block map, Copy ${number}` }).first();
    // 10 blocks from the 49th on; the verify before has drawn them as good.
    await page
      .locator('[data-storage=local]')
      .getByText('10 damaged')
      .first()
      .or(page.getByText('10 healed').first())
      .waitFor();
    await page.getByText('Being read now').waitFor({ state: 'detached' });
    assert.match((await copy(1).getAttribute('aria-label')) ?? '', /Copy 1: 10 healed, \d+ good/);
    assert.match((await copy(2).getAttribute('aria-label')) ?? '', /Copy 2: all \d+ parts are good/);
    await page.getByText('1 place that is not good').click();
    await page.getByRole('row', { name: /1 Blocks 49 to 58 .* healed/ }).waitFor();
    assert.deepEqual(await findBarriers(page), []);
  });

  test('it is deleted from one storage by its typed name, and pushed there again', async () => {
    await page.locator('summary', { hasText: 'Delete' }).click();
    await page.getByRole('checkbox', { name: 'local' }).uncheck();
    await page.getByLabel('Type its name').fill('shop');
    await press('Delete for good');
    await page.getByRole('alert').getByText('nothing was changed').waitFor();
    await atArchive();
    await page.locator('summary', { hasText: 'Delete' }).click();
    await page.getByRole('checkbox', { name: 'local' }).uncheck();
    await page.getByLabel('Type its name').fill(archive);
    await press('Delete for good');
    await succeeds();
    await atArchive();
    assert.equal(await page.getByRole('rowheader', { name: 'offsite' }).count(), 0);
    await page.locator('summary', { hasText: 'Push to another storage' }).click();
    await page.getByLabel('To', { exact: true }).selectOption('offsite');
    await press('Push');
    await succeeds();
    await atArchive();
    await page.getByRole('rowheader', { name: 'offsite' }).first().waitFor();
  });

  test('an upload whose connection breaks goes on by itself, and is restored into another database', async () => {
    const { port } = new URL(server.url);
    const bytes = await readFile(join(folder, 'backups', archive));
    // The pages come by the server itself; what is sent to it breaks off once, in the middle of the file.
    await using proxy = await startTcpProxy(Number(port), (connection) =>
      connection === 0 ? { how: 'stall', afterBytes: Math.floor(bytes.length / 2), direction: 'to server' } : undefined,
    );
    const offsets: string[] = [];
    const breakOff = async (upload: string) => {
      // In the middle, and not before the server has begun to take it: else there is nothing to go on from.
      for (let receivedBytes = 0; receivedBytes === 0 || proxy.faultCount === 0; ) {
        const answer = await page.request.get(upload);
        ({ receivedBytes } = (await answer.json()) as { readonly receivedBytes: number });
      }
      proxy.reset();
    };
    await page.route('**/api/v1/uploads/*', async (route) => {
      if (route.request().method() !== 'PATCH') return await route.continue();
      offsets.push(route.request().headers()['upload-offset'] ?? '');
      await route.continue({ url: route.request().url().replace(`:${port}`, `:${proxy.port}`) });
      if (offsets.length === 1) await breakOff(route.request().url());
    });
    await show('/restore');
    await page.getByLabel('File (.holdfast)').setInputFiles(join(folder, 'backups', archive));
    await press('Upload');
    await page.getByRole('heading', { name: 'Open it' }).waitFor();
    await page.unroute('**/api/v1/uploads/*');
    assert.equal(proxy.faultCount, 1);
    assert.equal(offsets[0], '0');
    const resumed = Number(offsets.at(-1));
    assert.ok(resumed > 0 && resumed < bytes.length, `it went on at ${offsets.join(', ')}`);
    const target = await postgres.createDatabase('shop_copy');
    await page.getByLabel('Passphrase').fill(passphrase);
    await press('Open and verify');
    await page.getByLabel('Database shop').fill(target);
    await page.getByLabel('Files into the folder').fill(join(folder, 'restored'));
    await page.locator('#restore-passphrase').fill(passphrase);
    await press('See what will change');
    await page.locator('#plan').getByText('is created').first().waitFor();
    await page.getByLabel('Type the name of the target').fill('shop_copy');
    await press('Restore');
    await succeeds();
    assert.deepEqual(await query(target, 'SELECT name FROM item ORDER BY id'), [{ name: 'one' }, { name: '<b>two' }]);
    const [first] = await readdir(join(folder, 'restored', 'photos'));
    assert.equal(first, '0.jpg');
  });

  test('a download is made for a passphrase that is typed, and opens with that alone', async () => {
    const own = 'another passphrase of my own';
    await show('/backup');
    await page.locator('#download-passphrase').fill(own);
    await page.locator('#download-repeat').fill(own);
    const [download] = await Promise.all([page.waitForEvent('download'), press('Download')]);
    const path = await download.path();
    await using opened = await openArchive({ archive: path, keys: { passphrases: [new Secret(own)] }, threads: 1 });
    const paths = [];
    for await (const entry of opened.entries()) paths.push(entry.path);
    assert.ok(paths.includes('files/photos/0.jpg'), paths.join());
    const stored = (await readdir(join(folder, 'backups'))).filter((name) => name !== '.holdfast-catalogue');
    assert.equal(stored.length, 1, 'nothing of it stays here');
  });

  test('settings: a storage is checked, notifications are tried, keys are shown, the doctor looks', async () => {
    await show('/settings');
    await press('Check local');
    await page.getByText('Checked just now').waitFor();
    await show('/settings/notifications');
    told.length = 0;
    await press('Send a test by webhook');
    await page.getByText('webhook: delivered').waitFor();
    assert.match(told.join(), /test/);
    await show('/settings/keys');
    await page.getByText('Only one key opens it').waitFor();
    await show('/settings/doctor');
    await press('Examine');
    await page.getByText(/\d+ fine, \d+ to look at, 0 failed/).waitFor();
    await show('/settings/configuration');
    const shown = await page.locator('pre').textContent();
    assert.match(shown ?? '', /"\$\{S3_SECRET_KEY\}"/);
    for (const secret of [rgw.secretKey, passphrase]) assert.equal(shown?.includes(secret), false);
  });

  test('a second factor is turned on, and asked for; the audit log has it all', async () => {
    await show('/account');
    const factor = page.locator('form[action$="/account/factor/begin"]');
    await factor.getByLabel('Present password').fill(password);
    await factor.getByRole('button').click();
    const key = (await page.locator('code').first().textContent()) ?? '';
    const code = (steps: number) => codeAt(fromBase32(key), codeStep(Date.now()) + steps);
    await page.getByLabel('A code that the app shows for it').fill(code(0));
    await press('Confirm');
    await page.getByRole('heading', { name: 'Recovery codes' }).waitFor();
    assert.deepEqual(await findBarriers(page), []);
    await press(/^Log out$/);
    await page.getByLabel('Name').fill('anna');
    await page.getByLabel('Password').fill(password);
    await press('Log in');
    assert.deepEqual(await findBarriers(page), []);
    await page.getByLabel('Code of your authenticator app').fill('000000');
    await press('Go on');
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Code of your authenticator app').fill(code(1));
    await press('Go on');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await show('/audit');
    const log = (await page.locator('main').textContent()) ?? '';
    for (const action of [
      'backup',
      'verify',
      'drill',
      'scrub',
      'pin',
      'delete',
      'push',
      'upload',
      'restore',
      'doctor',
      'test notifications',
      'turn on the second factor',
      'log in, code',
    ]) {
      assert.ok(log.includes(action), action);
    }
    for (const path of ['/audit', '/users', '/account', '/account/tokens']) {
      await page.setViewportSize({ width: 1280, height: 860 });
      await show(path);
      assert.deepEqual(await findBarriers(page), [], path);
      await page.setViewportSize({ width: 360, height: 740 });
      const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
      assert.equal(overflow, 0, `${path} is wider than a phone`);
    }
    await page.setViewportSize({ width: 1280, height: 860 });
  });

  test('after a restart everybody is logged in still, and logs of runs are there', async () => {
    const { port } = new URL(server.url);
    await server.stop();
    server = await serveAdmin(folder, environment, Number(port));
    assert.equal(server.setupUrl, undefined);
    await show('/runs');
    await page.locator('tbody tr', { hasText: 'Backup' }).getByRole('link').first().click();
    const log = page.locator('pre.log').first();
    await log.getByText('phase: read').waitFor();
    for (const secret of [rgw.secretKey, passphrase]) assert.equal((await log.textContent())?.includes(secret), false);
    assert.doesNotMatch(server.output(), /Error|defect/);
    assert.deepEqual(
      complaints.filter((text) => !/40[0139]|422|ERR_/.test(text)),
      [],
    );
  });
});
