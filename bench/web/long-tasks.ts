import type { Page } from 'playwright-core';
import { openWindow, startBrowser } from '../../test/web/browser.ts';

/** Gathers, from the first script on, how long the browser's main thread was held at a stretch; of 50 ms and more it is told by the browser. */
const observer = `
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longTasks.push(Math.round(duration));
  }).observe({ type: 'longtask', buffered: true });
`;

const steps: readonly { readonly what: string; readonly act: (page: Page, origin: string) => Promise<unknown> }[] = [
  {
    what: 'the overview, until its charts are drawn',
    act: async (page, origin) => {
      await page.goto(`${origin}/`);
      await page.locator('.u-wrap').first().waitFor();
    },
  },
  {
    what: 'the pointer over a chart',
    act: async (page) => {
      const box = await page.locator('.u-over').first().boundingBox();
      for (let x = 0; box !== null && x < box.width; x += 8) await page.mouse.move(box.x + x, box.y + 20);
    },
  },
  { what: 'the list of archives', act: (page, origin) => page.goto(`${origin}/archives`) },
  {
    what: 'typing into its filter',
    act: async (page) => {
      await page.getByLabel('Name', { exact: true }).pressSequentially('crm_2026', { delay: 40 });
      await page.waitForURL(/text=crm_2026/);
    },
  },
  {
    what: 'leafing through it',
    act: async (page) => {
      await page.getByRole('link', { name: 'Next' }).click();
      await page.waitForURL(/page=2/);
    },
  },
  { what: 'the list of runs', act: (page, origin) => page.goto(`${origin}/runs`) },
];

/** What a person does, and the tasks of 50 ms and more that the browser had on the way. */
export async function measureLongTasks(origin: string): Promise<string[]> {
  const browser = await startBrowser();
  const { page } = await openWindow(browser);
  page.setDefaultTimeout(30_000);
  await page.addInitScript(observer);
  const lines: string[] = [];
  for (const { what, act } of steps) {
    await act(page, origin);
    await page.waitForTimeout(300);
    const tasks = (await page.evaluate('window.longTasks.splice(0)')) as number[];
    lines.push(
      `${`browser: ${what}`.padEnd(52)} ${tasks.length === 0 ? 'no task over 50 ms' : `tasks of ${tasks.join(', ')} ms`}`,
    );
  }
  await browser.close();
  return lines;
}
