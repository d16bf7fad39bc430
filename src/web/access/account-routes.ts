import { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import type { UserTable } from '../../history/access/access-schema.ts';
import { Secret } from '../../secret.ts';
import { layout } from '../views/layout.ts';
import type { AccessContext, AccessEnvironment } from './access-environment.ts';
import type { AccessStore } from './access-store.ts';
import { accessTexts } from './access-texts.ts';
import { accountView } from './access-views.ts';
import { writeCookie } from './cookies.ts';
import { openSession, recoveryCodeHash } from './log-in.ts';
import { newPassword, shownError } from './login-routes.ts';
import { codeUri, fromBase32, matchingStep, toBase32 } from './one-time-code.ts';
import { csrfTokenOf, tokenHash } from './secret-token.ts';

const recoveryCodeCount = 10;
const { account: texts } = accessTexts;
/** Tries of the present password by somebody who is logged in. */
const confirmTries = 10;
const confirmWindowMs = 15 * 60_000;

type Told = Omit<Parameters<typeof accountView>[1], 'isOurs' | 'hasFactor'>;

/** One's own password, second factor and sessions, and the way out. */
export function accountRoutes(store: AccessStore): Hono<AccessEnvironment> {
  const app = new Hono<AccessEnvironment>();
  const show = async (context: AccessContext, told: Told = {}, status = 200) => {
    const { user, way } = context.var;
    const own = way === 'session' ? await store.users.find(user.name) : undefined;
    const given = { ...told, isOurs: own !== undefined, hasFactor: (own?.totp_secret ?? null) !== null };
    const variables = context.var;
    return context.html(layout({ title: texts.title, variables, body: accountView(variables, given) }), status as 200);
  };
  /** Does something to the own account, and shows it again with what became of it. */
  const post = (path: string, action: string, work: (context: AccessContext, own: UserTable) => Promise<Told>) => {
    app.post(path, async (context) => {
      const own = await ownUser(store, context);
      try {
        const told = await work(context, own);
        await store.record(own, context.var.address, { action });
        return await show(context, told);
      } catch (thrown) {
        const error = shownError(thrown);
        await store.record(own, context.var.address, { action, outcome: error.code });
        return await show(context, { error }, error.httpStatus);
      }
    });
  };
  app.get('/account', (context) => show(context));
  app.post('/logout', async (context) => {
    const { user, address, sessionHash, basePath } = context.var;
    if (sessionHash !== undefined) await store.sessions.remove(sessionHash);
    writeCookie(context, 'session', '');
    await store.record(user, address, { action: 'log out' });
    return context.redirect(sessionHash === undefined ? `${basePath}/` : `${basePath}/login?out=1`, 303);
  });
  post('/account/password', 'change the password', async (context, own) => {
    await confirmPassword(store, context, own);
    const password = await store.passwords.hash(newPassword(store, context.var.form, own.name));
    await store.users.change(own.name, { password });
    await endOtherSessions(store, context, own);
    return { done: texts.changed };
  });
  post('/account/sessions/end', 'log out elsewhere', async (context, own) => {
    await store.sessions.removeOthers(own.name, context.var.sessionHash);
    return { done: texts.sessionsEnded };
  });
  addFactor(post, store);
  return app;
}

type Post = (path: string, action: string, work: (context: AccessContext, own: UserTable) => Promise<Told>) => void;

function addFactor(post: Post, store: AccessStore): void {
  post('/account/factor/begin', 'begin the second factor', async (context, own) => {
    await confirmPassword(store, context, own);
    if (own.totp_secret !== null) throw new HoldfastError('request.conflict', { message: texts.factorOn });
    const secret = toBase32(store.random.bytes(20));
    await store.users.change(own.name, { totp_pending: store.factors.seal(own.name, secret) });
    return { pending: { secret, uri: codeUri(secret, own.name) } };
  });
  post('/account/factor/confirm', 'turn on the second factor', async (context, own) => {
    if (own.totp_pending === null) throw new HoldfastError('request.conflict');
    await countTry(store, own);
    const secret = store.factors.open(own.name, own.totp_pending);
    const step = matchingStep(fromBase32(secret), context.var.form?.get('code') ?? '', store.clock.nowMs());
    if (step === undefined) {
      return { error: new HoldfastError('access.wrong_login'), pending: { secret, uri: codeUri(secret, own.name) } };
    }
    const recoveryCodes = Array.from({ length: recoveryCodeCount }, () =>
      toBase32(store.random.bytes(10)).replace(/.{4}(?=.)/g, '$&-'),
    );
    await store.users.change(own.name, {
      totp_secret: store.factors.seal(own.name, secret),
      totp_pending: null,
      totp_step: step,
      recovery_codes: JSON.stringify(recoveryCodes.map(recoveryCodeHash)),
    });
    await endOtherSessions(store, context, own);
    return { recoveryCodes };
  });
  post('/account/factor/end', 'turn off the second factor', async (context, own) => {
    await confirmPassword(store, context, own);
    const none = { totp_secret: null, totp_pending: null, totp_step: null, recovery_codes: null };
    await store.users.change(own.name, none);
    return {};
  });
}

/** What is known of whoever is logged in by us. Throws `access.forbidden` for others: they have no password here. */
async function ownUser(store: AccessStore, { var: { user, way } }: AccessContext): Promise<UserTable> {
  const own = way === 'session' ? await store.users.find(user.name) : undefined;
  if (own === undefined) throw new HoldfastError('access.forbidden', { message: texts.elsewhere });
  return own;
}

async function countTry(store: AccessStore, own: UserTable): Promise<void> {
  const { count } = await store.attempts.count(`confirm:${own.name}`, store.clock.nowMs(), confirmWindowMs);
  if (count > confirmTries) throw new HoldfastError('access.limited');
}

/** What changes who can log in asks for the password again: a screen that was left open is not enough. */
async function confirmPassword(store: AccessStore, context: AccessContext, own: UserTable): Promise<void> {
  await countTry(store, own);
  const given = new Secret(context.var.form?.get('current') ?? '');
  if (await store.passwords.verify(own.password ?? store.passwords.decoy, given)) {
    await store.attempts.clear([`confirm:${own.name}`]);
    return;
  }
  throw new HoldfastError('access.wrong_login', { message: 'the present password is wrong' });
}

/** Ends every session, and begins a new one here: what was known of the old ones is worth nothing. */
async function endOtherSessions(store: AccessStore, context: AccessContext, own: UserTable): Promise<void> {
  await store.sessions.removeOthers(own.name, undefined);
  const token = await openSession(store, own.name, 'open');
  writeCookie(context, 'session', token);
  context.set('csrfToken', csrfTokenOf(token, own.name));
  context.set('sessionHash', tokenHash(token));
}
