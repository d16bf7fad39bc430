import type { Page } from 'playwright-core';
import { openWindow, startBrowser } from '../../test/web/browser.ts';

/** A task of a thread of Chromium, as its traces tell it; times in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  /** Of the processor alone: what other programs took meanwhile is not in it. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

const longTaskMs = 50;

/** How long main threads of pages were at each task, in milliseconds of the processor; the longest first. */
function tasksOf(trace: Buffer): number[] {
  const { traceEvents }: { traceEvents: TraceEvent[] } = JSON.parse(trace.toString());
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid}/${tid}`;
  const mains = new Set(
    traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map((event) => threadOf(event)),
  );
  return traceEvents
    .filter((event) => event.name.endsWith('RunTask') && event.ph === 'X' && mains.has(threadOf(event)))
    .map(({ tdur, dur = 0 }) => tdur ?? dur)
    .map((us) => Math.round(us / 1000))
    .sort((left, right) => right - left);
}

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

/** What a person does, and the longest tasks that the page's main thread had on the way. */
export async function measureLongTasks(origin: string): Promise<string[]> {
  const browser = await startBrowser();
  const { page } = await openWindow(browser);
  page.setDefaultTimeout(30_000);
  const lines: string[] = [];
  for (const { what, act } of steps) {
    await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
    await act(page, origin);
    await page.waitForTimeout(300);
    const tasks = tasksOf(await browser.stopTracing());
    const long = tasks.filter((ms) => ms > longTaskMs).length;
    const found = `${String(tasks[0]).padStart(8)} ms the longest of ${tasks.length} tasks, ${long} over ${longTaskMs} ms`;
    lines.push(`${`browser: ${what}`.padEnd(52)} ${found}`);
  }
  await browser.close();
  return lines;
}
