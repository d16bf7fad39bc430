import { html } from 'hono/html';
import { formatSize } from '../../cli/format-value.ts';
import type { ArchiveFacts, ArchiveQuery, Page, ShownError } from '../services/web-services.ts';
import { archiveTexts as texts } from '../texts/archive-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { mayOperate, postForm, selectField, textField, type Viewer } from './forms.ts';
import { icon } from './icons.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { empty, notice, pageHead, pager, queryString, swapped } from './parts.ts';
import { healthSign } from './signs.ts';
import { ago, moment } from './time.ts';

/** What the list of archives shows. */
export interface ArchiveListModel {
  readonly page: Page<ArchiveFacts>;
  readonly query: ArchiveQuery;
  readonly series: readonly string[];
  readonly storages: readonly string[];
  readonly listedMs: number;
  readonly failed: readonly { readonly storage: string; readonly error: ShownError }[];
  readonly nowMs: number;
}

const list = '#archive-list';

/** A query as it stands in an address. */
export function archiveQueryString(query: ArchiveQuery): string {
  const { text, series, storage, health, sort, direction, page, pinned, leaving } = query;
  const kept = pinned === true ? 'pinned' : leaving === true ? 'leaving' : undefined;
  const number = page === 1 ? undefined : page;
  return queryString({ text, series, storage, health, kept, sort, direction, page: number });
}

function archiveRow(archive: ArchiveFacts, { nowMs }: ArchiveListModel, basePath: string): Markup {
  const { name, createdMs, sizeBytes, replicas, isPinned, keptBy, health } = archive;
  const kept = keptBy.length === 0 ? html`<span class="tag warn">${texts.leaving}</span>` : shown(keptBy.join(', '));
  return html`<tr><th scope="row"><a class="name" href="${basePath}/archive?name=${encodeURIComponent(name)}">${shown(name)}</a>${when(isPinned, () => html` <span class="tag">${icon('pin')}${texts.pinned}</span>`)}
<span class="sub narrow">${ago(createdMs, nowMs)} · ${formatSize(sizeBytes)} · ${replicas.map(({ storage }) => shown(storage)).join(', ')}</span></th>
<td class="wide nowrap">${moment(createdMs)}</td>
<td class="number wide">${formatSize(sizeBytes)}</td>
<td class="wide clip">${replicas.map(({ storage }) => shown(storage)).join(', ')}</td>
<td class="wide quiet clip" title="${shown(keptBy.join(', '))}">${kept}</td>
<td>${healthSign(health)}</td></tr>`;
}

function sortHead(
  model: ArchiveListModel,
  basePath: string,
  column: { readonly sort: NonNullable<ArchiveQuery['sort']>; readonly text: string; readonly kind?: string },
): Markup {
  const { sort = 'created', direction = 'down' } = model.query;
  const isThis = sort === column.sort;
  const turned = isThis && direction === 'down' ? 'up' : 'down';
  const href = `${basePath}/archives${archiveQueryString({ ...model.query, sort: column.sort, direction: turned, page: 1 })}`;
  const sorted = when(isThis, () => html`aria-sort="${direction === 'down' ? 'descending' : 'ascending'}"`);
  const arrow = isThis ? html`<span aria-hidden="true">${direction === 'down' ? ' ↓' : ' ↑'}</span>` : nothing;
  return html`<th scope="col" class="${column.kind ?? ''}" ${sorted}><a href="${href}" ${swapped(href, list)} title="${texts.sortBy(column.text)}">${column.text}${arrow}</a></th>`;
}

function filterForm(model: ArchiveListModel, basePath: string): Markup {
  const { query, series, storages } = model;
  const { filters } = texts;
  const any = { value: '', text: filters.any };
  const named = (names: readonly string[]) => [any, ...names.map((name) => ({ value: name, text: name }))];
  const healths = Object.entries(sharedTexts.health).map(([value, text]) => ({ value, text }));
  const kept = Object.entries(filters.kept).map(([value, text]) => ({ value, text }));
  const keptValue = query.pinned === true ? 'pinned' : query.leaving === true ? 'leaving' : '';
  const action = `${basePath}/archives`;
  const live = html`hx-get="${action}" hx-target="${list}" hx-select="${list}" hx-swap="outerHTML" hx-push-url="true" hx-trigger="input delay:250ms, submit"`;
  return html`<form class="filters" method="get" action="${action}" role="search" aria-label="${filters.label}" ${live}>
${textField({ id: 'filter-text', name: 'text', label: filters.text, type: 'search', value: query.text, kind: 'grow' })}
${selectField({ id: 'filter-series', name: 'series', label: filters.series, value: query.series, options: named(series) })}
${selectField({ id: 'filter-storage', name: 'storage', label: filters.storage, value: query.storage, options: named(storages) })}
${selectField({ id: 'filter-health', name: 'health', label: filters.health, value: query.health, options: [any, ...healths] })}
${selectField({ id: 'filter-kept', name: 'kept', label: filters.more, value: keptValue, options: [any, ...kept] })}
${when(query.sort, (sort) => html`<input type="hidden" name="sort" value="${sort}">`)}${when(query.direction, (direction) => html`<input type="hidden" name="direction" value="${direction}">`)}
<div class="actions"><button>${filters.apply}</button><a class="button quiet" href="${action}">${filters.clear}</a></div></form>`;
}

function isFiltered({ text, series, storage, health, pinned, leaving }: ArchiveQuery): boolean {
  return [text, series, storage, health, pinned, leaving].some((value) => value !== undefined && value !== '');
}

function table(model: ArchiveListModel, basePath: string): Markup {
  const { page, query } = model;
  const { columns } = texts;
  if (page.items.length === 0) {
    return isFiltered(query) ? empty(texts.noMatch, texts.noMatchText) : empty(texts.none, texts.noneText);
  }
  return html`<div class="table-wrap"><table class="archives"><thead><tr>
${sortHead(model, basePath, { sort: 'name', text: columns.name })}${sortHead(model, basePath, { sort: 'created', text: columns.created, kind: 'wide' })}${sortHead(model, basePath, { sort: 'size', text: columns.size, kind: 'number wide' })}
<th scope="col" class="wide">${columns.places}</th><th scope="col" class="wide">${columns.kept}</th><th scope="col">${columns.state}</th></tr></thead>
<tbody>${page.items.map((archive) => archiveRow(archive, model, basePath))}</tbody></table></div>`;
}

/** All archives: found, sorted, page by page. */
export function archiveListView(model: ArchiveListModel, viewer: Viewer): Markup {
  const { page, query, failed, listedMs, nowMs } = model;
  const { basePath, user } = viewer;
  const refresh = postForm(viewer, { action: '/archives/refresh', body: html`<button>${texts.refresh}</button>` });
  const href = (number: number) => `${basePath}/archives${archiveQueryString({ ...query, page: number })}`;
  const lead = html`${texts.listed} ${ago(listedMs, nowMs)}`;
  return html`${pageHead({ title: texts.title, lead, actions: mayOperate(user) ? refresh : undefined })}
${failed.map(({ storage, error }) => notice('late', html`${shown(texts.notListed(storage))} ${shown(error.message)}`, shown(error.hint)))}
<section class="panel" aria-label="${texts.title}">${filterForm(model, basePath)}
<div id="archive-list"><p class="unseen" role="status">${texts.count(page.totalCount)}</p>${table(model, basePath)}${pager(page, href, list)}</div></section>`;
}
