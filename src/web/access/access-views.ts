import { html } from 'hono/html';
import type { AuditTable, TokenTable, UserTable } from '../../history/access/access-schema.ts';
import type { Page, ShownError } from '../services/web-services.ts';
import { choice, postForm, selectField, textField, type Viewer } from '../views/forms.ts';
import { type Markup, nothing, shown, when } from '../views/markup.ts';
import { errorNotice, facts, notice, pageHead, pager, panel, queryString } from '../views/parts.ts';
import { ago, moment } from '../views/time.ts';
import { accessTexts } from './access-texts.ts';
import { asRole, roles } from './roles.ts';
import { readScopes, scopes } from './scopes.ts';

/** Where a form stands that is shown to nobody in particular. */
export type Stand = Pick<Viewer, 'basePath' | 'csrfToken'>;

/** What became of the form before. */
export interface Told {
  readonly error?: ShownError | undefined;
  readonly done?: string | undefined;
}

function told({ error, done }: Told): Markup {
  return html`${when(error, errorNotice)}${when(done, (text) => notice('well', text))}`;
}

/** A form of a page that stands alone. */
function bareForm(stand: Stand, action: string, body: Markup, hidden: Record<string, string | undefined> = {}): Markup {
  // Forms ask for a viewer only where something depends on his role.
  return postForm(stand as Viewer, { action, kind: 'form', hidden, body });
}

function passwordFields(id: string, label: string): Markup {
  const { repeat, passwordHint: hint } = accessTexts;
  const common = { type: 'password', autocomplete: 'new-password', isRequired: true } as const;
  return html`${textField({ ...common, id, name: 'password', label, hint })}
${textField({ ...common, id: `${id}-again`, name: 'repeat', label: repeat })}`;
}

/** Name and password. */
export function loginView(stand: Stand, given: Told & { readonly next: string; readonly name: string }): Markup {
  const { login: texts, name: label, password } = accessTexts;
  const { next, name } = given;
  const body = html`${textField({ id: 'name', name: 'name', label, value: name, autocomplete: 'username', isRequired: true })}
${textField({ id: 'password', name: 'password', label: password, type: 'password', autocomplete: 'current-password', isRequired: true })}
<div class="actions"><button class="primary">${texts.submit}</button></div>`;
  return html`<h1>${texts.title}</h1>${told(given)}${bareForm(stand, '/login', body, { next })}`;
}

/** The second step. */
export function codeView(stand: Stand, given: Told & { readonly next: string }): Markup {
  const { login: texts } = accessTexts;
  const body = html`${textField({ id: 'code', name: 'code', label: texts.code, hint: texts.codeHint, autocomplete: 'one-time-code', isRequired: true })}
<div class="actions"><button class="primary">${texts.codeSubmit}</button> <a href="${stand.basePath}/login">${texts.again}</a></div>`;
  return html`<h1>${texts.codeTitle}</h1>${told(given)}${bareForm(stand, '/login/code', body, { next: given.next })}`;
}

/** A link that was opened: a name where it is the first admin's, and a password. */
export function setupView(
  stand: Stand,
  given: Told & { readonly token: string; readonly userName: string | null },
): Markup {
  const { setup: texts, password, name: label } = accessTexts;
  const { token, userName } = given;
  const nameField =
    userName === null
      ? textField({ id: 'name', name: 'name', label, autocomplete: 'username', isRequired: true })
      : nothing;
  const body = html`${nameField}${passwordFields('password', password)}
<div class="actions"><button class="primary">${texts.submit}</button></div>`;
  return html`<h1>${userName === null ? texts.firstTitle : texts.title(shown(userName))}</h1>
${when(userName === null, () => html`<p>${texts.firstLead}</p>`)}${told(given)}${bareForm(stand, `/setup/${token}`, body)}`;
}

