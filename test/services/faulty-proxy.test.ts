import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { type ByteFault, type HttpFault, startHttpProxy, startTcpProxy } from './faulty-proxy.ts';

const text = 'x'.repeat(10_000);
const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
const web = createHttpServer((incoming, answer) => {
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  incoming.on('end', () => answer.end(incoming.method === 'PUT' ? String(bytes) : text));
});

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

before(async () => {
  for (const server of [echo, web]) await once(server.listen(0, '127.0.0.1'), 'listening');
});
after(() => {
  echo.close();
  web.close();
});

/** What comes back of a text through a proxy, and how the connection ended. */
async function throughTcp(fault: ByteFault | undefined): Promise<{ back: string; end: string }> {
  await using proxy = await startTcpProxy(portOf(echo), () => fault);
  const socket = connect(proxy.port, '127.0.0.1');
  let back = '';
  let end = 'end';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end = error.code ?? '';
  });
  socket.on('data', (chunk: Buffer) => {
    back += chunk.toString('latin1');
    if (back.length === text.length) socket.end();
  });
  const closed = once(socket, 'close').catch(() => undefined);
  socket.write(text);
  const limit = setTimeout(() => {
    end = 'stalled';
    socket.destroy();
  }, 200);
  await closed;
  clearTimeout(limit);
  assert.equal(proxy.faultCount, fault === undefined ? 0 : 1);
  return { back, end };
}

test('bytes pass as they are, until the fault happens', async () => {
  assert.deepEqual(await throughTcp(undefined), { back: text, end: 'end' });
  for (const direction of ['to server', 'to client'] as const) {
    const of = (how: ByteFault['how']) => throughTcp({ how, afterBytes: 5000, direction });
    assert.deepEqual(await of('slow'), { back: text, end: 'end' });
    assert.deepEqual(await of('stall'), { back: text.slice(0, 5000), end: 'stalled' });
    assert.deepEqual(await of('flip'), { back: `${text.slice(0, 5000)}y${text.slice(5001)}`, end: 'end' });
    assert.equal((await of('reset')).end, 'ECONNRESET');
    const cut = await of('cut');
    assert.equal(cut.end, 'end');
    assert.ok(cut.back.length <= 5000);
  }
});

async function throughHttp(fault: HttpFault | undefined, put?: string): Promise<string> {
  await using proxy = await startHttpProxy(portOf(web), () => fault);
  try {
    const init = put === undefined ? {} : { method: 'PUT', body: put };
    const signal = AbortSignal.timeout(300);
    const answer = await fetch(`http://127.0.0.1:${proxy.port}/a?b=c`, { ...init, signal });
    const said = await answer.text();
    return `${answer.status} ${said === text ? 'all' : said.slice(0, 10)}`;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error.name === 'TimeoutError' ? 'stalled' : 'broken';
  } finally {
    assert.equal(proxy.faultCount, fault === undefined ? 0 : 1);
  }
}

test('requests pass, are answered, or meet faults', async () => {
  assert.equal(await throughHttp(undefined), '200 all');
  assert.equal(await throughHttp(undefined, text), '200 10000');
  assert.equal(await throughHttp({ how: 'answer', status: 503, body: 'slow down' }, text), '503 slow down');
  assert.equal(await throughHttp({ how: 'lose answer' }, text), 'broken');
  assert.equal(await throughHttp({ how: 'wrong length', byBytes: 5 }), 'broken');
  assert.notEqual(await throughHttp({ how: 'wrong length', byBytes: -5 }), '200 all');
  const half = { afterBytes: 5000, direction: 'to server' } as const;
  assert.equal(await throughHttp({ how: 'reset', ...half }, text), 'broken');
  assert.equal(await throughHttp({ how: 'stall', ...half }, text), 'stalled');
  assert.equal(await throughHttp({ how: 'slow', ...half }, text), '200 10000');
  const halfBack = { afterBytes: 5000, direction: 'to client' } as const;
  assert.equal(await throughHttp({ how: 'cut', ...halfBack }), 'broken');
  assert.equal(await throughHttp({ how: 'stall', ...halfBack }), 'stalled');
});
