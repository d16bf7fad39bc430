import { Hono } from 'hono';
import { HoldfastError } from '../../errors.ts';
import { layout } from '../views/layout.ts';
import type { WebUser } from '../web-environment.ts';
import type { AccessContext, AccessEnvironment } from './access-environment.ts';
import type { AccessStore } from './access-store.ts';
import { accessTexts } from './access-texts.ts';
import { tokensView } from './access-views.ts';
import { shownError } from './login-routes.ts';
import { isAllowed, requireRole } from './roles.ts';
import { readScopes, roleOfScope } from './scopes.ts';
import { newToken, tokenHash } from './secret-token.ts';

const { tokens: texts } = accessTexts;
const dayMs = 86_400_000;
/** What leaks of it is found by those who look for such. */
const prefix = 'hfat_';
const mostOfOneUser = 100;

/** Makes a token; it is told once. Throws `request.invalid`, `access.forbidden` for a scope that the user's role has no use for. */
export async function makeApiToken(
  store: AccessStore,
  user: WebUser,
  given: { readonly label: string; readonly scopes: string; readonly days: number },
): Promise<{ readonly id: string; readonly token: string; readonly expiresMs: number }> {
  const scopes = readScopes(given.scopes);
  const label = given.label.trim();
  const problem =
    scopes.length === 0
      ? texts.none
      : label === '' || label.length > 100
        ? 'say what it is for, in 100 characters at most'
        : !Number.isInteger(given.days) || given.days < 1 || given.days > 365
          ? 'it expires in 1 to 365 days'
          : (await store.tokens.list(user.name)).length >= mostOfOneUser
            ? `there are ${mostOfOneUser} already: revoke some`
            : undefined;
  if (problem !== undefined) throw new HoldfastError('request.invalid', { message: problem });
  for (const scope of scopes) requireRole(user, roleOfScope[scope]);
  const token = `${prefix}${newToken(store.random)}`;
  const nowMs = store.clock.nowMs();
  const id = store.newId();
  const expiresMs = nowMs + given.days * dayMs;
  await store.tokens.add({
    id,
    token_hash: tokenHash(token),
    label,
    user_name: user.name,
    role: user.role,
    scopes: scopes.join(' '),
    created_ms: nowMs,
    expires_ms: expiresMs,
  });
  return { id, token, expiresMs };
}

/** Tokens of the API: one's own, of an admin all. */
export function tokenRoutes(store: AccessStore): Hono<AccessEnvironment> {
  const app = new Hono<AccessEnvironment>();
  type Told = Partial<Pick<Parameters<typeof tokensView>[1], 'error' | 'done' | 'made'>>;
  const ownerOf = ({ var: { user } }: AccessContext) => (isAllowed(user.role, 'admin') ? undefined : user.name);
  const show = async (context: AccessContext, told: Told = {}, status = 200) => {
    const tokens = await store.tokens.list(ownerOf(context));
    const body = tokensView(context.var, { ...told, tokens, nowMs: store.clock.nowMs() });
    return context.html(layout({ title: texts.title, variables: context.var, body }), status as 200);
  };
  app.get('/account/tokens', (context) => show(context));
  app.post('/account/tokens', async (context) => {
    const { user, address, form } = context.var;
    const [label, scopes] = [form?.get('label') ?? '', (form?.getAll('scope') ?? []).join(' ')];
    try {
      const { token } = await makeApiToken(store, user, { label, scopes, days: Number(form?.get('days') ?? 90) });
      await store.record(user, address, { action: 'make a token', subject: `${label}: ${scopes}` });
      return await show(context, { made: token });
    } catch (thrown) {
      const error = shownError(thrown);
      await store.record(user, address, { action: 'make a token', subject: label, outcome: error.code });
      return await show(context, { error }, error.httpStatus);
    }
  });
  app.post('/account/tokens/:id/remove', async (context) => {
    const { user, address } = context.var;
    const id = context.req.param('id');
    const isRemoved = await store.tokens.remove(id, ownerOf(context));
    if (!isRemoved) throw new HoldfastError('request.not_found');
    await store.record(user, address, { action: 'revoke a token', subject: id });
    return await show(context, { done: texts.revoked });
  });
  return app;
}
