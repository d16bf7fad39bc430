/** The admin as a browser uses it in somebody's server: logged in, looked at, backed up, uploaded to. */
import assert from 'node:assert/strict';

const basePath = '/admin/backups';
const user = { name: 'anna', password: 'a long enough password' };

/** Requests to one server, with the cookies that it set. */
export class MountedBrowser {
  readonly #origin: string;
  readonly #cookies = new Map<string, string>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie, ...(init.headers as Record<string, string> | undefined) };
    const response = await fetch(`${this.#origin}${path}`, { redirect: 'manual', ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  }

  /** A page, and the token of its forms. */
  async page(path: string): Promise<{ readonly html: string; readonly csrf: string }> {
    const response = await this.ask(path);
    const html = await response.text();
    assert.equal(response.status, 200, `${path}: ${html.slice(0, 500)}`);
    return { html, csrf: /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? '' };
  }

  /** Sends the form of a page. */
  async send(path: string, fields: Readonly<Record<string, string>>): Promise<Response> {
    const { csrf } = await this.page(path);
    return await this.ask(path, { method: 'POST', body: new URLSearchParams({ csrf, ...fields }) });
  }
}

/** Makes the first admin by the path that the server told. */
export async function makeFirstAdmin(origin: string, setupPath: string): Promise<void> {
  const made = await new MountedBrowser(origin).send(setupPath, { ...user, repeat: user.password });
  assert.equal(made.status, 200, await made.text());
}

/** Logs in, looks at the overview and its style sheet, and uploads in both ways; gives the browser, still logged in. */
export async function useMountedAdmin(origin: string, uploadBytes = 3_000_000): Promise<MountedBrowser> {
  assert.match(await (await fetch(`${origin}/`)).text(), /the application/);
  const browser = new MountedBrowser(origin);
  const refused = await browser.ask(`${basePath}/runs`);
  assert.deepEqual(
    [refused.status, refused.headers.get('location')],
    [303, `${basePath}/login?next=%2Fadmin%2Fbackups%2Fruns`],
  );
  const entered = await browser.send(`${basePath}/login`, user);
  assert.deepEqual([entered.status, entered.headers.get('location')], [303, `${basePath}/`]);
  const { html, csrf } = await browser.page(basePath);
  assert.match(html, /<title>Overview · Holdfast/);
  const style = /href="([^"]+\.css)"/.exec(html)?.[1] ?? '';
  assert.equal((await browser.ask(style)).headers.get('content-type'), 'text/css; charset=utf-8');
  await sendPieces(browser, csrf, uploadBytes);
  await sendForm(browser, csrf);
  return browser;
}

/** An upload as the pages send it: announced, then streamed. */
async function sendPieces(browser: MountedBrowser, csrf: string, sizeBytes: number): Promise<void> {
  const headers = { 'x-csrf-token': csrf };
  const announced = await browser.ask(`${basePath}/api/v1/uploads`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'x', sizeBytes }),
  });
  assert.equal(announced.status, 201, await announced.clone().text());
  const path = `${basePath}/api/v1/uploads/${((await announced.json()) as { id: string }).id}`;
  let left = sizeBytes;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = new Uint8Array(Math.min(left, 256 * 1024)).fill(1);
      left -= piece.length;
      if (piece.length > 0) controller.enqueue(piece);
      else controller.close();
    },
  });
  const init = { method: 'PATCH', headers: { ...headers, 'upload-offset': '0' }, body, duplex: 'half' };
  const sent = await browser.ask(path, init as RequestInit);
  assert.equal(((await sent.json()) as { isComplete: boolean }).isComplete, true);
  assert.equal((await browser.ask(path, { method: 'DELETE', headers })).status, 200);
}

/** An upload as a form sends it, without scripts. */
async function sendForm(browser: MountedBrowser, csrf: string): Promise<void> {
  const form = new FormData();
  form.set('csrf', csrf);
  form.set('file', new Blob([new Uint8Array(1_000_000).fill(2)]), 'y');
  const sent = await browser.ask(`${basePath}/uploads`, { method: 'POST', body: form });
  assert.equal(sent.status, 303, await sent.clone().text());
  assert.match(sent.headers.get('location') ?? '', /^\/admin\/backups\/restore\?upload=[0-9a-f]{24}$/);
}

/** Backs up, follows it while it runs, and downloads the archive. */
export async function backUpMounted(browser: MountedBrowser): Promise<void> {
  const { csrf } = await browser.page(`${basePath}/account`);
  const headers = { 'x-csrf-token': csrf, 'content-type': 'application/json' };
  const started = await browser.ask(`${basePath}/api/v1/jobs/backup`, { method: 'POST', headers, body: '{}' });
  assert.equal(started.status, 202, await started.clone().text());
  const { id } = (await started.json()) as { id: string };
  const events = await browser.ask(`${basePath}/api/v1/jobs/${id}/events`);
  let text = '';
  let pieces = 0;
  for await (const piece of events.body ?? []) {
    text += Buffer.from(piece).toString();
    pieces++;
  }
  assert.ok(pieces > 1, 'events come as they happen, and not all at the end');
  assert.match(text, /"state":"succeeded"/);
  const archives = (await (await browser.ask(`${basePath}/api/v1/archives`)).json()) as {
    items: { name: string; sizeBytes: number }[];
  };
  const [archive] = archives.items;
  assert.ok(archive);
  const download = await browser.ask(`${basePath}/download/local/${archive.name}`);
  assert.equal((await download.arrayBuffer()).byteLength, archive.sizeBytes);
}
