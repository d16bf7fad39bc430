import { html } from 'hono/html';
import { formatCount, formatDuration, formatSize } from '../../cli/format-value.ts';
import type { RunArchive, RunPhase } from '../../history/run-record.ts';
import type { Page, RunDetails, RunQuery, RunSummary } from '../services/web-services.ts';
import { runTexts as texts } from '../texts/run-texts.ts';
import { sharedTexts } from '../texts/shared-texts.ts';
import { selectField, type Viewer } from './forms.ts';
import { logView } from './job-view.ts';
import { type Markup, nothing, shown, when } from './markup.ts';
import { empty, errorNotice, facts, pageHead, pager, panel, queryString } from './parts.ts';
import { runSign } from './signs.ts';
import { ago, moment } from './time.ts';

/** What the history shows. */
export interface RunListModel {
  readonly page: Page<RunSummary>;
  readonly query: RunQuery;
  readonly jobs: readonly string[];
  readonly nowMs: number;
}

const list = '#run-list';
const kinds = ['backup', 'restore', 'verify', 'scrub', 'repair', 'prune'] as const;

function kindName(kind: string): string {
  return sharedTexts.kinds[kind] ?? kind;
}

function runRow(run: RunSummary, nowMs: number, basePath: string): Markup {
  const { id, kind, subject, state, startedMs, durationMs, sizeBytes, error } = run;
  return html`<tr><th scope="row"><a href="${basePath}/runs/${encodeURIComponent(id)}">${kindName(kind)}</a>${when(subject, (text) => html` <span class="name of">${shown(text)}</span>`)}
${when(error, ({ message, hint }) => html`<span class="sub name bad">${shown(message)}</span>${when(hint, (text) => html`<span class="sub">${shown(text)}</span>`)}`)}<span class="sub narrow">${ago(startedMs, nowMs)}</span></th>
<td>${runSign(state)}</td><td class="wide nowrap">${ago(startedMs, nowMs)}</td><td class="number wide">${durationMs === undefined ? '' : formatDuration(durationMs)}</td><td class="number">${sizeBytes === undefined ? '' : formatSize(sizeBytes)}</td></tr>`;
}

function filterForm({ query, jobs }: RunListModel, basePath: string): Markup {
  const action = `${basePath}/runs`;
  const any = { value: '', text: sharedTexts.all };
  const options = (values: readonly string[], name: (value: string) => string) => [
    any,
    ...values.map((value) => ({ value, text: name(value) })),
  ];
  const states = Object.keys(sharedTexts.runStates) as (keyof typeof sharedTexts.runStates)[];
  const live = html`hx-get="${action}" hx-target="${list}" hx-select="${list}" hx-swap="outerHTML" hx-push-url="true" hx-trigger="change, submit"`;
  return html`<form class="filters" method="get" action="${action}" role="search" aria-label="${texts.filters.apply}" ${live}>
${selectField({ id: 'run-kind', name: 'kind', label: texts.filters.kind, value: query.kind, options: options(kinds, kindName) })}
${selectField({ id: 'run-state', name: 'state', label: texts.filters.state, value: query.state, options: [any, ...states.map((value) => ({ value, text: sharedTexts.runStates[value] }))] })}
${selectField({ id: 'run-job', name: 'job', label: texts.filters.job, value: query.job, options: options(jobs, (name) => name) })}
<button>${texts.filters.apply}</button></form>`;
}

/** The history of runs. */
export function runListView(model: RunListModel, viewer: Viewer): Markup {
  const { page, query, nowMs } = model;
  const { kind, state, job } = query;
  const href = (number: number) =>
    `${viewer.basePath}/runs${queryString({ kind, state, job, page: number === 1 ? undefined : number })}`;
  const { columns } = texts;
  const isFiltered = kind !== undefined || state !== undefined || job !== undefined;
  const none = isFiltered ? empty(texts.noMatch, texts.noMatchText) : empty(texts.none, texts.noneText);
  const table = html`<div class="table-wrap"><table class="stack"><thead><tr><th scope="col">${columns.run}</th><th scope="col">${columns.state}</th><th scope="col" class="wide">${columns.started}</th><th scope="col" class="number wide">${columns.duration}</th><th scope="col" class="number">${columns.size}</th></tr></thead><tbody>${page.items.map((run) => runRow(run, nowMs, viewer.basePath))}</tbody></table></div>`;
  return html`${pageHead({ title: texts.title })}
<section class="panel" aria-label="${texts.title}">${filterForm(model, viewer.basePath)}<div id="run-list"><p class="unseen" role="status">${texts.lead(page.totalCount)}</p>${page.items.length === 0 ? none : table}${pager(page, href, list)}</div></section>`;
}

