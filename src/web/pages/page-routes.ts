import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { compress } from 'hono/compress';
import type { WebServices } from '../services/web-services.ts';
import type { WebEnvironment } from '../web-environment.ts';
import { addArchiveActions } from './archive-actions.ts';
import { addArchivePages } from './archive-pages.ts';
import { assetRoutes } from './asset-routes.ts';
import { addBackupPages } from './backup-pages.ts';
import { addOverviewPages } from './overview-pages.ts';
import { addRestorePages } from './restore-pages.ts';
import { addRunPages } from './run-pages.ts';
import { addSettingsPages } from './settings-pages.ts';

const compressing: MiddlewareHandler<WebEnvironment> = compress();

/**
 * Pages may be compressed where nothing of the address stands in them: else the length of an answer would tell, guess by guess, what else stands in
 * it, such as the token of the forms (BREACH).
 */
function mayCompress({ req: { method, url } }: Context<WebEnvironment>): boolean {
  return method === 'GET' && !url.includes('?');
}

/** Says of the pages that must not be compressed that no server before this one does it. */
const markPages: MiddlewareHandler<WebEnvironment> = async (context, next) => {
  await next();
  if (!mayCompress(context)) context.res.headers.set('cache-control', 'no-store, no-transform');
};

const compressPages: MiddlewareHandler<WebEnvironment> = async (context, next) => {
  if (mayCompress(context)) return await compressing(context, next);
  await markPages(context, next);
};

/**
 * The pages of the web admin, and the files they load. The access layer has said who asks, and has checked the token of every form, before any
 * of them runs; the page for logging in needs the files of {@link assetRoutes} without a user.
 */
export function pageRoutes(services: WebServices, isCompressing = true): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();
  app.use(isCompressing ? compressPages : markPages);
  app.route('/', assetRoutes(isCompressing));
  addOverviewPages(app, services);
  addArchivePages(app, services);
  addArchiveActions(app, services);
  addBackupPages(app, services);
  addRestorePages(app, services);
  addRunPages(app, services);
  addSettingsPages(app, services);
  return app;
}
