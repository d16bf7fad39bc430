/** Requests that come slowly, or without an end, over real sockets: each is answered or cut off, and holds up nobody. Time passes by hand. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import type { Wait } from '../../src/clock.ts';
import { createHandler, type HoldfastHandler, type ListeningServer, serveHttp } from '../../src/web/index.ts';
import { cheap, openTestAdmin, passphrase } from './test-admin.ts';

/** Time that passes when a test says so. */
class TimeByHand {
  readonly #waiting = new Map<number, Set<() => void>>();
  #armed = Promise.withResolvers<void>();

  readonly wait: Wait = (durationMs, signal) =>
    new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(durationMs) ?? new Set();
      this.#waiting.set(durationMs, waiting.add(resolve));
      signal?.addEventListener('abort', () => {
        waiting.delete(resolve);
        reject(signal.reason);
      });
      this.#armed.resolve();
      this.#armed = Promise.withResolvers();
    });

  /** Lets a time pass for so many who wait for it, as soon as they do. */
  async pass(durationMs: number, count = 1): Promise<void> {
    while ((this.#waiting.get(durationMs)?.size ?? 0) < count) await this.#armed.promise;
    for (const resolve of this.#waiting.get(durationMs) ?? []) resolve();
  }
}

/** A connection of somebody who knows HTTP, and keeps to none of it. */
class RawConnection {
  readonly socket: Socket;
  #text = '';
  readonly #closed: Promise<void>;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
    });
    // Cut off while it still sends: that is what the server is to do.
    this.socket.on('error', () => undefined);
    this.#closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** What the server said, once it has closed the connection. */
  async answer(): Promise<string> {
    await this.#closed;
    return this.#text;
  }
}

let handler: HoldfastHandler;
let server: ListeningServer;
const time = new TimeByHand();
const closing: (() => unknown)[] = [];
before(async () => {
  const { folder } = await openTestAdmin({ after: (close: () => unknown) => void closing.push(close) });
  const environment = { PATH: process.env['PATH'], HOLDFAST_PASSPHRASE: passphrase };
  handler = createHandler({
    folder,
    environment,
    wait: time.wait,
    log: () => undefined,
    passwordCost: cheap,
    uploads: { reserveBytes: 0 },
    authorize: ({ headers }) => (headers.get('x-user') === 'anna' ? { name: 'anna', role: 'admin' } : undefined),
  });
  server = await serveHttp(handler, { port: 0 });
});
after(async () => {
  await server.close();
  await handler.close();
  for (const close of closing.reverse()) await close();
});

const head = (path: string, ...lines: string[]) =>
  [`POST ${path} HTTP/1.1`, 'Host: admin.test', 'X-User: anna', ...lines, '', ''].join('\r\n');
const formType = 'Content-Type: application/x-www-form-urlencoded';
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

/** Others are served meanwhile. */
async function assertServes(): Promise<void> {
  const page = await fetch(`${server.url}/account`, { headers: { 'x-user': 'anna' } });
  assert.equal(page.status, 200);
  await page.text();
}

/** What somebody needs to send who is logged in, and an upload that he has announced. */
async function announce(sizeBytes: number) {
  const user = { 'x-user': 'anna' };
  const page = await fetch(`${server.url}/account`, { headers: user });
  const cookie = page.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const token = /name="csrf" value="([^"]+)"/.exec(await page.text())?.[1] ?? '';
  const headers = { ...user, cookie, 'x-csrf-token': token };
  const announced = await fetch(`${server.url}/api/v1/uploads`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'x', sizeBytes }),
  });
  assert.equal(announced.status, 201, await announced.clone().text());
  const { id } = (await announced.json()) as { id: string };
  const path = `/api/v1/uploads/${id}`;
  const patch = (...lines: string[]) =>
    head(path, `Cookie: ${cookie}`, `X-CSRF-Token: ${token}`, 'Upload-Offset: 0', ...lines).replace('POST', 'PATCH');
  const receivedBytes = async () => {
    const facts = await fetch(`${server.url}${path}`, { headers });
    return ((await facts.json()) as { receivedBytes: number }).receivedBytes;
  };
  return { patch, receivedBytes, remove: () => fetch(`${server.url}${path}`, { method: 'DELETE', headers }) };
}

test('a head that never ends is cut off, and so is a connection that says nothing', async (t) => {
  const impatient = await serveHttp(handler, { port: 0, headTimeoutMs: 1, checkEveryMs: 1 });
  t.after(() => impatient.close());
  const slow = new RawConnection(impatient.port).send('GET /login HTTP/1.1\r\nHost: x\r\nX-A: b\r\nX-');
  assert.equal(statusOf(await slow.answer()), 408);
  const silent = new RawConnection(impatient.port);
  assert.equal(statusOf(await silent.answer()), 408);
});

