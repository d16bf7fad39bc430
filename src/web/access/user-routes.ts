import { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import { layout } from '../views/layout.ts';
import type { AccessContext, AccessEnvironment } from './access-environment.ts';
import type { AccessStore } from './access-store.ts';
import { accessTexts } from './access-texts.ts';
import { auditView, usersView } from './access-views.ts';
import { userNameOf } from './log-in.ts';
import { makeSetupLink, shownError } from './login-routes.ts';
import { asRole, requireRole } from './roles.ts';

const { users: texts } = accessTexts;
const auditPageSize = 100;

/** Somebody whom a link was made for. */
interface MadeLink {
  readonly name: string;
  readonly token: string;
}

/** Adds a user without a password; the link lets him set one. Throws `request.invalid`, `request.conflict`. */
export async function addUser(store: AccessStore, name: string, role: string): Promise<MadeLink> {
  const userName = userNameOf(name);
  const given = asRole(role);
  if (userName === undefined || given === undefined) {
    throw new HoldfastError('request.invalid', { message: texts.badName, hint: 'such as anna' });
  }
  const user = { name: userName, role: given, password: null, created_ms: store.clock.nowMs() };
  if (!(await store.users.add(user))) throw new HoldfastError('request.conflict', { message: texts.taken, hint: '' });
  return { name: userName, token: await makeSetupLink(store, userName) };
}

/** Changes what a user may do. Throws `request.conflict` where nobody could administer any more. */
export async function changeRole(store: AccessStore, name: string, role: string): Promise<void> {
  const given = asRole(role);
  if (given === undefined) throw new HoldfastError('request.invalid', { message: 'there is no such role' });
  await requireUser(store, name);
  if (given !== 'admin') await requireOtherAdmin(store, name);
  await store.users.change(name, { role: given });
}

/** Removes a user with his sessions and tokens. Throws `request.conflict` where nobody could administer any more. */
export async function removeUser(store: AccessStore, name: string): Promise<void> {
  await requireUser(store, name);
  await requireOtherAdmin(store, name);
  await store.users.remove(name);
}

async function requireUser(store: AccessStore, name: string): Promise<void> {
  if ((await store.users.find(name)) === undefined) throw new HoldfastError('request.not_found');
}

async function requireOtherAdmin(store: AccessStore, name: string): Promise<void> {
  if (await store.users.hasOtherAdmin(name)) return;
  throw new HoldfastError('request.conflict', { message: texts.lastAdmin, hint: 'make another admin first' });
}

/** Where the admin is seen from outside. */
export function publicUrl(context: AccessContext, origin: string | undefined): string {
  return `${origin ?? new URL(context.req.url).origin}${context.var.basePath}`;
}

/** Users, for admins. */
export function userRoutes(store: AccessStore, origin: string | undefined): Hono<AccessEnvironment> {
  const app = new Hono<AccessEnvironment>();
  type Told = Partial<Pick<Parameters<typeof usersView>[1], 'error' | 'done'>> & {
    readonly made?: MadeLink | undefined;
  };
  const show = async (context: AccessContext, { made, ...told }: Told = {}, status = 200) => {
    const link = made && { name: made.name, url: `${publicUrl(context, origin)}/setup/${made.token}` };
    const given = { ...told, link, users: await store.users.list(), nowMs: store.clock.nowMs() };
    return context.html(
      layout({ title: texts.title, section: 'settings', variables: context.var, body: usersView(context.var, given) }),
      status as 200,
    );
  };
  const post = (
    path: string,
    action: string,
    work: (context: AccessContext, name: string) => Promise<MadeLink | undefined>,
  ) => {
    app.post(path, async (context) => {
      const { user, address } = context.var;
      requireRole(user, 'admin');
      const subject = context.req.param('name') ?? context.var.form?.get('name') ?? '';
      try {
        const made = await work(context, subject);
        await store.record(user, address, { action, subject });
        return await show(context, { made });
      } catch (thrown) {
        const error = shownError(thrown);
        await store.record(user, address, { action, subject, outcome: error.code });
        return await show(context, { error }, error.httpStatus);
      }
    });
  };
  app.get('/users', async (context) => {
    requireRole(context.var.user, 'admin');
    return await show(context);
  });
  post('/users', 'add a user', (context, name) => addUser(store, name, context.var.form?.get('role') ?? ''));
  post('/users/:name/role', 'change a role', async (context, name) => {
    await changeRole(store, name, context.var.form?.get('role') ?? '');
    return undefined;
  });
  post('/users/:name/link', 'make a link for a password', async (_, name) => {
    await requireUser(store, name);
    return { name, token: await makeSetupLink(store, name) };
  });
  post('/users/:name/remove', 'remove a user', async (_, name) => {
    await removeUser(store, name);
    return undefined;
  });
  return app;
}

/** The audit log, for admins. */
export function auditRoutes(store: AccessStore): Hono<AccessEnvironment> {
  const app = new Hono<AccessEnvironment>();
  app.get('/audit', async (context) => {
    requireRole(context.var.user, 'admin');
    const page = Math.max(1, Math.min(1e6, Math.trunc(Number(context.req.query('page') ?? 1)) || 1));
    const found = await store.audit.list({ offset: (page - 1) * auditPageSize, limit: auditPageSize });
    const body = auditView(context.var, { ...found, page, pageSize: auditPageSize });
    return context.html(layout({ title: accessTexts.audit.title, section: 'settings', variables: context.var, body }));
  });
  return app;
}
