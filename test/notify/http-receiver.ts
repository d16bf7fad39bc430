/** A server on the loopback that takes what notifiers send. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers as it is told to; `refuse` is 400, `fail` 503. */
export class HttpReceiver {
  answer: 'accept' | 'refuse' | 'fail' | 'hang' | 'redirect' = 'accept';
  /** Answers given before `answer` counts. */
  readonly queued: ('accept' | 'fail')[] = [];
  readonly #requests: ReceivedRequest[] = [];
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { url: path = '', headers } = request;
    this.#requests.push({ path, headers, body: Buffer.concat(chunks).toString() });
    const how = this.queued.shift() ?? this.answer;
    if (how === 'hang') return;
    const statuses = { accept: 200, refuse: 400, fail: 503, redirect: 302 };
    // What a service answers may repeat what it was sent.
    response.writeHead(statuses[how], how === 'redirect' ? { location: '/elsewhere' } : {});
    response.end(`${path} ${JSON.stringify(headers)}`);
  });
  #url = '';

  static async start(): Promise<HttpReceiver> {
    const receiver = new HttpReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    receiver.#url = `http://127.0.0.1:${(receiver.#server.address() as AddressInfo).port}`;
    return receiver;
  }

  get url(): string {
    return this.#url;
  }

  /** What has come since it was asked last. */
  take(): ReceivedRequest[] {
    return this.#requests.splice(0);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
