/** Nobody gets further than he may, by whatever way he comes. Routes are those that the router has: none is forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roleOfScope, type Scope, scopes } from '../../src/web/access/scopes.ts';
import { operations } from '../../src/web/api/api-routes.ts';
import { openTestAdmin, routesOf } from './test-admin.ts';

const isApi = (path: string) => path.startsWith('/api/v1');
const publicRoutes = [
  'GET /assets/x/x',
  'GET /login',
  'GET /login/code',
  'GET /setup/x',
  'POST /login',
  'POST /login/code',
  'POST /setup/x',
];
/** What everybody may send who is logged in. */
const isOwn = (path: string) => path === '/logout' || path.startsWith('/account');

async function codeOf(response: Response): Promise<string> {
  const text = await response.text();
  return /"code":"([a-z_.]+)"/.exec(text)?.[1] ?? /<code class="quiet">([a-z_.]+)<\/code>/.exec(text)?.[1] ?? '';
}

test('without a login no route but those for logging in answers', async (t) => {
  const admin = await openTestAdmin(t);
  const open: string[] = [];
  const routes = routesOf(admin);
  assert.ok(routes.length > 90, `${routes.length} routes`);
  for (const { method, path } of routes) {
    const response = await admin.browser().ask(path, { method });
    const { status } = response;
    const isRefused =
      status === 401 || (status === 303 && response.headers.get('location')?.startsWith('/login') === true);
    if (!isRefused) open.push(`${method} ${path}`);
    if (isApi(path)) assert.equal(await codeOf(response), 'access.unauthenticated', `${method} ${path}`);
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    assert.ok(response.headers.has('x-request-id'));
  }
  assert.deepEqual(open.sort(), publicRoutes);
});

test('who knows no route learns nothing, and other paths are none of ours', async (t) => {
  const admin = await openTestAdmin(t, { basePath: '/backups' });
  assert.equal(
    (await admin.browser().ask('/backups/nothing')).headers.get('location'),
    '/backups/login?next=%2Fbackups%2Fnothing',
  );
  assert.equal((await admin.browser().ask('/backups')).headers.get('location'), '/backups/login');
  for (const path of ['/', '/login', '/backupslogin', '/xxxxxxx/login', '/backupsx/login', '/BACKUPS/login']) {
    assert.equal((await admin.browser().ask(path)).status, 404, path);
  }
});

test('a viewer changes nothing', async (t) => {
  const admin = await openTestAdmin(t);
  const viewer = await admin.as('viewer');
  const token = await viewer.csrf();
  for (const { method, path } of routesOf(admin)) {
    if (method === 'GET' || isOwn(path) || publicRoutes.includes(`${method} ${path}`)) continue;
    const response = await viewer.ask(path, { method, headers: { 'x-csrf-token': token } });
    assert.equal(await codeOf(response), 'access.forbidden', `${method} ${path}`);
    assert.equal(response.status, 403, `${method} ${path}`);
  }
  for (const path of [
    '/users',
    '/audit',
    '/download/local/x',
    '/api/v1/contents/x',
    '/api/v1/users',
    '/api/v1/audit',
  ]) {
    assert.equal((await viewer.ask(path)).status, 403, path);
  }
});

test('an operator does not do what only an admin may', async (t) => {
  const admin = await openTestAdmin(t);
  const operator = await admin.as('operator');
  const headers = { 'x-csrf-token': await operator.csrf() };
  const bodies: Record<string, object> = {
    '/jobs/delete': { name: 'x', storages: ['local'], confirm: 'x' },
    '/jobs/restore': { name: 'x', storage: 'local', confirm: 'x' },
    '/jobs/undo': { to: 'sqlite:x.db' },
  };
  const adminOperations = operations.filter(({ role }) => role === 'admin');
  assert.ok(adminOperations.length >= 10);
  for (const { method, path } of adminOperations) {
    const isGet = method === 'get';
    const response = await operator.ask(`/api/v1${path.replace(/:[a-z]+/g, 'x')}`, {
      method: method.toUpperCase(),
      headers,
      ...(isGet ? {} : { json: bodies[path] ?? {} }),
    });
    assert.equal(response.status, 403, path);
  }
  // The services themselves refuse too, whoever calls them.
  const { jobs } = admin.opened.services;
  const user = { name: 'operator', role: 'operator' } as const;
  for (const request of [
    { kind: 'delete', storages: ['local'], name: 'x', confirm: 'x' },
    { kind: 'prune' },
    { kind: 'restore', from: { storage: 'local', name: 'x' }, confirm: 'x' },
    { kind: 'undo', to: 'sqlite:x.db' },
  ] as const) {
    await assert.rejects(jobs.start(user, request), { code: 'access.forbidden' });
  }
  await assert.rejects(jobs.start({ name: 'v', role: 'viewer' }, { kind: 'backup' }), { code: 'access.forbidden' });
  for (const form of ['/users', '/users/x/role', '/users/x/link', '/users/x/remove']) {
    assert.equal((await operator.send(form, { name: 'x', role: 'admin' })).status, 403, form);
  }
});

