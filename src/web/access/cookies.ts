import { getCookie, setCookie } from 'hono/cookie';
import type { Random } from '../../random.ts';
import type { AccessContext } from './access-environment.ts';
import { newToken } from './secret-token.ts';

const names = { session: 'holdfast_session', visit: 'holdfast_visit' } as const;

/** A cookie of ours: `session` says who somebody is, `visit` only that his forms came from here. */
export type CookieKind = keyof typeof names;

/** Over https a cookie is bound to it, and to this very host where the admin has it to itself. */
function prefixOf(context: AccessContext): 'host' | 'secure' | undefined {
  if (!context.var.isSecure) return undefined;
  return context.var.basePath === '' ? 'host' : 'secure';
}

/** The value of a cookie; undefined where there is none. */
export function readCookie(context: AccessContext, kind: CookieKind): string | undefined {
  const prefix = prefixOf(context);
  const value = prefix === undefined ? getCookie(context, names[kind]) : getCookie(context, names[kind], prefix);
  return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
}

/** Sets a cookie, or with an empty value removes it. It ends with the browser. */
export function writeCookie(context: AccessContext, kind: CookieKind, value: string): void {
  const prefix = prefixOf(context);
  const { basePath, isSecure } = context.var;
  setCookie(context, names[kind], value, {
    path: basePath === '' ? '/' : basePath,
    httpOnly: true,
    sameSite: 'Lax',
    secure: isSecure,
    ...(prefix && { prefix }),
    ...(value === '' ? { maxAge: 0 } : {}),
  });
}

/** The cookie that forms are bound to where nobody is logged in by us; made where it is missing. */
export function visitCookie(context: AccessContext, random: Random): string {
  const found = readCookie(context, 'visit');
  if (found !== undefined) return found;
  const made = newToken(random);
  writeCookie(context, 'visit', made);
  return made;
}
