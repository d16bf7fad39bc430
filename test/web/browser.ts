import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { findProgram } from '../services/find-program.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Debian's Chromium, without a window. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = findProgram('chromium-headless-shell');
  assert.ok(executablePath, 'tests in a browser need chromium');
  // Tests run as root in containers, where its sandbox cannot be set up.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
  return await chromium.launch({ executablePath, args });
}

/** How somebody looks at a page. */
export interface Look {
  readonly colours?: 'light' | 'dark';
  readonly width?: number;
  readonly scripts?: boolean;
}

/** A window, and what its page complains of. */
export interface OpenedWindow {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly complaints: string[];
}

/** A window of its own. What the page complains of, such as what its security policy forbade, is gathered. */
export async function openWindow(browser: Browser, look: Look = {}): Promise<OpenedWindow> {
  const { colours = 'light', width = 1280, scripts = true } = look;
  const context = await browser.newContext({
    colorScheme: colours,
    javaScriptEnabled: scripts,
    viewport: { width, height: width < 500 ? 740 : 860 },
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { context, page, complaints };
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

/** What axe finds wrong with a page, a line each: by all of its rules, or by some. */
export async function findBarriers(page: Page, rules?: readonly string[]): Promise<string[]> {
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(axe);
  // There are no frames, and no styles from elsewhere that it would fetch anew.
  const options = { resultTypes: ['violations'], iframes: false, preload: false, ...(rules && { runOnly: rules }) };
  const { violations }: AxeResult = await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`);
  return violations.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  );
}
