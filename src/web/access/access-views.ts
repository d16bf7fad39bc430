import { html } from 'hono/html';
import { encodeQR } from 'qr';
import type { AuditTable, TokenTable, UserTable } from '../../history/access/access-schema.ts';
import type { Page, ShownError } from '../services/web-services.ts';
import { choice, postForm, selectField, textField, type Viewer } from '../views/forms.ts';
import { type Markup, nothing, shown, when } from '../views/markup.ts';
import { empty, errorNotice, notice, pageHead, pager, panel, queryString } from '../views/parts.ts';
import { settingsFrame } from '../views/settings-frame.ts';
import { outcomeSign } from '../views/signs.ts';
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

/** What stands on a page alone. */
function barePanel(body: Markup): Markup {
  return html`<section class="panel"><div class="panel-body">${body}</div></section>`;
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
  return barePanel(html`<h1>${texts.title}</h1>${told(given)}${bareForm(stand, '/login', body, { next })}`);
}

/** The second step. */
export function codeView(stand: Stand, given: Told & { readonly next: string }): Markup {
  const { login: texts } = accessTexts;
  const body = html`${textField({ id: 'code', name: 'code', label: texts.code, hint: texts.codeHint, autocomplete: 'one-time-code', isRequired: true })}
<div class="actions"><button class="primary">${texts.codeSubmit}</button> <a href="${stand.basePath}/login">${texts.again}</a></div>`;
  return barePanel(
    html`<h1>${texts.codeTitle}</h1>${told(given)}${bareForm(stand, '/login/code', body, { next: given.next })}`,
  );
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
  return barePanel(html`<h1>${userName === null ? texts.firstTitle : texts.title(shown(userName))}</h1>
${when(userName === null, () => html`<p>${texts.firstLead}</p>`)}${told(given)}${bareForm(stand, `/setup/${token}`, body)}`);
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
  const tokens = panel({
    title: accessTexts.tokens.title,
    body: html`<p class="quiet">${accessTexts.tokens.lead}</p><p class="actions gap"><a class="button" href="${viewer.basePath}/account/tokens">${accessTexts.tokens.see}</a></p>`,
  });
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
${panel({ title: texts.sessionsTitle, body: postForm(viewer, { action: '/account/sessions/end', kind: 'form', body: html`<p class="quiet">${texts.sessionsText}</p><div class="actions"><button>${texts.endSessions}</button></div>` }) })}
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
  const simple = (action: string, text: string, state: string) => {
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
      body: html`<p>${state}</p>${current}<div class="actions"><button>${text}</button></div>`,
    });
  };
  if (recoveryCodes !== undefined) {
    return html`<h3>${texts.recoveryTitle}</h3><p class="gap">${texts.recoveryText}</p><pre class="example">${recoveryCodes.join('\n')}</pre>`;
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
    return html`<div class="enrol">${qrCode(pending.uri)}<div><p>${texts.scan}</p><p><code>${pending.secret.replace(/.{4}(?=.)/g, '$& ')}</code></p><p><a href="${pending.uri}">${texts.openApp}</a></p></div></div>${postForm(viewer, { action: '/account/factor/confirm', kind: 'form', body })}`;
  }
  return hasFactor
    ? simple('/account/factor/end', texts.end, texts.factorOn)
    : simple('/account/factor/begin', texts.begin, texts.factorOff);
}

