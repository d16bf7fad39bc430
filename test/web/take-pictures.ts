/** Takes the pictures of `docs/images/`: `node test/web/take-pictures.ts`. They show a made-up company. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Look, openWindow, startBrowser } from './browser.ts';
import { pagePaths } from './page-paths.ts';
import { pageApplication, startPageServer } from './page-server.ts';
import { sampleServices } from './sample-services.ts';

const paths = pagePaths();
const pictures: readonly {
  readonly name: string;
  readonly path: string | undefined;
  readonly height: number;
  readonly look?: Look;
}[] = [
  { name: 'overview', path: paths['overview'], height: 1130 },
  { name: 'overview-dark', path: paths['overview'], height: 1130, look: { colours: 'dark' } },
  { name: 'archive', path: paths['archive, damaged'], height: 900 },
  { name: 'restore', path: paths['restore, to choose'], height: 960 },
  { name: 'runs', path: paths['runs'], height: 700 },
  { name: 'phone', path: paths['overview'], height: 740, look: { width: 360, colours: 'dark' } },
];

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
mkdirSync(folder, { recursive: true });
const server = await startPageServer(pageApplication(sampleServices()));
const browser = await startBrowser();
for (const { name, path = '/', height, look = {} } of pictures) {
  const { page, context } = await openWindow(browser, look);
  await page.setViewportSize({ width: look.width ?? 1280, height });
  await page.goto(server.url + path);
  if (name.startsWith('overview')) await page.locator('.u-wrap').first().waitFor();
  if (name === 'archive') await page.waitForFunction("document.querySelector('canvas').height > 20");
  await page.screenshot({ path: `${folder}/${name}.png` });
  await context.close();
}
await browser.close();
await server.close();
