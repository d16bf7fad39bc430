import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { formatListenAddress, parseListenAddress } from './listen-address.ts';
import { type MetricsServerOptions, startMetricsServer } from './metrics-server.ts';

async function start(t: TestContext, options: Partial<MetricsServerOptions>) {
  const clock = new FakeClock();
  const errors: unknown[] = [];
  const server = await startMetricsServer({
    address: { host: '127.0.0.1', port: 0 },
    contentType: 'text/plain; version=0.0.4',
    metrics: async () => 'a 1\n',
    checkReady: async () => undefined,
    onError: (error) => errors.push(error),
    clock,
    ...options,
  });
  t.after(() => server.close());
  return { server, clock, errors, url: `http://${formatListenAddress(server.address)}` };
}

test('it answers what it is asked, and nothing else', async (t) => {
  const { url } = await start(t, {});
  const metrics = await fetch(`${url}/metrics?x=1`);
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4');
  assert.equal(await metrics.text(), 'a 1\n');
  const statusOf = async (path: string, method = 'GET') => (await fetch(url + path, { method })).status;
  assert.equal(await statusOf('/healthz'), 200);
  assert.equal(await statusOf('/readyz'), 200);
  assert.equal(await statusOf('/metrics', 'HEAD'), 200);
  assert.equal(await statusOf('/metrics', 'POST'), 405);
  assert.equal(await statusOf('/../../etc/passwd'), 404);
});

test('why something fails is told to the log, not to the caller', async (t) => {
  const failing = async () => {
    throw new HoldfastError('history.unavailable', { message: 'the password is hunter2' });
  };
  const { url, errors } = await start(t, { metrics: failing, checkReady: failing });
  for (const [path, status] of [
    ['/metrics', 500],
    ['/readyz', 503],
  ] as const) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, status);
    assert.doesNotMatch(await answer.text(), /hunter2/);
  }
  assert.equal(errors.length, 2);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test('many scrapes at once read the history once, and a later one again', async (t) => {
  let count = 0;
  const { url, clock } = await start(t, { metrics: async () => `a ${++count}\n` });
  const scrape = async () => await (await fetch(`${url}/metrics`)).text();
  assert.deepEqual(await Promise.all([scrape(), scrape(), scrape()]), ['a 1\n', 'a 1\n', 'a 1\n']);
  clock.advance(4_999);
  assert.equal(await scrape(), 'a 1\n');
  clock.advance(1);
  assert.equal(await scrape(), 'a 2\n');
});

test('a header without end is refused', async (t) => {
  const { server } = await start(t, {});
  const socket = connect(server.address.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`GET /metrics HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(9000)}\r\n\r\n`);
  assert.match(await text(socket), /^HTTP\/1\.1 431 /);
});

test('a port that is taken is told', async (t) => {
  const { server } = await start(t, {});
  await assert.rejects(start(t, { address: server.address }), {
    code: 'web.listen_failed',
    message: `cannot listen on 127.0.0.1:${server.address.port}: another program listens there`,
  });
});

test('a port alone is on the loopback', () => {
  assert.deepEqual(parseListenAddress('9464'), { host: '127.0.0.1', port: 9464 });
  assert.deepEqual(parseListenAddress('0.0.0.0:80'), { host: '0.0.0.0', port: 80 });
  assert.deepEqual(parseListenAddress('[::1]:80'), { host: '::1', port: 80 });
  assert.equal(formatListenAddress({ host: '::1', port: 80 }), '[::1]:80');
  for (const text of ['', ':80', 'host', '::1', '[x]:80', '1:65536', 'a b:1', '-1']) {
    assert.throws(() => parseListenAddress(text), { code: 'usage.invalid' }, text);
  }
});
