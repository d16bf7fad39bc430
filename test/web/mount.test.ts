/** The admin over HTTP: served by itself, and mounted under a path by what servers have in common. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHandler, nodeListener, serveHttp, type WebConfig, type WebHandler } from '../../src/web/index.ts';
import { cheap, openTestAdmin, passphrase } from './test-admin.ts';

const basePath = '/admin/backups';
const user = { name: 'anna', role: 'admin' } as const;

/** A handler of an application that knows its users. */
async function newHandler(t: TestContext, given: WebConfig = {}): Promise<{ handler: WebHandler; folder: string }> {
  const { folder } = await openTestAdmin(t);
  const environment = { PATH: process.env['PATH'], HOLDFAST_PASSPHRASE: passphrase };
  const authorize = (request: Request) => (request.headers.get('x-user') === 'anna' ? user : undefined);
  const handler = createHandler({
    folder,
    basePath,
    authorize,
    environment,
    log: () => undefined,
    passwordCost: cheap,
    uploads: { reserveBytes: 0 },
    ...given,
  });
  t.after(() => handler.close());
  return { handler, folder };
}

/** Looks at a page, its assets and the API, sends a form, and uploads, at a server. */
async function useAdmin(origin: string): Promise<void> {
  const headers = { 'x-user': 'anna' };
  assert.equal((await fetch(`${origin}${basePath}/`)).status, 401);
  const page = await fetch(`${origin}${basePath}/`, { headers });
  assert.equal(page.status, 200);
  const html = await page.text();
  const style = /href="([^"]+\.css)"/.exec(html)?.[1] ?? '';
  assert.ok(style.startsWith(`${basePath}/assets/`));
  assert.equal((await fetch(`${origin}${style}`)).headers.get('content-type'), 'text/css; charset=utf-8');
  const cookie = page.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const csrf = /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? '';
  const sent = { ...headers, cookie, 'x-csrf-token': csrf };
  const json = { ...sent, 'content-type': 'application/json' };
  const body = new Uint8Array(3_000_000).fill(1);
  const announced = await fetch(`${origin}${basePath}/api/v1/uploads`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ name: 'x', sizeBytes: body.length }),
  });
  assert.equal(announced.status, 201, await announced.clone().text());
  const { id } = (await announced.json()) as { id: string };
  const path = `${origin}${basePath}/api/v1/uploads/${id}`;
  const patched = await fetch(path, { method: 'PATCH', headers: { ...sent, 'upload-offset': '0' }, body });
  assert.equal(((await patched.json()) as { isComplete: boolean }).isComplete, true);
  const form = new FormData();
  form.set('csrf', csrf);
  form.set('file', new Blob([body]), 'y');
  const uploaded = await fetch(`${origin}${basePath}/uploads`, {
    method: 'POST',
    headers: { ...headers, cookie },
    body: form,
    redirect: 'manual',
  });
  assert.equal(uploaded.status, 303, await uploaded.clone().text());
  assert.match(uploaded.headers.get('location') ?? '', /^\/admin\/backups\/restore\?upload=[0-9a-f]{24}$/);
  assert.equal((await fetch(path, { method: 'DELETE', headers: sent })).status, 200);
}

