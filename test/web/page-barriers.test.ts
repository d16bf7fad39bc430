/** Each page in a browser: no barriers, nothing forbidden by the security policy, nothing wider than a phone, no name that acts. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { leftOut } from '../services/service-packages.ts';
import { findBarriers, openWindow, startBrowser } from './browser.ts';
import { pagePaths } from './page-paths.ts';
import { type PageServer, pageApplication, startPageServer } from './page-server.ts';
import { sampleServices } from './sample-services.ts';
import { hostile } from './sample-sources.ts';

describe('pages of the web admin', { skip: leftOut('chromium') }, () => {
  const few = { archiveCount: 12, runCount: 12 };
  const servers: PageServer[] = [];
  let browser: Browser;
  let plain: PageServer;
  let evil: PageServer;
  let fresh: PageServer;
  before(async () => {
    browser = await startBrowser();
    const start = async (options: Parameters<typeof sampleServices>[0], userName = 'anna') => {
      const server = await startPageServer(pageApplication(sampleServices(options), { userName }));
      servers.push(server);
      return server;
    };
    plain = await start(few);
    evil = await start({ ...few, spell: hostile }, hostile('anna'));
    fresh = await start({ isNew: true });
  });
  after(async () => {
    await browser?.close();
    for (const server of servers) await server.close();
  });

  /** Looks at each page once: all rules in light on a desk, then those that colours and width can break in dark on a phone. */
  async function examine(server: PageServer, paths: Readonly<Record<string, string>>): Promise<void> {
    const { context, page, complaints } = await openWindow(browser, {});
    const found: string[] = [];
    for (const [name, path] of Object.entries(paths)) {
      const see = async (look: string, rules?: readonly string[]) => {
        const barriers = await findBarriers(page, rules);
        const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
        const wider = overflow > 0 ? [`${overflow} px wider than the window`] : [];
        found.push(...[...barriers, ...wider].map((barrier) => `${name}, ${look}: ${barrier}`));
      };
      await page.setViewportSize({ width: 1280, height: 860 });
      await page.emulateMedia({ colorScheme: 'light' });
      const response = await page.goto(server.url + path);
      const isMissing = /unknown|forgotten/.test(name);
      assert.equal(response?.status(), isMissing ? 404 : 200, name);
      await see('light on a desk');
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.setViewportSize({ width: 360, height: 740 });
      await see('dark on a phone', ['color-contrast', 'target-size', 'scrollable-region-focusable']);
      // A page that is not there is one complaint of the browser's own.
      found.push(...complaints.splice(0).filter((text) => !(isMissing && text.includes('404'))));
    }
    await context.close();
    assert.deepEqual(found, []);
  }

  test('have no barriers', () => examine(plain, pagePaths()));
  test('have no barriers while nothing is there', () =>
    examine(fresh, {
      overview: '/',
      archives: '/archives',
      restore: '/restore',
      runs: '/runs',
      keys: '/settings/keys',
    }));

  test('show hostile names, and do not act on them', async () => {
    const { context, page, complaints } = await openWindow(browser, { width: 360 });
    for (const [name, path] of Object.entries(pagePaths(hostile))) {
      await page.goto(evil.url + path);
      const acted = await page.evaluate(
        "[window.hacked, document.images.length, document.querySelectorAll('script:not([src])').length, document.documentElement.scrollWidth > innerWidth]",
      );
      assert.deepEqual(
        acted,
        [null, 0, 0, false].map((value) => value ?? undefined),
        name,
      );
      const read: string = await page.evaluate(
        "document.title + document.body.innerText + [...document.querySelectorAll('[title], [aria-label]')].map((element) => element.title + element.ariaLabel).join()",
      );
      assert.doesNotMatch(read, /\u202e/, `${name} turns the direction of text`);
      assert.deepEqual(
        complaints.splice(0).filter((text) => !text.includes('404')),
        [],
        name,
      );
    }
    await context.close();
  });
});