test('a form without its token, or with that of another, changes nothing', async (t) => {
  const admin = await openTestAdmin(t);
  const browser = await admin.as('admin');
  const other = await (await admin.as('admin')).csrf();
  const routes = routesOf(admin).filter(({ method }) => method !== 'GET');
  assert.ok(routes.length > 40);
  for (const { method, path } of routes) {
    for (const headers of [{}, { 'x-csrf-token': '' }, { 'x-csrf-token': other }, { 'sec-fetch-site': 'cross-site' }]) {
      const multipart = { ...headers, 'content-type': 'multipart/form-data; boundary=B' };
      const isForm = method === 'POST' && path === '/uploads';
      const file = '--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nbytes\r\n--B--';
      const response = await browser.ask(path, isForm ? { headers: multipart, body: file } : { method, headers });
      assert.equal(await codeOf(response), 'access.forged', `${method} ${path} ${JSON.stringify(headers)}`);
      assert.equal(response.status, 403);
    }
  }
  assert.equal((await browser.ask('/account')).status, 200, 'still logged in: the way out was forged too');
  assert.equal(admin.opened.services.uploads.list({ name: 'admin', role: 'admin' }).length, 0);
});

test('a token does what its scopes say, on the API alone', async (t) => {
  const admin = await openTestAdmin(t);
  for (const scope of scopes) {
    const others = scopes.filter((one) => one !== scope).join(' ');
    const headers = { authorization: `Bearer ${await admin.token(others)}` };
    for (const { method, path } of operations.filter((one) => one.scope === scope)) {
      const response = await admin
        .browser()
        .ask(`/api/v1${path.replace(/:[a-z]+/g, 'x')}`, { method: method.toUpperCase(), headers });
      assert.equal(response.status, 403, `${scope}: ${path}`);
      assert.match(await response.text(), new RegExp(`scope ${scope}`));
    }
  }
  const headers = { authorization: `Bearer ${await admin.token(scopes.join(' '))}` };
  for (const { method, path } of routesOf(admin).filter((route) => !isApi(route.path))) {
    if (publicRoutes.includes(`${method} ${path}`)) continue;
    assert.equal((await admin.browser().ask(path, { method, headers })).status, 403, `${method} ${path}`);
  }
  assert.equal((await admin.browser().ask('/api/v1/overview', { headers })).status, 200);
  admin.clock.advance(31 * 86_400_000);
  assert.equal((await admin.browser().ask('/api/v1/overview', { headers })).status, 401, 'expired');
});

test('a token is worth no more than its maker', async (t) => {
  const admin = await openTestAdmin(t);
  const { store } = admin.opened;
  const headers = { authorization: `Bearer ${await admin.token(scopes.join(' '))}` };
  const users = async () => (await admin.browser().ask('/api/v1/users', { headers })).status;
  assert.equal(await users(), 200);
  await store.users.change('admin', { role: 'viewer' });
  assert.equal(await users(), 403, 'he lost his role');
  await store.users.remove('admin');
  assert.equal(await users(), 401, 'he is gone');
  const needed = (role: string) => (Object.keys(roleOfScope) as Scope[]).filter((scope) => roleOfScope[scope] === role);
  for (const scope of [...needed('operator'), ...needed('admin')]) {
    await assert.rejects(admin.token(`read ${scope}`, 'viewer'), { code: 'access.forbidden' }, scope);
  }
  const cookie = await admin.as('operator');
  const wrong = { authorization: 'Bearer hfat_nothing' };
  assert.equal((await cookie.ask('/api/v1/overview', { headers: wrong })).status, 401, 'a token stands for itself');
});