/** One's own password and second factor. */
export function accountView(
  viewer: Viewer,
  given: Told & {
    readonly isOurs: boolean;
    readonly hasFactor: boolean;
    readonly pending?: { readonly secret: string; readonly uri: string } | undefined;
    readonly recoveryCodes?: readonly string[] | undefined;
  },
): Markup {
  const { account: texts } = accessTexts;
  const { user } = viewer;
  const head = pageHead({ title: texts.title, lead: texts.lead(shown(user.name), user.role) });
  const tokens = html`<p><a href="${viewer.basePath}/account/tokens">${accessTexts.tokens.title}</a></p>`;
  if (!given.isOurs) return html`${head}${told(given)}${notice('plain', texts.elsewhere)}${tokens}`;
  const current = textField({
    id: 'current',
    name: 'current',
    label: texts.current,
    type: 'password',
    autocomplete: 'current-password',
    isRequired: true,
  });
  const change = html`${current}${passwordFields('new-password', texts.next)}<div class="actions"><button>${texts.change}</button></div>`;
  return html`${head}${told(given)}
${panel({ title: texts.passwordTitle, body: postForm(viewer, { action: '/account/password', kind: 'form', body: change }) })}
${panel({ title: texts.factorTitle, body: factorBody(viewer, given) })}
${panel({ title: accessTexts.login.ended, body: postForm(viewer, { action: '/account/sessions/end', body: html`<button>${texts.endSessions}</button>` }) })}
${tokens}`;
}

function factorBody(
  viewer: Viewer,
  given: {
    readonly hasFactor: boolean;
    readonly pending?: { readonly secret: string; readonly uri: string } | undefined;
    readonly recoveryCodes?: readonly string[] | undefined;
  },
): Markup {
  const { account: texts } = accessTexts;
  const { hasFactor, pending, recoveryCodes } = given;
  const simple = (action: string, text: string) => {
    const current = textField({
      id: 'factor-current',
      name: 'current',
      label: texts.current,
      type: 'password',
      autocomplete: 'current-password',
      isRequired: true,
    });
    return postForm(viewer, {
      action,
      kind: 'form',
      body: html`${current}<div class="actions"><button>${text}</button></div>`,
    });
  };
  if (recoveryCodes !== undefined) {
    return html`<h3>${texts.recoveryTitle}</h3><p>${texts.recoveryText}</p><pre>${recoveryCodes.join('\n')}</pre>`;
  }
  if (pending !== undefined) {
    const code = textField({
      id: 'code',
      name: 'code',
      label: texts.confirm,
      autocomplete: 'one-time-code',
      isRequired: true,
    });
    const body = html`${code}<div class="actions"><button class="primary">${texts.confirmSubmit}</button></div>`;
    return html`${facts([
      [texts.secret, html`<code>${pending.secret.replace(/.{4}(?=.)/g, '$& ')}</code>`],
      [texts.uri, html`<a href="${pending.uri}">${pending.uri}</a>`],
    ])}${postForm(viewer, { action: '/account/factor/confirm', kind: 'form', body })}`;
  }
  return hasFactor
    ? html`<p>${texts.factorOn}</p>${simple('/account/factor/end', texts.end)}`
    : html`<p>${texts.factorOff}</p>${simple('/account/factor/begin', texts.begin)}`;
}

function roleField(id: string, value: string): Markup {
  const { users: texts } = accessTexts;
  const options = roles.map((role) => ({ value: role, text: texts.roles[role] }));
  return selectField({ id, name: 'role', label: texts.role, value, options });
}

/** All users; a link that was made for one is shown once. */
export function usersView(
  viewer: Viewer,
  given: Told & {
    readonly users: readonly UserTable[];
    readonly nowMs: number;
    readonly link?: { readonly name: string; readonly url: string } | undefined;
  },
): Markup {
  const { users: texts, name } = accessTexts;
  const row = (user: UserTable) => {
    const action = `/users/${encodeURIComponent(user.name)}`;
    const role = asRole(user.role) ?? 'viewer';
    return html`<tr><td>${shown(user.name)}</td><td>${role}</td><td>${user.totp_secret === null ? texts.off : texts.on}</td>
<td>${ago(Number(user.created_ms), given.nowMs)}${when(user.password === null, () => html` <span class="quiet">${texts.waiting}</span>`)}</td>
<td><details><summary>${texts.actions}</summary>
${postForm(viewer, { action: `${action}/role`, kind: 'form', body: html`${roleField(`role-${user.name}`, role)}<button>${texts.change}</button>` })}
${postForm(viewer, { action: `${action}/link`, body: html`<button>${texts.reset}</button>` })}
${postForm(viewer, { action: `${action}/remove`, body: html`<button class="danger">${texts.remove}</button>` })}
</details></td></tr>`;
  };
  const link = when(given.link, ({ name: who, url }) =>
    notice('well', html`${texts.link} ${shown(who)}: <code>${url}</code>`, texts.linkText),
  );
  const table = html`<div class="table-wrap"><table><thead><tr><th>${name}</th><th>${texts.role}</th><th>${texts.factor}</th><th>${texts.created}</th><th>${texts.actions}</th></tr></thead><tbody>${given.users.map(row)}</tbody></table></div>`;
  const add = html`${textField({ id: 'name', name: 'name', label: name, isRequired: true })}${roleField('role', 'viewer')}<div class="actions"><button class="primary">${texts.addSubmit}</button></div>`;
  return html`${pageHead({ title: texts.title })}${told(given)}${link}
${panel({ title: texts.title, flush: true, body: table })}
${panel({ title: texts.add, body: postForm(viewer, { action: '/users', kind: 'form', body: add }) })}`;
}