function timeline(phases: readonly RunPhase[]): Markup {
  const total = phases.reduce((sum, { durationMs }) => sum + durationMs, 0);
  if (total === 0) return html`<p class="quiet">${texts.run.noPhases}</p>`;
  let position = 0;
  const bars = phases.map(({ durationMs }, index) => {
    const width = (durationMs / total) * 1000;
    const bar = html`<rect class="phase-${index % 5}" x="${position.toFixed(1)}" width="${Math.max(0, width - 2).toFixed(1)}" height="10" />`;
    position += width;
    return bar;
  });
  const words = phases.map(({ name, durationMs }) => texts.run.phaseText(shown(name), formatDuration(durationMs)));
  return html`<svg class="timeline" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="${texts.run.phases}: ${words.join(', ')}">${bars}</svg>
<ul class="legend gap">${phases.map(({ name, durationMs }, index) => html`<li><span class="swatch phase-${index % 5}"></span>${shown(name)} <strong>${formatDuration(durationMs)}</strong></li>`)}</ul>`;
}

function archiveRow({ url, storage, name, state, sizeBytes, error }: RunArchive, basePath: string): Markup {
  const title =
    // What was not made, or is gone, has no page.
    name === undefined || ['failed', 'pending', 'removed'].includes(state)
      ? shown(name ?? url)
      : html`<a href="${basePath}/archive${queryString({ name })}">${shown(name)}</a>`;
  return html`<tr><th scope="row" class="name">${title}${when(storage, (text) => html`<span class="sub">${shown(text)}</span>`)}${when(error, ({ message, hint }) => html`<span class="sub bad">${shown(message)}</span><span class="sub">${shown(hint)}</span>`)}</th>
<td>${texts.run.archiveStates[state]}</td><td class="number">${sizeBytes === undefined ? '' : formatSize(sizeBytes)}</td></tr>`;
}

function factRows(run: RunDetails): (readonly [string, Markup | string] | undefined)[] {
  const { job, startedMs, endedMs, durationMs, sizeBytes, plainSizeBytes, entryCount, rowCount, healedBlocks, id } =
    run;
  const size = (bytes: number | undefined) => (bytes === undefined ? undefined : formatSize(bytes));
  const count = (value: number | undefined) => (value === undefined ? undefined : formatCount(value));
  const rows: readonly (readonly [string, Markup | string | undefined])[] = [
    [texts.run.job, job === undefined ? undefined : shown(job)],
    [texts.run.subject, run.database === undefined || run.database === job ? undefined : shown(run.database)],
    [texts.run.started, moment(startedMs)],
    [texts.run.ended, endedMs === undefined ? undefined : moment(endedMs)],
    [texts.run.took, durationMs === undefined ? undefined : formatDuration(durationMs)],
    [texts.run.size, size(sizeBytes)],
    [texts.run.plainSize, size(plainSizeBytes)],
    [texts.run.entries, count(entryCount)],
    [texts.run.rows, count(rowCount)],
    [texts.run.healed, healedBlocks === undefined || healedBlocks === 0 ? undefined : count(healedBlocks)],
    [texts.run.id, html`<code>${shown(id)}</code>`],
  ];
  return rows.map(([name, value]) => (value === undefined ? undefined : [name, value]));
}

/** A run with all that is known of it. */
export function runView(run: RunDetails, viewer: Viewer): Markup {
  const { basePath } = viewer;
  const subject = run.database ?? run.archives[0]?.name;
  const live = run.jobId !== undefined && run.state === 'running';
  return html`${pageHead({
    title: subject === undefined ? kindName(run.kind) : `${kindName(run.kind)} of ${subject}`,
    crumb: { href: `${basePath}/runs`, text: texts.title },
    lead: html`${runSign(run.state)} ${moment(run.startedMs)}`,
    actions: live
      ? html`<a class="button primary" href="${basePath}/jobs/${encodeURIComponent(run.jobId ?? '')}">${texts.run.live}</a>`
      : undefined,
  })}
${when(run.error, errorNotice)}
${panel({ title: texts.run.phases, body: timeline(run.phases) })}
${panel({ title: texts.run.facts, body: html`<div class="facts-wide">${facts(factRows(run))}</div>` })}
${run.archives.length === 0 ? nothing : panel({ title: texts.run.archives, flush: true, body: html`<div class="table-wrap"><table class="stack"><thead><tr><th scope="col">${texts.run.archive}</th><th scope="col">${texts.run.found}</th><th scope="col" class="number">${texts.columns.size}</th></tr></thead><tbody>${run.archives.map((archive) => archiveRow(archive, basePath))}</tbody></table></div>` })}
${logView(run.log, texts.run.noLog)}`;
}
