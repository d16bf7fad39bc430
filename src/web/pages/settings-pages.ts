import type { Hono } from 'hono';
import type { WebServices } from '../services/web-services.ts';
import { settingTexts } from '../texts/setting-texts.ts';
import type { Markup } from '../views/markup.ts';
import {
  configurationView,
  doctorView,
  keysView,
  notificationsView,
  type SeriesKeys,
  storagesView,
} from '../views/settings-views.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { attempt, leadTo, type PageContext, readForm, requiredText, sendPage, viewerOf } from './page-context.ts';

async function sendTab(context: PageContext, tab: keyof typeof settingTexts.tabs, body: Markup): Promise<Response> {
  const title = `${settingTexts.tabs[tab]} · ${settingTexts.title}`;
  return await sendPage(context, { title, section: 'settings', body });
}

/** The slots of the newest archive of each series that has one. */
async function readKeys(services: WebServices): Promise<SeriesKeys[]> {
  const found: SeriesKeys[] = [];
  for (const series of await services.archives.series()) {
    const { items } = await services.archives.list({ series, sort: 'created', direction: 'down', pageSize: 5 });
    const newest = items.find(({ format }) => format === 'holdfast');
    const [replica] = newest?.replicas ?? [];
    if (newest === undefined || replica === undefined) continue;
    const { name } = newest;
    const { value, error } = await attempt(() => services.archives.header({ storage: replica.storage, name }));
    found.push({ series, name, ...(value && { header: value }), ...(error && { error }) });
  }
  return found;
}

/** What is set, and whether it works. */
export function addSettingsPages(app: Hono<WebEnvironment>, services: WebServices): void {
  const { settings, storages } = services;
  app.get('/settings', async (context) =>
    sendTab(context, 'storages', storagesView(await storages.list(), services.nowMs(), viewerOf(context))),
  );
  app.post('/settings/storages/check', async (context) => {
    await storages.check(context.var.user, requiredText(await readForm(context), 'name'));
    return leadTo(context, '/settings');
  });
  app.get('/settings/configuration', async (context) => {
    const [configuration, jobs] = await Promise.all([settings.configuration(), settings.jobs()]);
    const model = { configuration, jobs, nowMs: services.nowMs() };
    return await sendTab(context, 'configuration', configurationView(model, viewerOf(context)));
  });
  app.get('/settings/notifications', async (context) =>
    sendTab(context, 'notifications', notificationsView(await settings.notifiers(), undefined, viewerOf(context))),
  );
  app.post('/settings/notifications/test', async (context) => {
    const tested = await settings.testNotifiers(context.var.user, (await readForm(context)).text('type'));
    const body = notificationsView(await settings.notifiers(), tested, viewerOf(context));
    return await sendTab(context, 'notifications', body);
  });
  app.get('/settings/keys', async (context) =>
    sendTab(context, 'keys', keysView(await readKeys(services), viewerOf(context))),
  );
  app.get('/settings/doctor', (context) => sendTab(context, 'doctor', doctorView(undefined, viewerOf(context))));
  app.post('/settings/doctor', async (context) =>
    sendTab(context, 'doctor', doctorView(await settings.doctor(context.var.user), viewerOf(context))),
  );
}