test('a name leads out of no storage, and into no option of a command', async (t) => {
  const admin = await openTestAdmin(t);
  const browser = await admin.as('admin');
  const headers = { 'x-csrf-token': await browser.csrf() };
  for (const name of [
    '..%2F..%2Fetc%2Fpasswd',
    '%2Fetc%2Fpasswd',
    '..%2Fholdfast.config.json',
    'a%00b',
    '..%5C..%5Cx',
    '%252e%252e%252fx',
  ]) {
    for (const path of [`/download/local/${name}`, `/api/v1/storages/local/archives/${name}/download`]) {
      const response = await browser.ask(path);
      assert.ok([403, 404].includes(response.status), `${path}: ${response.status}`);
    }
  }
  assert.equal((await browser.ask('/download/nowhere/x')).status, 404);
  const post = async (path: string, json: unknown) => {
    const response = await browser.ask(`/api/v1${path}`, { headers, json });
    return { status: response.status, body: await response.json() };
  };
  const traversal = { storage: 'local', name: '../holdfast.config.json' };
  assert.equal((await post('/jobs/verify', traversal)).status, 403);
  assert.equal((await post('/jobs/inspect', { storage: '--help', name: 'x' })).status, 404);
  assert.equal(
    (await post('/jobs/delete', { ...traversal, storage: undefined, storages: ['local'], confirm: traversal.name }))
      .status,
    403,
  );
  assert.equal((await post('/jobs/backup', { job: '--output=/tmp/x' })).status, 400);
  assert.equal((await post('/jobs/verify-upload', { upload: '../../x' })).status, 404);
  // A name that looks like an option is a name.
  const started = await post('/jobs/verify', { storage: 'local', name: '--help' });
  assert.equal(started.status, 202);
  const ended = await admin.opened.services.jobs.ended((started.body as { id: string }).id);
  assert.equal(ended.error?.code, 'storage.not_found');
});

test('nobody is led elsewhere after he has logged in, and no header is broken', async (t) => {
  const admin = await openTestAdmin(t);
  const hostile = [
    'https://evil.test/',
    '//evil.test',
    '/\\evil.test',
    '/\t/evil.test',
    'javascript:alert(1)',
    '/x\r\nset-cookie: a=b',
    '\\\\evil.test',
    '/..//evil.test',
    '/%0d%0aset-cookie:a=b',
  ];
  for (const next of hostile) {
    const browser = admin.browser();
    const response = await browser.send(
      '/login',
      { name: 'admin', password: 'a long enough password', next },
      '/login',
    );
    const location = response.headers.get('location') ?? '';
    assert.match(location, /^\/($|[^/\\])/, JSON.stringify(next));
    assert.equal(
      response.headers.getSetCookie().some((line) => line.startsWith('a=')),
      false,
    );
  }
  const good = await admin
    .browser()
    .send('/login', { name: 'admin', password: 'a long enough password', next: '/runs?page=2' }, '/login');
  assert.equal(good.headers.get('location'), '/runs?page=2');
});

test('what is too large, or no form of ours, is refused before it is read', async (t) => {
  const admin = await openTestAdmin(t);
  const browser = await admin.as('admin');
  const headers = { 'x-csrf-token': await browser.csrf() };
  const large = await browser.ask('/login', { form: { name: 'x'.repeat(300_000) } });
  assert.equal(large.status, 413);
  assert.equal((await browser.ask('/api/v1/jobs/backup', { headers, body: '{' })).status, 400);
  assert.equal(
    (
      await browser.ask('/api/v1/jobs/backup', {
        headers: { ...headers, 'content-type': 'application/json' },
        body: '{',
      })
    ).status,
    400,
  );
  assert.equal((await browser.ask('/api/v1/jobs/backup', { headers, json: { job: 'backup', more: 1 } })).status, 400);
  assert.equal((await browser.ask('/api/v1/archives?pageSize=501')).status, 400);
  assert.equal((await browser.ask('/api/v1/archives?page=-1')).status, 400);
});