/** The tokens that somebody may see; one that was made is shown once. */
export function tokensView(
  viewer: Viewer,
  given: Told & {
    readonly tokens: readonly Omit<TokenTable, 'token_hash'>[];
    readonly nowMs: number;
    readonly made?: string | undefined;
  },
): Markup {
  const { tokens: texts } = accessTexts;
  const row = (
    token: Omit<TokenTable, 'token_hash'>,
  ) => html`<tr><td>${shown(token.label)}</td><td>${shown(token.user_name)}</td>
<td>${readScopes(token.scopes).join(', ')}</td><td>${moment(Number(token.expires_ms))}</td>
<td>${ago(token.used_ms === null ? undefined : Number(token.used_ms), given.nowMs)}</td>
<td>${postForm(viewer, { action: `/account/tokens/${token.id}/remove`, body: html`<button class="danger">${texts.remove}</button>` })}</td></tr>`;
  const table = html`<div class="table-wrap"><table><thead><tr><th>${texts.label}</th><th>${texts.of}</th><th>${texts.scopes}</th><th>${texts.expires}</th><th>${texts.used}</th><th></th></tr></thead><tbody>${given.tokens.map(row)}</tbody></table></div>`;
  const boxes = scopes.map((scope) =>
    choice({
      type: 'checkbox',
      name: 'scope',
      value: scope,
      text: texts.scopeTexts[scope],
      isChosen: scope === 'read',
    }),
  );
  const form = html`${textField({ id: 'label', name: 'label', label: texts.label, isRequired: true })}
${textField({ id: 'days', name: 'days', label: texts.days, hint: texts.daysHint, value: '90', isRequired: true })}
<fieldset><legend>${texts.scopes}</legend><div class="choices">${boxes}</div></fieldset>
<div class="actions"><button class="primary">${texts.make}</button></div>`;
  return html`${pageHead({ title: texts.title, lead: texts.lead })}${told(given)}
${when(given.made, (token) => notice('well', html`${texts.made} <code>${token}</code>`))}
${given.tokens.length === 0 ? html`<p class="quiet">${texts.empty}</p>` : panel({ title: texts.title, flush: true, body: table })}
${panel({ title: texts.add, body: postForm(viewer, { action: '/account/tokens', kind: 'form', body: form }) })}`;
}

/** Who did what. */
export function auditView(viewer: Viewer, page: Page<AuditTable>): Markup {
  const { audit: texts } = accessTexts;
  const row = (
    entry: AuditTable,
  ) => html`<tr><td>${moment(Number(entry.time_ms))}</td><td>${shown(entry.user_name)}</td><td>${shown(entry.address)}</td>
<td>${shown(entry.action)}</td><td>${shown(entry.subject)}</td><td>${shown(entry.outcome)}</td></tr>`;
  const href = (number: number) => `${viewer.basePath}/audit${queryString({ page: number })}`;
  return html`${pageHead({ title: texts.title, lead: texts.lead })}
${panel({ title: texts.title, flush: true, body: html`<div class="table-wrap"><table><thead><tr><th>${texts.when}</th><th>${texts.who}</th><th>${texts.from}</th><th>${texts.what}</th><th>${texts.of}</th><th>${texts.outcome}</th></tr></thead><tbody>${page.items.map(row)}</tbody></table></div>` })}
${pager(page, href)}`;
}
