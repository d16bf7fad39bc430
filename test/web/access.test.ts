/** Who is let in, for how long, and what is written down. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { recoveryCodeHash } from '../../src/web/access/log-in.ts';
import { codeAt, codeStep, fromBase32 } from '../../src/web/access/one-time-code.ts';
import { createHandler, type OpenedAdmin, openAdmin } from '../../src/web/create-handler.ts';
import { cheap, openTestAdmin, password, type TestAdmin, TestBrowser } from './test-admin.ts';

const minuteMs = 60_000;

async function isIn(browser: TestBrowser): Promise<boolean> {
  return (await browser.ask('/account')).status === 200;
}

async function actionsOf({ opened }: TestAdmin): Promise<string[]> {
  const { items } = await opened.store.audit.list({ offset: 0, limit: 100 });
  return items.map(({ user_name: name, action, outcome }) => `${name}: ${action}: ${outcome}`).reverse();
}

test('the first admin is made by a link, once', async (t) => {
  const admin = await openTestAdmin(t);
  const { store } = admin.opened;
  for (const role of ['viewer', 'operator', 'admin']) await store.users.remove(role);
  const path = admin.opened.setupPath ?? '';
  assert.match(path, /^\/setup\/[\w-]{43}$/);
  assert.ok(
    admin.logged.some((text) => text.includes(path)),
    'it is told at the start',
  );
  const browser = admin.browser();
  const set = (form: Record<string, string>) => browser.send(path, form, path);
  assert.equal((await set({ name: 'anna', password: 'short', repeat: 'short' })).status, 400);
  assert.equal((await set({ name: 'anna', password, repeat: `${password}x` })).status, 400);
  assert.equal((await set({ name: '../x', password, repeat: password })).status, 400);
  assert.equal((await set({ name: 'Anna', password, repeat: password })).status, 200);
  assert.equal((await store.users.find('anna'))?.role, 'admin');
  assert.equal((await browser.ask(path)).status, 410, 'it worked once');
  assert.equal((await browser.logIn('ANNA')).status, 303, 'names have no case');
  assert.ok(await isIn(browser));
});

test('a session has a fresh cookie, and ends: by logging out, by idling, by age, with the password', async (t) => {
  const admin = await openTestAdmin(t);
  const browser = admin.browser();
  const planted = 'A'.repeat(43);
  browser.cookies.set('holdfast_session', planted);
  const response = await browser.logIn('admin');
  const [line = ''] = response.headers.getSetCookie();
  assert.match(line, /^holdfast_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
  const first = browser.cookies.get('holdfast_session');
  assert.notEqual(first, planted);
  const thief = admin.browser();
  thief.cookies.set('holdfast_session', planted);
  assert.equal(await isIn(thief), false);
  await browser.logIn('admin');
  assert.notEqual(browser.cookies.get('holdfast_session'), first, 'each login has its own');
  thief.cookies.set('holdfast_session', browser.cookies.get('holdfast_session') ?? '');
  assert.ok(await isIn(thief));
  assert.equal((await browser.send('/logout')).headers.get('location'), '/login?out=1');
  assert.equal(await isIn(thief), false, 'it ended on the server too');
  const idle = await admin.as('admin');
  for (let hour = 0; hour < 23; hour++) {
    admin.clock.advance(60 * minuteMs);
    assert.ok(await isIn(idle), `after ${hour + 1} h`);
  }
  admin.clock.advance(60 * minuteMs);
  assert.equal(await isIn(idle), false, 'after a day, however it was used');
  const left = await admin.as('admin');
  admin.clock.advance(120 * minuteMs);
  assert.equal(await isIn(left), false, 'after two hours without a request');
  const [mine, elsewhere] = [await admin.as('admin'), await admin.as('admin')];
  const next = 'another long password';
  const change = (current: string) => mine.send('/account/password', { current, password: next, repeat: next });
  assert.equal((await change('wrong')).status, 401);
  assert.equal((await change(password)).status, 200);
  assert.deepEqual([await isIn(mine), await isIn(elsewhere)], [true, false]);
});

test('cookies are for https alone where the admin is seen by it', async (t) => {
  const admin = await openTestAdmin(t, { origin: 'https://backups.test', basePath: '/b' });
  const first = await admin.browser().ask('/b/login');
  assert.match(
    first.headers.getSetCookie()[0] ?? '',
    /^__Secure-holdfast_visit=[\w-]{43}; Path=\/b; HttpOnly; Secure; SameSite=Lax$/,
  );
  const alone = await openTestAdmin(t, { origin: 'https://backups.test' });
  const second = await alone.browser().ask('/login');
  assert.match(second.headers.getSetCookie()[0] ?? '', /^__Host-holdfast_visit=/);
});

test('a user who is not there costs the same work, and gets the same answer', async (t) => {
  const admin = await openTestAdmin(t);
  const { store } = admin.opened;
  const asked: string[] = [];
  const verify = store.passwords.verify.bind(store.passwords);
  store.passwords.verify = async (phc, given) => {
    asked.push(phc.replace(/\$[^$]+\$[^$]+$/, ''));
    return await verify(phc, given);
  };
  await store.users.add({ name: 'new', role: 'viewer', password: null, created_ms: 0 });
  const answers: string[] = [];
  for (const name of ['admin', 'nobody', 'new', '../odd name', '']) {
    const response = await admin.browser().logIn(name, 'a wrong password');
    const html = await response.text();
    answers.push(`${response.status} ${html.replace(/value="[^"]*"/g, '')}`.replace(/request \w+/gi, ''));
  }
  assert.equal(asked.length, 5);
  assert.equal(new Set(asked).size, 1, 'the same function at the same cost');
  assert.equal(new Set(answers).size, 1);
  assert.match(answers[0] ?? '', /^401 /);
});

test('guessing is slowed down: by name and address, by address, and by name', async (t) => {
  const admin = await openTestAdmin(t);
  const browser = admin.browser();
  const csrf = await browser.csrf('/login');
  const tryOnce = async (name: string, address: string, given = 'a wrong password') => {
    return (await browser.ask('/login', { form: { csrf, name, password: given }, address })).status;
  };
  for (let count = 0; count < 10; count++) assert.equal(await tryOnce('admin', '192.0.2.7'), 401);
  assert.equal(await tryOnce('admin', '192.0.2.7', password), 429, 'the right one too');
  assert.equal(await tryOnce('nobody', '192.0.2.7'), 401);
  assert.equal(await tryOnce('admin', '192.0.2.8', password), 303, 'who comes from elsewhere is not locked out');
  const together = await Promise.all(Array.from({ length: 20 }, () => tryOnce('viewer', '192.0.2.9')));
  assert.equal(together.filter((status) => status === 401).length, 10, 'many at once are no way around');
  for (let count = 0; count < 60; count++) await tryOnce(`user${count}`, '192.0.2.10');
  assert.equal(await tryOnce('one-more', '192.0.2.10'), 429);
  admin.clock.advance(15 * minuteMs);
  assert.equal(await tryOnce('admin', '192.0.2.7', password), 303, 'a quarter of an hour later');
  for (let count = 0; count < 100; count++) await tryOnce('viewer', `198.51.100.${count}`);
  assert.equal(await tryOnce('viewer', '203.0.113.1'), 429);
});

test('the second factor: turned on with a code, asked for, taken once, and replaced by a recovery code', async (t) => {
  const admin = await openTestAdmin(t);
  const { store } = admin.opened;
  const browser = await admin.as('admin');
  const begun = await (await browser.send('/account/factor/begin', { current: password })).text();
  const secret = /<code>((?:[A-Z2-7]{4} ?){8})<\/code>/.exec(begun)?.[1]?.replaceAll(' ', '') ?? '';
  const code = () => codeAt(fromBase32(secret), codeStep(admin.clock.nowMs()));
  assert.equal((await browser.send('/account/factor/begin', { current: 'wrong' })).status, 401);
  const wrong = await browser.send('/account/factor/confirm', { code: '000000' });
  assert.match(await wrong.text(), /access\.wrong_login/);
  assert.equal((await store.users.find('admin'))?.totp_secret, null);
  const confirmed = await (await browser.send('/account/factor/confirm', { code: code() })).text();
  const recovery = /<pre[^>]*>([^<]+)<\/pre>/.exec(confirmed)?.[1]?.split('\n') ?? [];
  assert.equal(recovery.length, 10);
  assert.ok(await isIn(browser));

  const second = admin.browser();
  const first = await second.logIn('admin');
  assert.match(first.headers.get('location') ?? '', /^\/login\/code/);
  assert.equal(await isIn(second), false, 'the password is not enough');
  const enter = (given: string) => second.send('/login/code', { code: given }, '/login/code');
  assert.equal((await enter(code())).status, 401, 'the code that confirmed it was taken');
  admin.clock.advance(30_000);
  const waiting = second.cookies.get('holdfast_session');
  assert.equal((await enter(code())).status, 303);
  assert.notEqual(second.cookies.get('holdfast_session'), waiting, 'a session of its own');
  assert.ok(await isIn(second));

  const third = admin.browser();
  const login = async () => {
    await third.logIn('admin');
    return await third.send('/login/code', { code: recovery[0] ?? '' }, '/login/code');
  };
  assert.equal((await login()).status, 303);
  assert.ok(await isIn(third));
  await third.send('/logout');
  assert.equal((await login()).status, 401, 'each works once');
  for (let count = 0; count < 6; count++) await third.send('/login/code', { code: '1' }, '/login/code');
  const late = await third.send('/login/code', { code: code() }, '/login/code');
  assert.equal(late.headers.get('location'), '/login', 'too many: the password is asked for again');
  await browser.send('/account/factor/end', { current: password });
  assert.equal((await store.users.find('admin'))?.totp_secret, null);
});

async function historyHolds(folder: string, text: string): Promise<boolean> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('history'));
  const files = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')));
  return files.some((bytes) => bytes.includes(text));
}

test('second factors are sealed in the history, with a key that lies beside it', async (t) => {
  const admin = await openTestAdmin(t);
  const { store } = admin.opened;
  const folder = join(admin.folder, '.holdfast');
  const path = join(folder, 'web.key');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const factor = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
  const recovery = 'AAAABBBBCCCCDDDD';
  // As earlier versions wrote it.
  const row = {
    totp_secret: factor,
    totp_pending: factor,
    recovery_codes: JSON.stringify([recoveryCodeHash(recovery)]),
  };
  await store.users.change('admin', row);
  const isInFiles = () => historyHolds(folder, factor);
  assert.equal(await isInFiles(), true);
  const reopen = async (logged: string[] = [], config: object = {}) => {
    await writeFile(join(admin.folder, 'holdfast.config.json'), JSON.stringify({ files: ['photos'], ...config }));
    const opened = await openAdmin({
      folder: admin.folder,
      clock: admin.clock,
      environment: {},
      passwordCost: cheap,
      log: (text) => logged.push(text),
    });
    t.after(() => opened.close());
    return opened;
  };
  const sealed = async () => (await store.users.find('admin'))?.totp_secret ?? '';
  const enter = async (opened: OpenedAdmin, code: string) => {
    const browser = new TestBrowser({ ...admin, opened });
    await browser.logIn('admin');
    return await browser.send('/login/code', { code }, '/login/code');
  };
  const code = () => {
    admin.clock.advance(30_000);
    return codeAt(fromBase32(factor), codeStep(admin.clock.nowMs()));
  };
  const migrated = await reopen();
  assert.match(await sealed(), /^sealed1:/);
  assert.equal(await isInFiles(), false, 'nor in free pages, nor in the log of changes');
  assert.equal((await enter(migrated, code())).status, 303);
  const before = await sealed();
  await reopen([], { web: { secret: 'x'.repeat(32) } });
  assert.notEqual(await sealed(), before, 'sealed anew with the secret of the configuration');
  await rm(path);
  assert.equal(
    (await enter(await reopen([], { web: { secret: ['y'.repeat(32), 'x'.repeat(32)] } }), code())).status,
    303,
  );
  const logged: string[] = [];
  const locked = await reopen(logged);
  assert.match(logged.join(), /2 second factors cannot be opened: their key is not here/);
  assert.equal(
    await readdir(folder).then((names) => names.includes('web.key')),
    false,
    'none is made that would hide it',
  );
  const refused = await enter(locked, code());
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /recovery codes work meanwhile/);
  assert.equal((await enter(locked, recovery)).status, 303);
  await writeFile(path, 'short\n');
  await assert.rejects(reopen(), { code: 'config.invalid', message: /holds no key/ });
});

test('users are added by a link, and one admin stays', async (t) => {
  const admin = await openTestAdmin(t);
  const browser = await admin.as('admin');
  const added = await (await browser.send('/users', { name: 'bert', role: 'operator' })).text();
  const link = /http:\/\/admin\.test(\/setup\/[\w-]{43})/.exec(added)?.[1] ?? '';
  const bert = admin.browser();
  await bert.send(link, { password: 'the password of bert', repeat: 'the password of bert' }, link);
  assert.equal((await bert.logIn('bert', 'the password of bert')).status, 303);
  assert.equal((await browser.send('/users', { name: 'bert', role: 'viewer' })).status, 409);
  assert.equal((await browser.send('/users/admin/role', { role: 'viewer' })).status, 409);
  assert.equal((await browser.send('/users/admin/remove')).status, 409);
  assert.equal((await browser.send('/users/bert/role', { role: 'admin' })).status, 200);
  assert.equal((await bert.ask('/users')).status, 200, 'at once');
  assert.equal((await browser.send('/users/bert/remove')).status, 200);
  assert.equal(await isIn(bert), false);
  const actions = await actionsOf(admin);
  for (const action of [
    'admin: log in: done',
    'admin: add a user: done',
    'bert: set a password by a link: done',
    'admin: remove a user: done',
    'admin: change a role: request.conflict',
  ]) {
    assert.ok(actions.includes(action), action);
  }
  const audit = await (await browser.ask('/audit')).text();
  assert.match(audit, /192\.0\.2\.1/);
});

test('the host application says who it is, and a form needs its token all the same', async (t) => {
  const authorize = (request: Request) => {
    const role = request.headers.get('x-test-role');
    return role === null ? undefined : ({ name: 'host', role: role as 'admin' } as const);
  };
  const admin = await openTestAdmin(t, { authorize });
  assert.equal(admin.opened.setupPath, undefined);
  const browser = admin.browser();
  assert.equal((await browser.ask('/')).status, 401);
  assert.equal((await browser.ask('/login')).status, 404, 'there is no login of ours');
  const headers = { 'x-test-role': 'operator' };
  const page = await (await browser.ask('/account', { headers })).text();
  const csrf = /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
  assert.match(page, /host/);
  assert.equal((await browser.ask('/api/v1/archives/refresh', { headers, method: 'POST' })).status, 403);
  assert.equal(
    (await browser.ask('/api/v1/archives/refresh', { headers: { ...headers, 'x-csrf-token': csrf }, method: 'POST' }))
      .status,
    200,
  );
  assert.equal((await browser.ask('/api/v1/users', { headers })).status, 403);
});

test('a proxy says who it is, where it is the proxy', async (t) => {
  const trustedProxy = { userHeader: 'x-user', roleHeader: 'x-role' };
  const admin = await openTestAdmin(t, { trustedProxy, proxyAddresses: ['10.0.0.0/8', '::1'] });
  const ask = async (headers: Record<string, string>, address: string) =>
    await (await admin.browser().ask('/api/v1/me', { headers, address })).json();
  const user = { 'x-user': 'Carla', 'x-role': 'operator' };
  const { name, role } = (await ask(user, '10.1.2.3')) as { name: string; role: string };
  assert.deepEqual([name, role], ['carla', 'operator']);
  assert.equal(
    ((await ask({ 'x-user': 'carla', 'x-role': 'owner' }, '::ffff:10.1.2.3')) as { role: string }).role,
    'viewer',
  );
  for (const address of ['192.0.2.1', '', '::2']) {
    const answer = (await ask(user, address)) as { error: { code: string } };
    assert.equal(answer.error.code, 'access.unauthenticated', address);
  }
  const { error } = (await ask({ 'x-user': '' }, '10.1.2.3')) as { error: { code: string } };
  assert.equal(error.code, 'access.unauthenticated');
});

test('of forwarding headers only those of a proxy count', async (t) => {
  const admin = await openTestAdmin(t, { proxyAddresses: ['10.0.0.1'] });
  const addressOf = async (forwarded: string, address: string) => {
    const browser = admin.browser();
    const csrf = await browser.csrf('/login');
    const headers = { 'x-forwarded-for': forwarded };
    await browser.ask('/login', { form: { csrf, name: 'nobody', password: 'x' }, headers, address });
    const { items } = await admin.opened.store.audit.list({ offset: 0, limit: 1 });
    admin.clock.advance(1000);
    return items[0]?.address;
  };
  assert.equal(
    await addressOf('198.51.100.1, 198.51.100.2', '10.0.0.1'),
    '198.51.100.2',
    'what the proxy itself heard',
  );
  assert.equal(await addressOf('198.51.100.1', '192.0.2.5'), '192.0.2.5');
  assert.equal(await addressOf('no address', '10.0.0.1'), '10.0.0.1');
});

test('passwords wait their turn, and too many are sent away', async (t) => {
  const { opened } = await openTestAdmin(t);
  const { passwords } = opened.store;
  const hash = await passwords.hash(new Secret(password));
  const all = await Promise.allSettled(Array.from({ length: 50 }, () => passwords.verify(hash, new Secret(password))));
  const done = all.filter((one) => one.status === 'fulfilled' && one.value);
  assert.ok(done.length >= 34, `${done.length}`);
  assert.ok(all.some((one) => one.status === 'rejected' && one.reason.code === 'access.limited'));
  assert.equal(await passwords.verify(hash, new Secret('another one')), false);
});

test('a configuration that is missing is told in the log, not to everybody', async () => {
  const logged: string[] = [];
  const handler = createHandler({ folder: '/nowhere/at/all', log: (text) => logged.push(text) });
  const response = await handler(new Request('http://admin.test/'));
  assert.equal(response.status, 503);
  assert.equal((await response.text()).includes('nowhere'), false);
  assert.match(logged.join('\n'), /cannot be opened/);
  await assert.rejects(handler.ready(), { code: 'config.not_found' });
  await handler.close();
});