test('a body that comes byte by byte is given up in the end, and many of them hold up nobody', async () => {
  const connections = Array.from({ length: 50 }, () =>
    new RawConnection(server.port).send(head('/logout', formType, 'Content-Length: 1000')).send('c'),
  );
  for (const connection of connections) for (const letter of 'srf=') connection.send(letter);
  await assertServes();
  await time.pass(30_000, connections.length);
  for (const connection of connections) {
    const answer = await connection.answer();
    assert.equal(statusOf(answer), 408);
    assert.match(answer, /connection: close/i);
  }
});

test('a body that is declared and never sent is given up', async () => {
  const connection = new RawConnection(server.port).send(head('/logout', formType, 'Content-Length: 10'));
  await time.pass(15_000);
  assert.equal(statusOf(await connection.answer()), 408);
});

test('a body beyond the limit is refused by what is declared, and by what comes', async () => {
  const declared = new RawConnection(server.port).send(head('/logout', formType, 'Content-Length: 262145'));
  assert.equal(statusOf(await declared.answer()), 413);
  const within = new RawConnection(server.port)
    .send(head('/logout', formType, 'Content-Length: 262144', 'Connection: close'))
    .send('x'.repeat(262_144));
  assert.equal(statusOf(await within.answer()), 403, 'it was read, and has no token');
});

/** Sends pieces until the server closes the connection; gives how much it took. */
async function pour({ socket }: RawConnection, piece: string): Promise<number> {
  let sentBytes = 0;
  while (!socket.destroyed && sentBytes < 256 * 1024 * 1024) {
    sentBytes += piece.length;
    if (socket.write(piece, 'latin1')) continue;
    await new Promise((resolve) => {
      socket.once('drain', resolve);
      socket.once('close', resolve);
    });
  }
  return sentBytes;
}

test('a body in chunks without an end is cut off soon behind the limit', async () => {
  const chunk = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`;
  const connection = new RawConnection(server.port).send(head('/logout', formType, 'Transfer-Encoding: chunked'));
  const sentBytes = await pour(connection, chunk);
  assert.ok(sentBytes < 32 * 1024 * 1024, `${sentBytes} bytes were taken`);
  assert.equal(statusOf(await connection.answer()), 413);
});

test('trailers and extensions of chunks without an end are cut off too', async () => {
  for (const endless of [`0\r\n${'X-A: b\r\n'.repeat(5000)}`, `1;${'x'.repeat(40_000)}`]) {
    const connection = new RawConnection(server.port)
      .send(head('/logout', formType, 'Transfer-Encoding: chunked'))
      .send(endless);
    assert.ok([413, 431].includes(statusOf(await connection.answer())));
  }
});

test('a length that is said in two ways is no request', async () => {
  for (const lines of [
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['Content-Length: 5', 'Content-Length: 6'],
    ['Content-Length: +5'],
  ]) {
    const connection = new RawConnection(server.port).send(head('/logout', formType, ...lines)).send('0\r\n\r\nGET /x');
    assert.equal(statusOf(await connection.answer()), 400, lines.join());
  }
});

test('an upload that stops is given up, and goes on where it was', async () => {
  const { patch, receivedBytes, remove } = await announce(10);
  const connection = new RawConnection(server.port).send(patch('Content-Length: 10')).send('01234');
  while ((await receivedBytes()) < 5) await new Promise((resolve) => setImmediate(resolve));
  await time.pass(60_000);
  assert.equal(statusOf(await connection.answer()), 408);
  assert.equal(await receivedBytes(), 5);
  assert.equal((await remove()).status, 200, 'nobody is at it any more');
});

test('an upload of more than was announced is cut off', async () => {
  const { patch, receivedBytes, remove } = await announce(1000);
  const connection = new RawConnection(server.port).send(patch('Transfer-Encoding: chunked'));
  await pour(connection, `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`);
  assert.equal(statusOf(await connection.answer()), 413);
  assert.ok((await receivedBytes()) <= 1000);
  await remove();
});

test('what comes with a request that reads no body is not waited for', async () => {
  for (const method of ['GET', 'HEAD']) {
    const request = head('/account', 'Content-Length: 1000000').replace('POST', method);
    const answer = await new RawConnection(server.port).send(request).send('x').answer();
    assert.equal(statusOf(answer), 200);
  }
  const unknown = head('/logout', 'Content-Length: 1000000').replace('X-User: anna', 'X-User: eve');
  assert.equal(statusOf(await new RawConnection(server.port).send(unknown).send('x').answer()), 401);
});
