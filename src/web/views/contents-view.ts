import { html } from 'hono/html';
import { formatCount, formatSize } from '../../cli/format-value.ts';
import type { ArchiveContents, ArchiveFacts, EntryFacts, ShownError } from '../services/web-services.ts';
import { archiveTexts } from '../texts/archive-texts.ts';
import { restoreTexts } from '../texts/restore-texts.ts';
import { mayOperate, postForm, selectField, textField, type Viewer } from './forms.ts';
import { icon } from './icons.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { errorNotice, notice, pager, panel, queryString } from './parts.ts';

const texts = archiveTexts.contents;

/** The contents of an archive: closed, open, or asked for and not had. */
export interface ContentsModel {
  readonly archive: Pick<ArchiveFacts, 'name' | 'replicas'>;
  readonly contents?: ArchiveContents | undefined;
  readonly text?: string | undefined;
  readonly isGone?: boolean;
  readonly error?: ShownError | undefined;
}

/** Fields for a key. It goes with this one request and is kept nowhere. */
export function keyFields(prefix: string): Markup {
  const { open } = restoreTexts;
  return html`${textField({ id: `${prefix}-passphrase`, name: 'passphrase', type: 'password', label: open.passphrase, hint: open.passphraseHint })}
<details><summary class="quiet">${open.more}</summary>${textField({ id: `${prefix}-identity`, name: 'identity', type: 'password', label: open.identity, hint: open.identityHint })}</details>`;
}

function entryRow({ path, kind, sizeBytes, rows, tables }: EntryFacts): Markup {
  const inner = when(
    tables !== undefined && tables.length > 0 && tables,
    (list) =>
      html`<details class="inner"><summary class="sub">${texts.tables(list.length)}</summary><ul>${list.map((table) => html`<li class="sub pair"><span class="name">${shown(table.path)}</span><span>${formatCount(table.rows)}</span></li>`)}</ul></details>`,
  );
  return html`<tr><th scope="row" class="name entry"><span class="mono">${shown(path)}</span>${inner}</th><td class="quiet wide">${shown(kind)}</td><td class="number">${rows === undefined ? '' : formatCount(rows)}</td><td class="number">${formatSize(sizeBytes)}</td></tr>`;
}

function openContents(model: ContentsModel, contents: ArchiveContents, basePath: string): Markup {
  const { archive, text } = model;
  const { contentsId, items, isCut, isSuspect } = contents;
  const query = (page: number) => ({
    name: archive.name,
    contents: contentsId,
    find: text,
    entries: page === 1 ? undefined : page,
  });
  const search = html`<form class="filters" method="get" action="${basePath}/archive" role="search" hx-get="${basePath}/archive" hx-target="#entries" hx-select="#entries" hx-swap="outerHTML" hx-trigger="input delay:250ms, submit">
<input type="hidden" name="name" value="${archive.name}"><input type="hidden" name="contents" value="${contentsId}">
${textField({ id: 'contents-find', name: 'find', type: 'search', label: texts.find, value: text, kind: 'grow' })}<button>${texts.search}</button></form>`;
  return html`${isSuspect ? html`<div class="panel-body">${notice('odd', texts.suspect)}</div>` : nothing}${search}
<div id="entries"><div class="table-wrap"><table><thead><tr><th scope="col">${texts.entry}</th><th scope="col" class="wide">${texts.kind}</th><th scope="col" class="number">${texts.rows}</th><th scope="col" class="number">${texts.size}</th></tr></thead><tbody>${items.map(entryRow)}</tbody></table></div>
${when(isCut, () => html`<p class="panel-foot">${texts.cut}</p>`)}
${pager(contents, (page) => `${basePath}/archive${queryString(query(page))}#contents`, '#entries')}</div>`;
}

function closedContents({ archive, error, isGone = false }: ContentsModel, viewer: Viewer): Markup {
  const places = archive.replicas.map(({ storage }) => ({ value: storage, text: storage }));
  const form = postForm(viewer, {
    action: '/archive/open',
    kind: 'form',
    hidden: { name: archive.name },
    body: html`${places.length > 1 ? selectField({ id: 'open-storage', name: 'storage', label: texts.from, options: places }) : html`<input type="hidden" name="storage" value="${places[0]?.value ?? ''}">`}
${keyFields('open')}<div class="actions"><button class="primary">${icon('key')}${texts.button}</button></div>`,
  });
  return html`<div class="panel-body">${when(error, errorNotice)}${isGone ? notice('plain', texts.gone) : nothing}<p class="quiet gap">${mayOperate(viewer.user) ? texts.closed : texts.viewer}</p>${mayOperate(viewer.user) ? form : nothing}</div>`;
}

/** What is in an archive, or what it takes to see that. */
export function contentsView(model: ContentsModel, viewer: Viewer): Markup {
  const { contents } = model;
  const isClosed = contents === undefined;
  return panel({
    id: 'contents',
    title: texts.title,
    flush: true,
    note: isClosed
      ? undefined
      : texts.sum(contents.totalCount, contents.totalRows, formatSize(contents.totalSizeBytes)),
    body: isClosed ? closedContents(model, viewer) : openContents(model, contents, viewer.basePath),
  });
}
