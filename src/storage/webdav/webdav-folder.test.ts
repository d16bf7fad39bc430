import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebdavClient } from './webdav-client.ts';
import { WebdavFolder } from './webdav-folder.ts';

/** What becomes of one MOVE: whether it is done, and the status that is sent; without one the connection is cut. */
interface MoveAnswer {
  readonly isDone?: boolean;
  readonly status?: number;
}

function find(response: ServerResponse, path: string, sizeBytes: number | undefined): void {
  if (sizeBytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  const properties = `<D:resourcetype/><D:getcontentlength>${sizeBytes}</D:getcontentlength>`;
  const answer = `<D:response><D:href>${path}</D:href><D:propstat><D:prop>${properties}</D:prop></D:propstat></D:response>`;
  response.writeHead(207).end(`<D:multistatus xmlns:D="DAV:">${answer}</D:multistatus>`);
}

/** A server with these files: path and size. It answers one MOVE after the other as it is told to. */
async function startServer(
  context: TestContext,
  files: Map<string, number>,
  answers: MoveAnswer[],
): Promise<WebdavFolder> {
  const move = ({ url = '', headers, socket }: IncomingMessage, response: ServerResponse) => {
    const { isDone = false, status } = answers.shift() ?? {};
    const sizeBytes = files.get(url);
    if (isDone && sizeBytes !== undefined) {
      files.delete(url);
      files.set(new URL(String(headers['destination'])).pathname, sizeBytes);
    }
    if (status === undefined) socket.destroy();
    else response.writeHead(status).end();
  };
  const server = createServer((request, response) => {
    const { method, url = '' } = request;
    request.resume();
    if (method === 'MOVE') move(request, response);
    else find(response, url, files.get(url));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new WebdavClient({
    url: new URL(`http://127.0.0.1:${port}/`),
    credentials: undefined,
    ca: undefined,
    timeoutMs: 60_000,
  });
  context.after(() => {
    client.close();
    server.close();
  });
  return new WebdavFolder(client, '/');
}

for (const { status, replaces } of [
  { status: 404, replaces: true },
  { status: 404, replaces: false },
  { status: 412, replaces: false },
]) {
  const how = replaces ? 'that replaces' : 'to a free name';
  test(`a move ${how} that was done before its connection broke is done, though its repetition is answered ${status}`, async (context) => {
    const files = new Map([['/temporary', 7]]);
    if (replaces) files.set('/x', 3);
    const answers: MoveAnswer[] = [{ isDone: true }, { status }];
    const folder = await startServer(context, files, answers);
    await folder.move('/temporary', '/x', { replaces });
    assert.deepEqual([...files], [['/x', 7]]);
    assert.deepEqual(answers, []);
  });
}

test('a name that is taken is a conflict, at the first try and at a repeated one', async (context) => {
  for (const cuts of [[], [{}]] satisfies MoveAnswer[][]) {
    const files = new Map([['/temporary', 7]]);
    const answers: MoveAnswer[] = [...cuts, { status: 412 }];
    files.set('/x', 3);
    const folder = await startServer(context, files, answers);
    await assert.rejects(folder.move('/temporary', '/x', { replaces: false }), { code: 'storage.conflict' });
    assert.deepEqual(answers, []);
    assert.equal(files.get('/x'), 3);
  }
});

test('a temporary file that is gone is no move that was done', async (context) => {
  const first = await startServer(context, new Map([['/x', 3]]), [{ status: 404 }]);
  await assert.rejects(first.move('/temporary', '/x', { replaces: true }), { code: 'storage.not_found' });
  const repeated = await startServer(context, new Map(), [{}, { status: 404 }]);
  await assert.rejects(repeated.move('/temporary', '/x', { replaces: true }), { code: 'storage.not_found' });
});
