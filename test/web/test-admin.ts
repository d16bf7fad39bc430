/** The whole admin over a folder of its own, with users of every role, as requests see it. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { makeApiToken } from '../../src/web/access/token-routes.ts';
import { type OpenedAdmin, openAdmin } from '../../src/web/create-handler.ts';
import type { WebConfig } from '../../src/web/web-config.ts';
import type { Role } from '../../src/web/web-environment.ts';

export const password = 'a long enough password';
export const passphrase = 'correct horse battery staple';
/** Guessing costs next to nothing here. */
export const cheap = { memoryKib: 64, passes: 1, lanes: 1 } as const;

/** A request as a test gives it. */
export interface TestRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Fields of a form. */
  readonly form?: Readonly<Record<string, string>> | undefined;
  readonly json?: unknown;
  readonly body?: NonNullable<RequestInit['body']>;
  readonly address?: string;
}

/** A browser that keeps its cookies. */
export class TestBrowser {
  readonly cookies = new Map<string, string>();
  readonly #admin: TestAdmin;

  constructor(admin: TestAdmin) {
    this.#admin = admin;
  }

  async ask(
    path: string,
    { method, headers = {}, form, json, body, address = '192.0.2.1' }: TestRequest = {},
  ): Promise<Response> {
    const sent = form === undefined ? (json === undefined ? body : JSON.stringify(json)) : new URLSearchParams(form);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const init = {
      method: method ?? (sent === undefined ? 'GET' : 'POST'),
      headers: {
        ...(cookie === '' ? {} : { cookie }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent, duplex: 'half' as const }),
    };
    const response = await this.#admin.opened.app.fetch(new Request(`http://admin.test${path}`, init), { address });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]?.split('=') ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  /** The token of the forms that this browser is shown. */
  async csrf(path = '/account'): Promise<string> {
    const html = await (await this.ask(path)).text();
    return /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? '';
  }

  /** Sends a form with its token. */
  async send(path: string, form: Readonly<Record<string, string>> = {}, from = '/account'): Promise<Response> {
    return await this.ask(path, { form: { csrf: await this.csrf(from), ...form } });
  }

  /** Logs in by the form. */
  async logIn(name: string, given = password): Promise<Response> {
    return await this.send('/login', { name, password: given }, '/login');
  }
}

/** The admin of a test. */
export interface TestAdmin {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly opened: OpenedAdmin;
  /** What its commands see. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logged: readonly string[];
  browser(): TestBrowser;
  /** A browser of somebody who is logged in; users are called as their roles. */
  as(role: Role): Promise<TestBrowser>;
  token(scopes: string, role?: Role): Promise<string>;
  /** Closes it, and opens it anew, as when its server is started again. */
  reopen(): Promise<void>;
}

/** Opens an admin over a folder with a tree of files and a local storage; it is closed after the test. */
export async function openTestAdmin(
  t: Pick<TestContext, 'after'>,
  given: WebConfig & { readonly config?: object } = {},
): Promise<TestAdmin> {
  const { config, ...web } = given;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-web-'));
  await mkdir(join(folder, 'photos'));
  await writeFile(join(folder, 'photos', 'a.txt'), 'hello\n'.repeat(1000));
  const whole = { files: ['photos'], storage: { backend: 'local', path: 'backups' }, ...config };
  await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify(whole));
  const clock = new FakeClock(Date.UTC(2026, 10, 28, 12));
  const logged: string[] = [];
  const environment = {
    PATH: process.env['PATH'],
    HOLDFAST_PASSPHRASE: passphrase,
    // Commands are started by the dozen: what Node made of the sources is kept for the next.
    NODE_COMPILE_CACHE: join(tmpdir(), 'holdfast-compile-cache'),
  };
  const log = (text: string) => void logged.push(text);
  const common = { folder, clock, environment, log, passwordCost: cheap };
  const open = () => openAdmin({ ...common, uploads: { reserveBytes: 0 }, ...web });
  let opened = await open();
  t.after(async () => {
    await opened.close();
    await rm(folder, { recursive: true });
  });
  const { store } = opened;
  const hash = await store.passwords.hash(new Secret(password));
  for (const role of ['viewer', 'operator', 'admin']) {
    await store.users.add({ name: role, role, password: hash, created_ms: clock.nowMs() });
  }
  const admin: TestAdmin = {
    folder,
    clock,
    get opened() {
      return opened;
    },
    environment,
    logged,
    browser: () => new TestBrowser(admin),
    as: async (role) => {
      const browser = new TestBrowser(admin);
      const response = await browser.logIn(role);
      assert.equal(response.status, 303, await response.text());
      return browser;
    },
    reopen: async () => {
      await opened.close();
      opened = await open();
    },
    token: async (scopes, role = 'admin') => {
      return (await makeApiToken(opened.store, { name: role, role }, { label: 'test', scopes, days: 30 })).token;
    },
  };
  return admin;
}

/** Every route that was declared, each once, with something in place of its parts. */
export function routesOf({ opened }: TestAdmin): { readonly method: string; readonly path: string }[] {
  const routes = opened.app.routes.filter(({ method }) => method !== 'ALL');
  const seen = new Map(
    routes.map(({ method, path }) => [`${method} ${path}`, { method, path: path.replace(/:[a-z]+/gi, 'x') }]),
  );
  return [...seen.values()];
}
