import { html } from 'hono/html';
import type { Page, ShownError } from '../services/web-services.ts';
import { sharedTexts as texts } from '../texts/shared-texts.ts';
import { icon } from './icons.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import type { Tone } from './signs.ts';

/** The head of a page: what it is, and what can be done. */
export function pageHead(given: {
  readonly title: string;
  readonly lead?: Markup | string | undefined;
  readonly crumb?: { readonly href: string; readonly text: string };
  readonly actions?: Markup | undefined;
}): Markup {
  const { title, lead, crumb, actions } = given;
  return html`<div class="page-head"><div>
${when(crumb, ({ href, text }) => html`<p class="crumbs"><a href="${href}">${text}</a> /</p>`)}
<h1 class="name">${shown(title)}</h1>${when(lead, (line) => html`<p class="lead">${line}</p>`)}</div>
${when(actions, (buttons) => html`<div class="actions">${buttons}</div>`)}</div>`;
}

/** A part of a page with a heading. */
export function panel(given: {
  readonly title: string;
  readonly note?: Markup | string | undefined;
  readonly body: Markup;
  /** Tables reach to the edges. */
  readonly flush?: boolean;
  readonly id?: string;
}): Markup {
  const { title, note, body, flush = false, id } = given;
  return html`<section class="panel" ${when(id, (name) => html`id="${name}"`)}>
<div class="panel-head"><h2>${title}</h2>${when(note, (text) => html`<div class="quiet">${text}</div>`)}</div>
${flush ? body : html`<div class="panel-body">${body}</div>`}</section>`;
}

/** Something to be told, with what can be done about it. */
export function notice(tone: Tone, text: Markup | string, hint?: Markup | string): Markup {
  const name =
    tone === 'well' ? 'check' : tone === 'bad' ? 'cross' : tone === 'late' || tone === 'odd' ? 'warning' : 'question';
  return html`<div class="notice tone-${tone}" role="${tone === 'bad' ? 'alert' : 'note'}">${icon(name)}<p>${text}</p>
${when(hint, (words) => html`<p class="hint">${words}</p>`)}</div>`;
}

/** An error with its hint. */
export function errorNotice({ code, message, hint }: ShownError): Markup {
  return notice(
    'bad',
    html`${shown(message)} <code class="quiet">${code}</code>`,
    hint === '' ? undefined : shown(hint),
  );
}

/** What stands where there is nothing to show. */
export function empty(title: string, text: string, actions?: Markup): Markup {
  return html`<div class="empty"><h2>${title}</h2><p>${text}</p>${when(actions, (buttons) => html`<div class="actions">${buttons}</div>`)}</div>`;
}

/** Facts by name. */
export function facts(rows: readonly (readonly [string, Markup | string] | undefined)[]): Markup {
  return html`<dl class="facts">${rows.flatMap((row) => (row === undefined ? [] : [html`<dt>${row[0]}</dt><dd>${row[1]}</dd>`]))}</dl>`;
}

/** The query of a page with some of it changed; what is undefined is left out. */
export function queryString(query: Readonly<Record<string, string | number | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** Which page of a list this is, and the way to the others. `target` is what htmx puts the answer in. */
export function pager(page: Page<unknown>, href: (page: number) => string, target?: string): Markup {
  const { page: number, pageSize, totalCount } = page;
  if (totalCount === 0) return nothing;
  const first = (number - 1) * pageSize + 1;
  const last = Math.min(number * pageSize, totalCount);
  const link = (to: number, text: string) =>
    html`<a class="button" href="${href(to)}" ${swapped(href(to), target)}>${text}</a>`;
  return html`<nav class="pages" aria-label="${texts.pages}"><span>${texts.range(first, last, totalCount)}</span>
<span class="actions">${when(number > 1, () => link(number - 1, texts.previous))}${when(last < totalCount, () => link(number + 1, texts.next))}</span></nav>`;
}

/** Attributes by which htmx puts the answer of a link into a part of the page; without it the link works as any. */
export function swapped(href: string, target: string | undefined): Markup | readonly Markup[] {
  return when(
    target,
    (selector) =>
      html`hx-get="${href}" hx-target="${selector}" hx-select="${selector}" hx-swap="outerHTML" hx-push-url="true"`,
  );
}
