import { html } from 'hono/html';
import { formatSize } from '../../cli/format-value.ts';
import type { ArchiveContents } from '../services/web-services.ts';
import { restoreTexts as texts } from '../texts/restore-texts.ts';
import { choice, mayAdminister, postForm, selectField, textField, type Viewer } from './forms.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { errorNotice, notice, panel } from './parts.ts';
import { actionTable } from './plan-view.ts';
import type { RestoreModel } from './restore-view.ts';

/** What was chosen so far. Secrets are never sent back to the browser. */
export interface GivenRestore {
  /** Names of parts, as `database:shop`; undefined before anything was chosen: all. */
  readonly parts?: readonly string[];
  /** Paths of entries and tables. */
  readonly entries: readonly string[];
  readonly globs: string;
  /** Targets of databases by their names. */
  readonly to: Readonly<Record<string, string>>;
  readonly filesTo: string;
  readonly mode: string;
  readonly overwrite: boolean;
  readonly partial: boolean;
}

/** What the form holds before anything was chosen. */
export const nothingGiven: GivenRestore = {
  entries: [],
  globs: '',
  to: {},
  filesTo: '',
  mode: '',
  overwrite: false,
  partial: false,
};

type OpenedRestore = RestoreModel & { readonly contents: ArchiveContents };
type Part = ArchiveContents['parts'][number];

/** How a part is named in the form. */
export function partKey({ kind, name }: Pick<Part, 'kind' | 'name'>): string {
  return `${kind}:${name}`;
}

/** The folder of a part's entries in an archive. */
export function partFolder({ kind, name }: Pick<Part, 'kind' | 'name'>): string {
  const folders = { database: 'databases', files: 'files', command: 'databases', models: 'models' } as const;
  return `${folders[kind]}/${name}`;
}

function partChoice(part: Part, { contents, given }: OpenedRestore): Markup {
  const { name, entryCount, sizeBytes, rows } = part;
  const folder = partFolder(part);
  const inside = contents.items.filter(({ path }) => path === folder || path.startsWith(`${folder}/`));
  const paths = inside.flatMap(({ path, tables = [] }) =>
    tables.length > 0 ? tables.map((table) => table.path) : [path],
  );
  const boxes = paths.map((path) =>
    choice({
      type: 'checkbox',
      name: 'entry',
      value: path,
      text: html`<span class="mono">${shown(path)}</span>`,
      isChosen: given.entries.includes(path),
    }),
  );
  const words = [texts.what.entries(entryCount), ...(rows > 0 ? [texts.what.rows(rows)] : []), formatSize(sizeBytes)];
  const box = choice({
    type: 'checkbox',
    name: 'part',
    value: partKey(part),
    text: html`<strong class="name">${shown(name)}</strong> <span class="tag">${part.kind}</span>`,
    sub: words.join(' · '),
    isChosen: given.parts === undefined || given.parts.includes(partKey(part)),
  });
  const more = when(
    paths.length > 1,
    () =>
      html`<details class="inner" ${when(part.kind === 'database', () => html`open`)}><summary class="quiet">${shown(texts.what.tables(name))}</summary><div class="choices boxed">${boxes}</div></details>`,
  );
  return html`<div class="part">${box}${more}</div>`;
}

function whatFields(model: OpenedRestore): Markup {
  const { contents, given } = model;
  return html`<fieldset><legend class="unseen">${texts.what.title}</legend>${contents.isSuspect ? notice('odd', texts.what.suspect) : nothing}
<div class="choices">${contents.parts.map((part) => partChoice(part, model))}</div>
${contents.isCut ? html`<p class="hint">${texts.what.cut}</p>` : nothing}
<details class="inner" ${when(given.globs, () => html`open`)}><summary class="quiet">${texts.what.globs}</summary><div class="field"><label class="unseen" for="globs">${texts.what.globs}</label><textarea id="globs" name="globs" rows="3" spellcheck="false" aria-describedby="globs-hint">${given.globs}</textarea><p class="hint" id="globs-hint">${texts.what.globsHint}</p></div></details></fieldset>`;
}

