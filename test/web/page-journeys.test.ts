/** What people come for, in a browser: with scripts, and the core of it without. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { leftOut } from '../services/service-packages.ts';
import { type OpenedWindow, openWindow, startBrowser } from './browser.ts';
import { type PageServer, pageApplication, startPageServer } from './page-server.ts';
import { sampleArchive } from './sample-data.ts';
import { type SampleServices, sampleServices } from './sample-services.ts';
import { nowMs } from './sample-sources.ts';

const passphrase = 'five words that I chose';
const archive = sampleArchive(0, (name) => name).name;

describe('journeys through the web admin', { skip: leftOut('chromium') }, () => {
  let browser: Browser;
  let server: PageServer;
  let services: SampleServices;
  before(async () => {
    browser = await startBrowser();
    services = sampleServices({ archiveCount: 120, runCount: 60 });
    server = await startPageServer(pageApplication(services));
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** With scripts, and without: what a window has fetched the next one need not fetch again. */
  const windows = new Map<boolean, OpenedWindow>();
  async function inWindow(scripts: boolean, journey: (page: Page) => Promise<void>): Promise<void> {
    const opened = windows.get(scripts) ?? (await openWindow(browser, { scripts }));
    windows.set(scripts, opened);
    const { page, complaints } = opened;
    await journey(page);
    assert.deepEqual(
      complaints.splice(0).filter((text) => !/422|404|readback/.test(text)),
      [],
    );
  }

  test('archives are found, sorted and leafed through without a new page', () =>
    inWindow(true, async (page) => {
      await page.goto(`${server.url}/archives`);
      await page.evaluate('window.stays = true');
      await page.getByLabel('Name', { exact: true }).fill('crm');
      await page.getByText('1–24 of 24').waitFor();
      assert.match(page.url(), /text=crm/);
      await page.getByRole('link', { name: 'Size' }).click();
      await page.locator('th[aria-sort=descending]', { hasText: 'Size' }).waitFor();
      await page.goto(`${server.url}/archives`);
      await page.evaluate('window.stays = true');
      await page.getByRole('link', { name: 'Next' }).click();
      await page.getByText('51–100 of 120').waitFor();
      assert.equal(await page.evaluate('window.stays'), true);
      assert.equal(await page.locator('tbody tr').count(), 50);
    }));

  test('contents are shown for the right key alone, and the key stands nowhere after', () =>
    inWindow(true, async (page) => {
      await page.goto(`${server.url}/archive?name=${archive}`);
      const contents = page.locator('#contents');
      await contents.getByLabel('Passphrase').fill('a wrong one');
      await contents.getByRole('button', { name: 'Open' }).click();
      await page.getByRole('alert').getByText('key.wrong').waitFor();
      await contents.getByLabel('Passphrase').fill(passphrase);
      await contents.getByRole('button', { name: 'Open' }).click();
      await contents.getByText('public.invoice_line').waitFor();
      assert.doesNotMatch(page.url() + (await page.content()), /five words|five%20words/);
      await contents.getByLabel('Path has').fill('stock');
      await contents.getByText('1–1 of 1').waitFor();
    }));

  test('a backup is started, followed as it goes, found again after a reload, and cancelled', () =>
    inWindow(true, async (page) => {
      await page.goto(`${server.url}/backup`);
      await page.getByRole('button', { name: 'Back up now (nightly)' }).click();
      await page.getByRole('heading', { name: 'Backup · nightly' }).waitFor();
      const id = page.url().split('/').at(-1) ?? '';
      const job = services.jobs.get(id);
      assert.ok(job);
      const tell = (doneBytes: number) =>
        services.tell({
          type: 'progress',
          job: {
            ...job,
            progress: {
              phase: 'read',
              doneBytes,
              totalBytes: 1000,
              parts: [{ name: 'shop', doneBytes, totalBytes: 1000, isDone: false }],
            },
          },
        });
      tell(250);
      await page.locator('[data-announce]').getByText('25 % · read').waitFor();
      await page.reload();
      await page.locator('[data-announce]').getByText('25 % · read').waitFor();
      tell(750);
      await page.locator('[data-announce]').getByText('75 % · read').waitFor();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByText('Interrupted').first().waitFor();
      assert.deepEqual(services.started.at(-1), { kind: 'backup', job: 'nightly' });
    }));

  test('the end of a job appears by itself', () =>
    inWindow(true, async (page) => {
      const job = await services.jobs.start({ name: 'anna', role: 'admin' }, { kind: 'backup', job: 'crm' });
      await page.goto(`${server.url}/jobs/${job.id}`);
      await page.getByText('Starting …').first().waitFor();
      services.tell({
        type: 'ended',
        job: {
          ...job,
          state: 'failed',
          endedMs: nowMs + 5000,
          error: { code: 'storage.full', message: 'the storage is full', hint: 'make room' },
        },
      });
      await page.getByRole('alert').getByText('the storage is full').waitFor();
      assert.equal(await page.locator('#job-status').textContent(), 'Failed');
    }));

  test('a block map says in words what it draws, and fills in as a scrub reads the blocks, heals them, and reads again', () =>
    inWindow(true, async (page) => {
      const { name } = sampleArchive(7, (text) => text);
      await page.goto(`${server.url}/archive?name=${name}`);
      await page.getByRole('img', { name: 'Block map, Copy 2: 2 lost, 64 damaged, 21 healed, 4,009 good' }).waitFor();
      const place = page.locator('[data-storage=local]');
      await place.getByText('5 places that are not good').click();
      await place.getByRole('row', { name: /^2 Blocks 20,003 to 20,014 .* lost$/ }).waitFor();
      await page.getByRole('button', { name: 'Start (Scrub its storages)' }).click();
      await page.getByText('Being read now').waitFor();
      const job = services.jobs.list().find(({ kind }) => kind === 'scrub');
      assert.ok(job);
      const outline = { archiveId: 'ab12', dataBlocks: 239, parityBlocks: 16, cellCount: 64 };
      const tell = (changes: readonly [copy: number, from: number, cells: string][], damaged: number, isDone = false) =>
        services.tellBlocks(
          job.id,
          { storage: 'local', name },
          {
            ...outline,
            blocks: { perCopy: 64, copies: 2, intact: 0, damaged, solved: 0, lost: 0 },
            changes: changes.map(([copy, from, cells]) => ({ copy, from, cells })),
            isDone,
          },
        );
      const copy = (number: number) =>
        place
          .locator('figure')
          .nth(number - 1)
          .locator('[data-words]');
      // Of another size than what was drawn: the drawing is made anew.
      tell(
        [
          [0, 0, '=='],
          [1, 0, '=='],
        ],
        0,
      );
      await copy(1).getByText('2 good, 62 not read yet').waitFor();
      const pixel = (column: number) =>
        `((canvas) => [...canvas.getContext('2d').getImageData((${column} + 0.3) * canvas.width / canvas.dataset.columns, 3, 1, 1).data].slice(0, 3).join())(document.querySelector('[data-storage=local] canvas'))`;
      tell([[0, 2, '++']], 2);
      await copy(1).getByText('2 damaged, 2 good, 60 not read yet').waitFor();
      await place.getByText('2 damaged, 0 solved').waitFor();
      // Good, damaged and unread cells have colours of their own.
      const colours = [await page.evaluate(pixel(1)), await page.evaluate(pixel(2)), await page.evaluate(pixel(6))];
      assert.equal(colours[0], '47,158,104');
      assert.equal(new Set(colours).size, 3, colours.join(' '));
      tell(
        [
          [0, 4, '='.repeat(60)],
          [1, 2, '='.repeat(62)],
        ],
        2,
        true,
      );
      await copy(1).getByText('2 damaged, 62 good').waitFor();
      // A second look by the same scrub is that at what it has mended.
      tell(
        [
          [0, 0, '='.repeat(64)],
          [1, 0, '='.repeat(64)],
        ],
        0,
        true,
      );
      await copy(1).getByText('2 healed, 62 good').waitFor();
      services.tell({ type: 'ended', job: { ...job, state: 'succeeded', endedMs: nowMs } });
      await page.getByText('Being read now').waitFor({ state: 'detached' });
      await page.getByRole('img', { name: 'Block map, Copy 1: 2 healed, 62 good' }).waitFor();
    }));

  async function restore(page: Page, hasScripts: boolean): Promise<void> {
    await page.goto(`${server.url}/restore`);
    await page.getByRole('link', { name: `Choose ${archive}` }).click();
    await page.getByLabel('Passphrase').fill(passphrase);
    await page.getByRole('button', { name: 'Open and verify' }).click();
    await page.getByLabel('Database shop').fill('postgres://backup@db-1.internal/shop_copy');
    await page.getByLabel('Files into the folder').fill('/srv/restore');
    await page.getByLabel('databases/shop/tables/public.order').check();
    await page.locator('#restore-passphrase').fill(passphrase);
    await page.getByRole('button', { name: 'See what will change' }).click();
    await page.locator('#plan').getByText('is replaced').waitFor();
    const kept = await page.locator('#restore-passphrase').inputValue();
    assert.equal(kept, hasScripts ? passphrase : '', 'the key is kept by the browser alone');
    if (!hasScripts) await page.locator('#restore-passphrase').fill(passphrase);
    await page.getByLabel('Type the name of the target').fill('something else');
    await page.getByRole('button', { name: 'Restore', exact: true }).click();
    await page.getByRole('alert').getByText('usage.invalid').waitFor();
    assert.ok(await page.getByLabel('databases/shop/tables/public.order').isChecked(), 'what was chosen stays');
    await page.locator('#restore-passphrase').fill(passphrase);
    await page.getByLabel('Type the name of the target').fill('shop_copy');
    await page.getByRole('button', { name: 'Restore', exact: true }).click();
    await page.getByRole('heading', { name: 'What it did' }).waitFor();
    const request = services.started.at(-1);
    assert.ok(request?.kind === 'restore');
    assert.deepEqual(request.only, ['files/uploads/**', 'databases/shop/tables/public.order']);
    assert.deepEqual(
      [request.to, request.filesTo, request.confirm],
      [['postgres://backup@db-1.internal/shop_copy'], '/srv/restore', 'shop_copy'],
    );
    assert.equal(request.keys?.passphrase?.reveal(), passphrase);
    await page.getByRole('button', { name: 'Undo /srv/restore/uploads' }).click();
    await page.getByRole('heading', { name: /^Undo/ }).waitFor();
    assert.deepEqual(services.started.at(-1), { kind: 'undo', files: '/srv/restore/uploads' });
  }

  test('a restore is chosen, foreseen, confirmed and undone', () => inWindow(true, (page) => restore(page, true)));
  test('and so without scripts', () => inWindow(false, (page) => restore(page, false)));

  test('without scripts a backup is started and followed by reloading', () =>
    inWindow(false, async (page) => {
      await page.goto(`${server.url}/`);
      await page.getByRole('link', { name: 'Back up now' }).click();
      await page.getByRole('button', { name: 'Back up all' }).click();
      await page.getByText('Starting …').first().waitFor();
      const job = services.jobs.get(page.url().split('/').at(-1) ?? '');
      assert.ok(job);
      services.tell({ type: 'ended', job: { ...job, state: 'succeeded', endedMs: nowMs } });
      await page.reload();
      await page.getByText('Succeeded').waitFor();
      const download = page.locator(`form[action="/backups/download"][method=post]`);
      await page.goto(`${server.url}/backup`);
      assert.equal(await download.getByLabel('Passphrase', { exact: true }).getAttribute('type'), 'password');
      await page.goto(`${server.url}/restore`);
      assert.equal(
        await page.locator('form[action="/backups/uploads"]').getAttribute('enctype'),
        'multipart/form-data',
      );
    }));

  test('times are in the zone of the viewer, the exact one on hover', () =>
    inWindow(true, async (page) => {
      await page.goto(`${server.url}/runs/run3`);
      const time = page.locator('time').first();
      assert.equal(await time.textContent(), '28 Nov 2026, 03:00');
      await time.hover();
      // How the parts are joined is up to the browser's version.
      const title = await time.getAttribute('title');
      assert.match(title ?? '', /28 November 2026 .*03:00:36 CET \(2026-11-28 02:00:36 UTC\)$/);
    }));

  test('the keyboard reaches the content first, then all that acts', () =>
    inWindow(true, async (page) => {
      await page.goto(`${server.url}/runs`);
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to content');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate('document.activeElement.id'), 'run-kind');
    }));
});