async function listen(
  t: TestContext,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('node:http serves it', async (t) => {
  const { handler } = await newHandler(t);
  await useAdmin(await listen(t, nodeListener(handler)));
});

test('a route handler of Next.js is the handler itself: Next.js is run by `npm run mount:next`', async (t) => {
  const { handler } = await newHandler(t, { compression: false });
  // app/admin/backups/[[...path]]/route.ts exports it under the name of every method, and gets a second argument of its own.
  const route: Record<string, (request: Request, context: { params: Promise<object> }) => Promise<Response>> =
    Object.fromEntries(
      ['GET', 'POST', 'PATCH', 'DELETE', 'HEAD'].map((method) => [method, (request: Request) => handler(request)]),
    );
  const call = async (request: Request) => {
    const respond = route[request.method];
    if (respond === undefined) return new Response(null, { status: 405 });
    const response = await respond(request, { params: Promise.resolve({}) });
    // As Next.js does, whatever the body is.
    for (const name of ['content-encoding', 'content-length']) response.headers.delete(name);
    return response;
  };
  await useAdmin(await listen(t, nodeListener(call)));
});

test('requests that are no requests are refused, and others are served on', async (t) => {
  const { handler } = await newHandler(t);
  const server = await serveHttp(handler, { port: 0 });
  t.after(() => server.close());
  const raw = async (text: string): Promise<string> => {
    const socket = connect(server.port, '127.0.0.1');
    // Not ended: who has gone is not answered.
    socket.write(text);
    let answer = '';
    for await (const piece of socket) answer += piece;
    return answer.split('\r\n')[0] ?? '';
  };
  assert.match(await raw('GET http://evil.test/ HTTP/1.1\r\nHost: x\r\n\r\n'), / 400 /);
  assert.match(await raw('GET / HTTP/1.1\r\nHost: x/@evil\r\n\r\n'), / 400 /);
  assert.match(await raw('GET / HTTP/1.1\r\n\r\n'), / 400 /);
  assert.match(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`), / 431 /);
  assert.match(await raw('GET //evil.test/admin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), / 404 /);
  assert.equal((await fetch(`${server.url}${basePath}/`)).status, 401);
  await assert.rejects(serveHttp(handler, { port: server.port }), { code: 'request.conflict' });
});

test('a body that is too large is answered before it is sent, and the connection ends', async (t) => {
  const { handler } = await newHandler(t);
  const server = await serveHttp(handler, { port: 0 });
  t.after(() => server.close());
  const headers = {
    'x-user': 'anna',
    'content-length': '10000000',
    'content-type': 'application/x-www-form-urlencoded',
  };
  const sending = httpRequest(`${server.url}${basePath}/logout`, { method: 'POST', headers });
  sending.on('error', () => undefined);
  sending.write('csrf=x');
  const [response] = (await once(sending, 'response')) as [IncomingMessage];
  assert.deepEqual([response.statusCode, response.headers.connection], [413, 'close']);
  sending.destroy();
});

test('an upload that is cut off goes on where it was', async (t) => {
  const { handler, folder } = await newHandler(t);
  const server = await serveHttp(handler, { port: 0 });
  t.after(() => server.close());
  const user = { 'x-user': 'anna' };
  const page = await fetch(`${server.url}${basePath}/account`, { headers: user });
  const cookie = page.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const headers = { ...user, cookie, 'x-csrf-token': /name="csrf" value="([^"]+)"/.exec(await page.text())?.[1] ?? '' };
  const api = `${server.url}${basePath}/api/v1/uploads`;
  const bytes = randomBytes(1_000_000);
  const announced = await fetch(api, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'x', sizeBytes: bytes.length }),
  });
  const { id } = (await announced.json()) as { id: string };
  const stateOf = async () =>
    (await (await fetch(`${api}/${id}`, { headers })).json()) as { receivedBytes: number; isComplete: boolean };
  const sending = httpRequest(`${api}/${id}`, {
    method: 'PATCH',
    headers: { ...headers, 'upload-offset': '0', 'content-length': bytes.length },
  });
  sending.on('error', () => undefined);
  sending.write(bytes.subarray(0, 400_000));
  while ((await stateOf()).receivedBytes < 400_000) await new Promise((resolve) => setImmediate(resolve));
  sending.destroy();
  const resume = async (offset: number) =>
    await fetch(`${api}/${id}`, {
      method: 'PATCH',
      headers: { ...headers, 'upload-offset': String(offset) },
      body: bytes.subarray(offset),
    });
  // Until the server notices that nobody sends any more it says so.
  let resumed = await resume(400_000);
  while (resumed.status === 409) resumed = await resume(400_000);
  assert.equal(resumed.status, 200, await resumed.clone().text());
  assert.equal((await stateOf()).isComplete, true);
  assert.ok(
    bytes.equals(await readFile(join(folder, '.holdfast', 'uploads', `${id}.part`))),
    'no byte twice, none left out',
  );
});

test('a large download and upload pass through, and are held nowhere', async (t) => {
  const { handler, folder } = await newHandler(t);
  const server = await serveHttp(handler, { port: 0 });
  t.after(() => server.close());
  const sizeBytes = 192 * 1024 * 1024;
  await writeFile(join(folder, 'photos', 'x'), '');
  const { mkdir, truncate } = await import('node:fs/promises');
  await mkdir(join(folder, 'backups'));
  const name = 'photos_20261128_000000_default.holdfast';
  await writeFile(join(folder, 'backups', name), 'x');
  await truncate(join(folder, 'backups', name), sizeBytes);
  const headers = { 'x-user': 'anna' };
  const before = process.memoryUsage();
  let mostBytes = 0;
  const measure = () => {
    const { heapUsed, external } = process.memoryUsage();
    mostBytes = Math.max(mostBytes, heapUsed + external - before.heapUsed - before.external);
  };
  const download = await fetch(`${server.url}${basePath}/download/local/${name}`, { headers });
  let received = 0;
  for await (const piece of download.body ?? []) {
    received += piece.length;
    measure();
  }
  assert.equal(received, sizeBytes);
  const page = await fetch(`${server.url}${basePath}/account`, { headers });
  const cookie = page.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const csrf = /name="csrf" value="([^"]+)"/.exec(await page.text())?.[1] ?? '';
  const sent = { ...headers, cookie, 'x-csrf-token': csrf };
  const announced = await fetch(`${server.url}${basePath}/api/v1/uploads`, {
    method: 'POST',
    headers: { ...sent, 'content-type': 'application/json' },
    body: JSON.stringify({ name, sizeBytes }),
  });
  const { id } = (await announced.json()) as { id: string };
  const piece = new Uint8Array(1024 * 1024).fill(5);
  let left = sizeBytes / piece.length;
  const body = new ReadableStream({
    pull: (controller) => {
      measure();
      if (left-- > 0) controller.enqueue(piece);
      else controller.close();
    },
  });
  const init = { method: 'PATCH', headers: { ...sent, 'upload-offset': '0' }, body, duplex: 'half' };
  const patched = await fetch(`${server.url}${basePath}/api/v1/uploads/${id}`, init as RequestInit);
  assert.equal(((await patched.json()) as { receivedBytes: number }).receivedBytes, sizeBytes);
  assert.equal((await readdir(join(folder, '.holdfast', 'uploads'))).length, 2);
  assert.ok(mostBytes < 160 * 1024 * 1024, `${Math.round(mostBytes / 1048576)} MiB at once`);
});
