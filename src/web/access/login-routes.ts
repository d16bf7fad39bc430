import { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { layout } from '../views/layout.ts';
import type { Markup } from '../views/markup.ts';
import type { AccessContext, AccessEnvironment } from './access-environment.ts';
import type { AccessStore } from './access-store.ts';
import { accessTexts } from './access-texts.ts';
import { codeView, loginView, setupView } from './access-views.ts';
import { readCookie, writeCookie } from './cookies.ts';
import { enterCode, logIn, userNameOf } from './log-in.ts';
import { newToken, tokenHash } from './secret-token.ts';

const linkLastsMs = 24 * 3_600_000;

/** An error of a form, with the status that the page then has. */
export function shownError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError && /^(access|request)\./.test(thrown.code)) return thrown;
  throw thrown;
}

/** A whole page that nobody is logged in for. */
function bare(context: AccessContext, title: string, body: Markup, status = 200) {
  const { basePath, csrfToken } = context.var;
  return context.html(layout({ title, variables: { basePath, csrfToken }, body }), status as 200);
}

/** Where somebody goes who is let in: a path of the admin, nowhere else. */
export function nextPath(context: AccessContext, text: string | undefined): string {
  const { basePath } = context.var;
  const home = `${basePath}/`;
  if (text === undefined || !/^\/(?![/\\])[\x21-\x7e]*$/.test(text) || text.includes('\\')) return home;
  const { origin, pathname, search } = new URL(text, 'http://admin.invalid');
  // What `..` leaves over may begin with two slashes, which means another host.
  const isOurs = origin === 'http://admin.invalid' && pathname.startsWith(home) && !pathname.startsWith('//');
  return isOurs ? `${pathname}${search}` : home;
}

/** A link that lets somebody set his password, once; without a name it makes the first admin. Gives its token. */
export async function makeSetupLink(store: AccessStore, userName: string | null): Promise<string> {
  const token = newToken(store.random);
  const expiresMs = store.clock.nowMs() + linkLastsMs;
  await store.links.add({ token_hash: tokenHash(token), user_name: userName, expires_ms: expiresMs });
  return token;
}

/** The ways in: name and password, the code, and the link that sets a password. */
export function loginRoutes(store: AccessStore): Hono<AccessEnvironment> {
  const app = new Hono<AccessEnvironment>();
  const field = (context: AccessContext, name: string) => context.var.form?.get(name) ?? '';
  app.get('/login', (context) => {
    const given = { next: context.req.query('next') ?? '', name: '' };
    const done = context.req.query('out') === '1' ? accessTexts.login.ended : undefined;
    return bare(context, accessTexts.login.title, loginView(context.var, { ...given, done }));
  });
  app.post('/login', async (context) => {
    const [name, next] = [field(context, 'name'), field(context, 'next')];
    try {
      const { address } = context.var;
      const { token, needsCode } = await logIn(store, {
        name,
        password: new Secret(field(context, 'password')),
        address,
      });
      writeCookie(context, 'session', token);
      const path = nextPath(context, next);
      if (!needsCode) return context.redirect(path, 303);
      return context.redirect(`${context.var.basePath}/login/code?next=${encodeURIComponent(path)}`, 303);
    } catch (thrown) {
      const error = shownError(thrown);
      return bare(context, accessTexts.login.title, loginView(context.var, { error, next, name }), error.httpStatus);
    }
  });
  app.get('/login/code', (context) => {
    const next = context.req.query('next') ?? '';
    return bare(context, accessTexts.login.codeTitle, codeView(context.var, { next }));
  });
  app.post('/login/code', async (context) => {
    const next = field(context, 'next');
    try {
      const { address } = context.var;
      const code = field(context, 'code');
      const { token } = await enterCode(store, { token: readCookie(context, 'session') ?? '', code, address });
      writeCookie(context, 'session', token);
      return context.redirect(nextPath(context, next), 303);
    } catch (thrown) {
      const error = shownError(thrown);
      // Both can be tried again here, the second with a recovery code.
      const stays = ['access.wrong_login', 'access.factor_locked'].includes(error.code);
      if (!stays) return context.redirect(`${context.var.basePath}/login`, 303);
      return bare(context, accessTexts.login.codeTitle, codeView(context.var, { error, next }), error.httpStatus);
    }
  });
  addSetup(app, store, field);
  return app;
}

type Field = (context: AccessContext, name: string) => string;

function addSetup(app: Hono<AccessEnvironment>, store: AccessStore, field: Field): void {
  const findLink = async (token: string) => {
    const link = await store.links.find(tokenHash(token), store.clock.nowMs());
    // A link for the first admin is worth nothing once there is one.
    if (link === undefined || (link.user_name === null && (await store.users.hasAdmin()))) {
      throw new HoldfastError('access.link_used');
    }
    return link;
  };
  app.get('/setup/:token', async (context) => {
    const token = context.req.param('token');
    const { user_name: userName } = await findLink(token);
    return bare(context, accessTexts.setup.firstTitle, setupView(context.var, { token, userName }));
  });
  app.post('/setup/:token', async (context) => {
    const token = context.req.param('token');
    const link = await findLink(token);
    try {
      await usePassword(store, context, { link, token, field });
      const view = loginView(context.var, { next: '', name: '', done: accessTexts.setup.done });
      return bare(context, accessTexts.login.title, view);
    } catch (thrown) {
      const error = shownError(thrown);
      const view = setupView(context.var, { token, userName: link.user_name, error });
      return bare(context, accessTexts.setup.firstTitle, view, error.httpStatus);
    }
  });
}

/** A password that was typed twice. Throws `request.invalid`. */
export function newPassword(store: AccessStore, form: URLSearchParams | undefined, name: string): Secret {
  const password = new Secret(form?.get('password') ?? '');
  if (password.reveal() !== (form?.get('repeat') ?? '')) {
    throw new HoldfastError('request.invalid', { message: accessTexts.setup.different, hint: '' });
  }
  store.passwords.check(password, name);
  return password;
}

async function usePassword(
  store: AccessStore,
  context: AccessContext,
  {
    link,
    token,
    field,
  }: { readonly link: { readonly user_name: string | null }; readonly token: string; readonly field: Field },
): Promise<void> {
  const name = link.user_name ?? userNameOf(field(context, 'name'));
  if (name === undefined) {
    throw new HoldfastError('request.invalid', { message: accessTexts.users.badName, hint: 'such as anna' });
  }
  const hash = await store.passwords.hash(newPassword(store, context.var.form, name));
  if (!(await store.links.take(tokenHash(token)))) throw new HoldfastError('access.link_used');
  const forgotten = { totp_secret: null, totp_pending: null, totp_step: null, recovery_codes: null };
  const user = { name, role: 'admin', password: hash, created_ms: store.clock.nowMs() };
  const isNew = link.user_name === null && (await store.users.add(user));
  if (!isNew)
    await store.users.change(name, {
      password: hash,
      ...forgotten,
      ...(link.user_name === null ? { role: 'admin' } : {}),
    });
  await store.sessions.removeOthers(name, undefined);
  await store.record({ name }, context.var.address, { action: 'set a password by a link' });
}
