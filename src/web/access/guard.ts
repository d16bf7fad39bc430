import type { MiddlewareHandler } from 'hono';
import { systemWait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { readWhole } from '../security/read-body.ts';
import { setSecurityHeaders } from '../security/security-headers.ts';
import type { AccessContext, AccessEnvironment, AccessOptions } from './access-environment.ts';
import type { AccessStore } from './access-store.ts';
import { visitCookie } from './cookies.ts';
import { describeClient, recognize } from './recognize.ts';
import { requireRole } from './roles.ts';
import { csrfTokenOf, isSameText } from './secret-token.ts';
import { rememberAddress } from './user-address.ts';

type Guard = MiddlewareHandler<AccessEnvironment>;

const formLimits = { maximumBytes: 256 * 1024, idleTimeoutMs: 15_000, totalTimeoutMs: 30_000 } as const;
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** What is open to everybody; all else needs a user. */
export const publicRoutes: readonly { readonly method: string; readonly path: RegExp }[] = [
  { method: 'GET', path: /^\/assets\/[^/]+\/[^/]+$/ },
  { method: 'GET', path: /^\/login$/ },
  { method: 'POST', path: /^\/login$/ },
  { method: 'GET', path: /^\/login\/code$/ },
  { method: 'POST', path: /^\/login\/code$/ },
  { method: 'GET', path: /^\/setup\/[^/]+$/ },
  { method: 'POST', path: /^\/setup\/[^/]+$/ },
];

/** What a user of the least role may send: his own account. */
const ownRoutes = /^\/(logout$|account(\/|$))/;

/** What is read as it comes, by its own route, with limits of its own. */
export const streamedRoutes: readonly {
  readonly method: string;
  readonly path: RegExp;
  readonly formHasToken: boolean;
}[] = [
  { method: 'PATCH', path: /^\/api\/v1\/uploads\/[^/]+$/, formHasToken: false },
  // Its first field is the token, which the route checks before it takes anything else.
  { method: 'POST', path: /^\/uploads$/, formHasToken: true },
];

/** The path below the one that the admin is mounted under. */
export function pathBelow(context: AccessContext): string {
  const path = context.req.path.slice(context.var.basePath.length);
  return path === '' ? '/' : path;
}

/** Whether the path is one of the admin at all. */
function isBelow({ req: { path }, var: { basePath } }: AccessContext): boolean {
  return path === basePath || path.startsWith(`${basePath}/`);
}

function isPublic(context: AccessContext): boolean {
  const { method } = context.req;
  const path = pathBelow(context);
  return publicRoutes.some(
    (route) => (route.method === method || (method === 'HEAD' && route.method === 'GET')) && route.path.test(path),
  );
}

/** Lays down who asks and from where, sets the headers of every answer, and lets nobody through to what needs a user. */
export function guard(store: AccessStore, options: AccessOptions): Guard {
  return async (context, next) => {
    const { address, isSecure } = describeClient(context, options);
    context.set('basePath', options.basePath);
    context.set('requestId', store.newId());
    context.set('address', address);
    context.set('isSecure', isSecure);
    context.set('wait', options.wait ?? systemWait);
    try {
      if (!isBelow(context)) throw new HoldfastError('request.not_found');
      await admit(context, store, options);
      await next();
      // Nobody reads the body of an answer to HEAD: what makes it has to hear that.
      if (context.req.method === 'HEAD') await context.res.body?.cancel();
    } finally {
      setSecurityHeaders(context.res.headers);
      context.res.headers.set('x-request-id', context.var.requestId);
    }
  };
}

async function admit(context: AccessContext, store: AccessStore, options: AccessOptions): Promise<void> {
  const isOpen = isPublic(context);
  // On the way in nobody is anybody yet: what a cookie of before says does not count.
  const found = isOpen ? undefined : await recognize(context, store, options);
  if (found !== undefined) {
    rememberAddress(found.user, context.var.address);
    for (const [name, value] of Object.entries(found))
      if (value !== undefined) context.set(name as 'user', value as never);
  } else if (isOpen) {
    if (pathBelow(context).startsWith('/assets/')) return;
    context.set('csrfToken', csrfTokenOf(visitCookie(context, store.random), ''));
  } else throw new HoldfastError('access.unauthenticated');
  // The scopes of a token say nothing of pages, where it could make others that outlive it.
  if (found?.way === 'token' && !pathBelow(context).startsWith('/api/v1/')) {
    throw new HoldfastError('access.forbidden', {
      message: 'a token is for the API alone',
      hint: 'see /api/v1/openapi.json',
    });
  }
  if (safeMethods.has(context.req.method)) return;
  if (context.req.header('sec-fetch-site') === 'cross-site') throw new HoldfastError('access.forged');
  const streamed = streamedRoutes.find(
    ({ method, path }) => method === context.req.method && path.test(pathBelow(context)),
  );
  if (streamed === undefined) await readForm(context);
  if (found?.way !== 'token' && streamed?.formHasToken !== true) checkCsrf(context);
  // The pages and the API say what more they need; less than this nobody may send anything with.
  if (found !== undefined && !ownRoutes.test(pathBelow(context))) requireRole(found.user, 'operator');
}

/** Reads a small body before anything is done, so that no one waits for it half-way. */
async function readForm(context: AccessContext): Promise<void> {
  const bytes = await readWhole(context.req.raw, { ...formLimits, wait: context.var.wait });
  const { url, method, headers, signal } = context.req.raw;
  context.req.raw = new Request(url, { method, headers, signal, body: bytes.length > 0 ? bytes : null });
  if (!/^application\/x-www-form-urlencoded\b/i.test(context.req.header('content-type') ?? '')) return;
  context.set('form', new URLSearchParams(new TextDecoder().decode(bytes)));
}

/** Throws `access.forged` where what is sent does not hold the token of this session. */
export function checkCsrf(context: AccessContext, given?: string): void {
  const sent = given ?? context.req.header('x-csrf-token') ?? context.var.form?.get('csrf') ?? '';
  if (sent === '' || !isSameText(sent, context.var.csrfToken)) throw new HoldfastError('access.forged');
}
