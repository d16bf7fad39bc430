import { Hono } from 'hono';
import type { WebServices } from '../services/web-services.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { addArchiveActions } from './archive-actions.ts';
import { addArchivePages } from './archive-pages.ts';
import { assetRoutes } from './asset-routes.ts';
import { addBackupPages } from './backup-pages.ts';
import { sendError } from './error-pages.ts';
import { addOverviewPages } from './overview-pages.ts';
import { addRestorePages } from './restore-pages.ts';
import { addRunPages } from './run-pages.ts';
import { addSettingsPages } from './settings-pages.ts';

/**
 * The pages of the web admin, and the files they load. The access layer has said who asks, and has checked the token of every form, before any
 * of them runs; the page for logging in needs the files of {@link assetRoutes} without a user.
 */
export function pageRoutes(services: WebServices): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();
  app.route('/', assetRoutes());
  addOverviewPages(app, services);
  addArchivePages(app, services);
  addArchiveActions(app, services);
  addBackupPages(app, services);
  addRestorePages(app, services);
  addRunPages(app, services);
  addSettingsPages(app, services);
  app.onError((error, context) => sendError(error, context));
  return app;
}
