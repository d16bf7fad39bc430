import { html } from 'hono/html';
import { errorTable, HoldfastError } from '../../errors.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import type { Markup } from '../views/markup.ts';
import { errorNotice, pageHead } from '../views/parts.ts';
import { type PageContext, sendPage } from './page-context.ts';

const texts = sharedTexts.error;

function errorBody(notice: Markup, { var: { basePath, requestId } }: PageContext): Markup {
  return html`${notice}<p class="quiet gap">${texts.request(requestId)}</p><p><a class="button" href="${basePath}/">${texts.back}</a></p>`;
}

/** Answers with what went wrong, why, and what to do. What has no code is a defect: the layer around the pages logs it and answers. */
export async function sendError(error: Error, context: PageContext): Promise<Response> {
  if (!(error instanceof HoldfastError)) throw error;
  const { code, message, hint } = error;
  const status = errorTable[code].httpStatus;
  const known = status === 400 || status === 403 || status === 404 || status === 409 || status === 422 ? status : 500;
  const body = html`${pageHead({ title: texts.title })}${errorBody(errorNotice({ code, message, hint }), context)}`;
  return await sendPage(context, { title: texts.title, body, status: known });
}

/** What stands under an address that leads nowhere. */
export async function notFoundPage(context: PageContext): Promise<Response> {
  const body = html`${pageHead({ title: texts.notFound, lead: texts.notFoundText })}${errorBody(html``, context)}`;
  return await sendPage(context, { title: texts.notFound, body, status: 404 });
}