/** A link as a code for a camera: ISO/IEC 18004. */
function qrCode(text: string): Markup {
  const rows = encodeQR(text, 'raw', { border: 4 });
  const squares = rows.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return html`<svg class="code" viewBox="0 0 ${rows.length} ${rows.length}" role="img" aria-label="${accessTexts.account.scan}"><path d="${squares.join('')}" /></svg>`;
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
    return html`<tr><th scope="row" class="name">${shown(user.name)}</th><td><span class="tag">${role}</span></td><td data-label="${texts.factor}">${user.totp_secret === null ? texts.off : texts.on}</td>
<td data-label="${texts.created}">${ago(Number(user.created_ms), given.nowMs)}${when(user.password === null, () => html` <span class="quiet">${texts.waiting}</span>`)}</td>
<td class="whole-line"><details class="inner"><summary>${texts.actions}<span class="unseen"> (${shown(user.name)})</span></summary><div class="lines">
${postForm(viewer, { action: `${action}/role`, kind: 'form', body: html`${roleField(`role-${user.name}`, role)}<button>${texts.change}</button>` })}
${postForm(viewer, { action: `${action}/link`, body: html`<button>${texts.reset}</button>` })}
${postForm(viewer, { action: `${action}/remove`, body: html`<button class="danger">${texts.remove}</button>` })}
</div></details></td></tr>`;
  };
  const link = when(given.link, ({ name: who, url }) =>
    notice('well', html`${texts.link} ${shown(who)}: <code>${url}</code>`, texts.linkText),
  );
  const table = html`<div class="table-wrap"><table class="stack"><thead><tr><th scope="col">${name}</th><th scope="col">${texts.role}</th><th scope="col">${texts.factor}</th><th scope="col">${texts.created}</th><th scope="col">${texts.actions}</th></tr></thead><tbody>${given.users.map(row)}</tbody></table></div>`;
  const add = html`${textField({ id: 'name', name: 'name', label: name, isRequired: true })}${roleField('role', 'viewer')}<div class="actions"><button class="primary">${texts.addSubmit}</button></div>`;
  return settingsFrame(
    'users',
    viewer,
    html`${told(given)}${link}${panel({ title: texts.title, flush: true, body: table })}
${panel({ title: texts.add, body: postForm(viewer, { action: '/users', kind: 'form', body: add }) })}`,
  );
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
  ) => html`<tr><th scope="row" class="name">${shown(token.label)}</th><td data-label="${texts.of}">${shown(token.user_name)}</td>
<td class="whole-line">${readScopes(token.scopes).map((scope) => html`<span class="tag">${scope}</span> `)}</td><td data-label="${texts.expires}">${moment(Number(token.expires_ms))}</td>
<td data-label="${texts.used}">${ago(token.used_ms === null ? undefined : Number(token.used_ms), given.nowMs)}</td>
<td>${postForm(viewer, { action: `/account/tokens/${token.id}/remove`, body: html`<button class="danger">${texts.remove}</button>` })}</td></tr>`;
  const table = html`<div class="table-wrap"><table class="stack"><thead><tr><th scope="col">${texts.label}</th><th scope="col">${texts.of}</th><th scope="col">${texts.scopes}</th><th scope="col">${texts.expires}</th><th scope="col">${texts.used}</th><th scope="col"><span class="unseen">${texts.remove}</span></th></tr></thead><tbody>${given.tokens.map(row)}</tbody></table></div>`;
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
  const crumb = { href: `${viewer.basePath}/account`, text: accessTexts.account.title };
  return html`${pageHead({ title: texts.title, lead: texts.lead, crumb })}${told(given)}
${when(given.made, (token) => notice('well', html`${texts.made} <code>${token}</code>`))}
${given.tokens.length === 0 ? html`<section class="panel">${empty(texts.empty, texts.emptyText)}</section>` : panel({ title: texts.title, flush: true, body: table })}
${panel({ title: texts.add, body: postForm(viewer, { action: '/account/tokens', kind: 'form', body: form }) })}`;
}

/** Who did what. */
export function auditView(viewer: Viewer, page: Page<AuditTable>): Markup {
  const { audit: texts } = accessTexts;
  const row = (
    entry: AuditTable,
  ) => html`<tr><th scope="row" class="name">${shown(entry.action)}${when(entry.subject, (text) => html`<span class="sub">${shown(text)}</span>`)}</th>
<td>${outcomeSign(entry.outcome)}</td><td>${shown(entry.user_name)}</td><td class="quiet">${shown(entry.address)}</td><td class="quiet">${moment(Number(entry.time_ms))}</td></tr>`;
  const href = (number: number) => `${viewer.basePath}/audit${queryString({ page: number })}`;
  const columns = [texts.what, texts.outcome, texts.who, texts.from, texts.when];
  const head = columns.map((column) => html`<th scope="col">${column}</th>`);
  const table = html`<div class="table-wrap"><table class="stack"><thead><tr>${head}</tr></thead><tbody>${page.items.map(row)}</tbody></table></div>${pager(page, href)}`;
  return settingsFrame('audit', viewer, panel({ title: texts.title, note: texts.lead, flush: true, body: table }));
}
