/** The pages alone on a port of loopback, with a user who is simply there. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Hono } from 'hono';
import { answerError } from '../../src/web/error-answer.ts';
import { pageRoutes } from '../../src/web/pages/page-routes.ts';
import { setSecurityHeaders } from '../../src/web/security/security-headers.ts';
import { nodeListener } from '../../src/web/serve-http.ts';
import type { WebServices } from '../../src/web/services/web-services.ts';
import type { Role, WebEnvironment } from '../../src/web/web-environment.ts';

/** A server of pages. */
export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

/** The pages as an application under a path, for a user. */
export function pageApplication(
  services: WebServices,
  given: { readonly role?: Role; readonly userName?: string } = {},
): Hono<WebEnvironment> {
  const { role = 'admin', userName = 'anna' } = given;
  const app = new Hono<WebEnvironment>({ strict: false });
  app.use(async (context, next) => {
    context.set('user', { name: userName, role });
    context.set('csrfToken', 'token-of-the-session');
    context.set('basePath', '/backups');
    context.set('requestId', 'request1');
    await next();
    setSecurityHeaders(context.res.headers);
  });
  app.onError((error, context) =>
    answerError(error, context as never, { options: {} as never, log: (text) => assert.fail(text) }),
  );
  app.route('/backups', pageRoutes(services));
  return app;
}

/** Serves the pages until it is closed. */
export async function startPageServer(app: Hono<WebEnvironment>): Promise<PageServer> {
  const server = createServer(nodeListener(async (request) => app.fetch(request)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/backups`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
