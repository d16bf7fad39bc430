import { html } from 'hono/html';
import { HoldfastError } from '../errors.ts';
import type { AccessContext, AccessOptions } from './access/access-environment.ts';
import { pathBelow } from './access/guard.ts';
import { sharedTexts } from './texts/shared-texts.ts';
import { layout } from './views/layout.ts';
import { errorNotice, pageHead } from './views/parts.ts';

const retryAfterSeconds = 60;

/** Any error as one that may be shown; what is no `HoldfastError` is a defect, and its words are for the log alone. */
function shownError(thrown: unknown, context: AccessContext, log: (text: string) => void): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  log(`request ${context.var.requestId}: ${context.req.method} ${context.req.path}: ${text}`);
  return new HoldfastError('operation.failed', { hint: 'the log of the server tells more' });
}

function isForPrograms(context: AccessContext): boolean {
  return pathBelow(context).startsWith('/api/') || /\bapplication\/json\b/.test(context.req.header('accept') ?? '');
}

/** What tells a browser to log in; where the login is not ours, there is nothing to lead to. */
function toLogin(context: AccessContext, options: AccessOptions): Response | undefined {
  if (options.authorize !== undefined || options.trustedProxy !== undefined) return undefined;
  const { basePath } = context.var;
  const isPage = context.req.method === 'GET' || context.req.method === 'HEAD';
  const next = isPage && pathBelow(context) !== '/' ? `?next=${encodeURIComponent(context.req.path)}` : '';
  // htmx would put the page for logging in where it wanted a part of another.
  if (context.req.header('hx-request') !== undefined) {
    return context.body(null, 401, { 'hx-redirect': `${basePath}/login` });
  }
  return context.redirect(`${basePath}/login${next}`, 303);
}

/** Answers with what went wrong, why, and what to do: as JSON to programs, as a page to people. */
export async function answerError(
  thrown: unknown,
  context: AccessContext,
  given: { readonly options: AccessOptions; readonly log: (text: string) => void },
): Promise<Response> {
  const error = shownError(thrown, context, given.log);
  const { code, message, hint, httpStatus } = error;
  const { basePath = '', requestId = '', user } = context.var;
  if (httpStatus === 429) context.header('retry-after', String(retryAfterSeconds));
  // 499 is nobody's but ours.
  const status = (httpStatus === 499 ? 503 : httpStatus) as 500;
  if (isForPrograms(context)) {
    if (code === 'access.unauthenticated') context.header('www-authenticate', 'Bearer');
    return context.json({ error: { code, message, hint, requestId, context: error.context } }, status);
  }
  if (code === 'access.unauthenticated') {
    const login = toLogin(context, given.options);
    if (login !== undefined) return login;
  }
  const { error: texts } = sharedTexts;
  const body = html`${pageHead({ title: texts.title })}${errorNotice({ code, message, hint })}
<p class="quiet">${texts.request(requestId)}</p><p><a class="button" href="${basePath}/">${texts.back}</a></p>`;
  const variables = { basePath, csrfToken: context.var.csrfToken ?? '', user };
  return context.html(layout({ title: texts.title, variables, body }), status);
}
