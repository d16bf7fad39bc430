/** The pages alone on a port of loopback, with a user who is simply there. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Hono } from 'hono';
import { answerError } from '../../src/web/error-answer.ts';
import { pageRoutes } from '../../src/web/pages/page-routes.ts';
import { setSecurityHeaders } from '../../src/web/security/security-headers.ts';
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

async function answer(app: Hono<WebEnvironment>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = `http://${request.headers.host}${request.url}`;
  const { method = 'GET' } = request;
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as [string, string]] : [],
  );
  const ending = new AbortController();
  response.on('close', () => ending.abort());
  const body =
    method === 'GET' ? null : await new Response(Readable.toWeb(request) as ReadableStream<Uint8Array>).arrayBuffer();
  const answered = await app.request(new Request(url, { method, headers, body, signal: ending.signal }));
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  if (answered.body === null) {
    response.end();
    return;
  }
  try {
    // Who looks away ends the stream of events too.
    await pipeline(Readable.fromWeb(answered.body as ReadableStream<Uint8Array>), response);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

/** Serves the pages until it is closed. */
export async function startPageServer(app: Hono<WebEnvironment>): Promise<PageServer> {
  const server = createServer((request, response) => void answer(app, request, response));
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
