import { html } from 'hono/html';
import type { WebUser, WebVariables } from '../web-environment.ts';
import { type Markup, shown, when } from './markup.ts';

/** Whom a page is for, and where it stands. */
export type Viewer = Pick<WebVariables, 'user' | 'basePath' | 'csrfToken' | 'way'>;

/** Whether the user logged in here, and not with the application or the proxy around the admin. */
export function isOurUser({ way = 'session' }: Viewer): boolean {
  return way === 'session';
}

/** Whether a user may run, verify and download. */
export function mayOperate({ role }: WebUser): boolean {
  return role !== 'viewer';
}

/** Whether a user may delete and restore. */
export function mayAdminister({ role }: WebUser): boolean {
  return role === 'admin';
}

/** A form that changes something. */
export function postForm(
  { basePath, csrfToken }: Viewer,
  given: {
    readonly action: string;
    readonly body: Markup;
    readonly hidden?: Readonly<Record<string, string | undefined>>;
    readonly kind?: string;
    readonly isUpload?: boolean;
    readonly attributes?: Markup;
  },
): Markup {
  const { action, body, hidden = {}, kind = '', isUpload = false, attributes } = given;
  return html`<form method="post" action="${basePath}${action}" class="${kind}" ${when(isUpload, () => html`enctype="multipart/form-data"`)} ${when(attributes, (more) => more)}>
<input type="hidden" name="csrf" value="${csrfToken}">
${Object.entries(hidden).map(([name, value]) => when(value, (text) => html`<input type="hidden" name="${name}" value="${text}">`))}
${body}</form>`;
}

interface FieldOptions {
  readonly id: string;
  readonly name: string;
  readonly label: string;
  readonly hint?: string | undefined;
}

function described({ id, label, hint }: FieldOptions, control: Markup, kind = ''): Markup {
  return html`<div class="field ${kind}"><label for="${id}">${label}</label>${control}
${when(hint, (text) => html`<p class="hint" id="${id}-hint">${text}</p>`)}</div>`;
}

/** A line of text, or a secret. */
export function textField(
  given: FieldOptions & {
    readonly type?: 'text' | 'password' | 'search' | 'date';
    readonly value?: string | undefined;
    readonly placeholder?: string;
    readonly autocomplete?: string;
    readonly isRequired?: boolean;
    readonly kind?: string;
  },
): Markup {
  const { id, name, type = 'text', value, placeholder, autocomplete = 'off', isRequired = false, hint, kind } = given;
  return described(
    given,
    html`<input id="${id}" name="${name}" type="${type}" autocomplete="${autocomplete}" spellcheck="false" ${when(value, (text) => html`value="${text}"`)} ${when(placeholder, (text) => html`placeholder="${text}"`)} ${when(isRequired, () => html`required`)} ${when(hint, () => html`aria-describedby="${id}-hint"`)}>`,
    kind,
  );
}

/** One of several values. */
export function selectField(
  given: FieldOptions & {
    readonly value?: string | undefined;
    readonly options: readonly { readonly value: string; readonly text: string }[];
  },
): Markup {
  const { id, name, options, value = '', hint } = given;
  return described(
    given,
    html`<select id="${id}" name="${name}" ${when(hint, () => html`aria-describedby="${id}-hint"`)}>${options.map((option) => html`<option value="${option.value}" ${when(option.value === value, () => html`selected`)}>${shown(option.text)}</option>`)}</select>`,
  );
}

/** A box to tick, or one of several to choose. */
export function choice(given: {
  readonly type: 'checkbox' | 'radio';
  readonly name: string;
  readonly value: string;
  readonly text: Markup | string;
  readonly sub?: Markup | string | undefined;
  readonly isChosen?: boolean;
}): Markup {
  const { type, name, value, text, sub, isChosen = false } = given;
  return html`<label class="choice"><input type="${type}" name="${name}" value="${value}" ${when(isChosen, () => html`checked`)}><span>${text}${when(sub, (line) => html`<span class="sub">${line}</span>`)}</span></label>`;
}