function whereFields({ contents, given }: OpenedRestore): Markup {
  const { where } = texts;
  const databases = contents.parts.filter(({ kind }) => kind === 'database' || kind === 'models');
  const targets = databases.map(
    ({ name }, index) => html`<input type="hidden" name="database" value="${name}">
${textField({ id: `to-${index}`, name: 'to', label: shown(where.database(name)), value: given.to[name], ...(index === 0 && { hint: where.databaseHint }) })}`,
  );
  const hasFiles = contents.parts.some(({ kind }) => kind === 'files');
  const files = textField({
    id: 'files-to',
    name: 'filesTo',
    label: where.files,
    value: given.filesTo,
    hint: where.filesHint,
  });
  const modes = Object.entries(where.modes).map(([value, text]) => ({ value, text }));
  const mode = selectField({ id: 'mode', name: 'mode', label: where.mode, value: given.mode, options: modes });
  return html`<fieldset class="form"><legend class="unseen">${where.title}</legend>${targets}${hasFiles ? files : nothing}${databases.length > 0 ? mode : nothing}
<div class="choices">${choice({ type: 'checkbox', name: 'overwrite', value: 'yes', text: where.overwrite, sub: where.overwriteHint, isChosen: given.overwrite })}
${choice({ type: 'checkbox', name: 'partial', value: 'yes', text: where.partial, sub: where.partialHint, isChosen: given.partial })}</div>
${textField({ id: 'restore-passphrase', name: 'passphrase', type: 'password', label: where.passphrase, hint: where.passphraseHint })}</fieldset>`;
}

function planView({ plan }: RestoreModel, { basePath }: Viewer): Markup {
  const error = plan?.error;
  const actions = plan?.actions;
  const page =
    plan?.jobId === undefined
      ? nothing
      : html`<p class="quiet"><a href="${basePath}/jobs/${encodeURIComponent(plan.jobId)}">${texts.plan.running}</a></p>`;
  return html`<div id="plan" aria-live="polite">${when(error, errorNotice)}${when(actions, actionTable)}${error === undefined && actions === undefined ? html`${page}<p class="quiet">${plan === undefined ? texts.plan.none : ''}</p>` : nothing}</div>`;
}

/** What to restore, where to, what that changes, and the button that does it: one form, so that what was typed stays. */
export function restoreForm(model: OpenedRestore, viewer: Viewer): Markup {
  const { source, contents, verifyJob } = model;
  const action = `${viewer.basePath}/restore`;
  const foresee = html`hx-post="${action}" hx-target="#plan" hx-select="#plan" hx-swap="outerHTML" hx-include="closest form" hx-disable="this"`;
  const sum = texts.what.holds(
    texts.what.entries(contents.totalCount),
    formatSize(contents.totalSizeBytes),
    texts.what.rows(contents.totalRows),
  );
  const confirm = html`<fieldset class="form"><legend class="unseen">${texts.confirm.title}</legend>${textField({ id: 'confirm', name: 'confirm', label: texts.confirm.label, hint: texts.confirm.hint })}<div><button class="danger" name="step" value="restore">${texts.confirm.button}</button></div></fieldset>`;
  return postForm(viewer, {
    action: '/restore',
    hidden: { ...source.fields, contents: contents.contentsId, verify: verifyJob?.id },
    body: html`<div class="columns">${panel({ title: texts.what.title, note: sum, body: whatFields(model) })}${panel({ title: texts.where.title, body: whereFields(model) })}</div>
${panel({ title: texts.plan.title, body: html`${planView(model, viewer)}<div class="actions gap"><button name="step" value="plan" ${foresee}>${texts.plan.button}</button></div>` })}
${mayAdminister(viewer.user) ? panel({ title: texts.confirm.title, body: confirm }) : nothing}`,
  });
}
